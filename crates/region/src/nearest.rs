//! "Did you mean": the known word that a mistyped one resembles most.

/// `; did you mean 'clinic'?` if one of `known` is at most two typing errors away from `word`, else nothing.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // A short word resembles every other short word; a third of it may be wrong.
    let most = (word.chars().count() / 3).clamp(1, 2);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| format!("; did you mean '{candidate}'?"))
        .unwrap_or_default()
}

/// Levenshtein distance; words that are long or differ much in length are simply far apart.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 || a.len() > 64 {
        return usize::MAX;
    }
    // One row per character of `a`: the distance from what has been read of `a` to each prefix of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        let mut left = i + 1;
        for (y, above) in b.iter().zip(row.windows(2)) {
            let &[diagonal, up] = above else { continue };
            left = (diagonal + usize::from(x != y)).min(up + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognised_and_another_word_is_not() {
        assert_eq!(hint("quues", ["queues", "clinics"]), "; did you mean 'queues'?");
        assert_eq!(hint("clinc", ["clinic"]), "; did you mean 'clinic'?");
        assert_eq!(hint("beds", ["queues", "clinics"]), "");
        assert_eq!(hint("", ["queues"]), "");
    }
}
