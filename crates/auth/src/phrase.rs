//! Return phrases: words by which an anonymous visitor finds back. Eight syllable words carry 8 x 9 = 72 bits.

// Chosen so that no word of the two insults or frightens anybody: see the test.
const HEAD: [&str; 16] = ["ba", "be", "bo", "da", "de", "fi", "fo", "ga", "ka", "la", "li", "ma", "mi", "no", "ra", "sa"];
const TAIL: [&str; 32] = [
    "bel", "dan", "dis", "fal", "gun", "kas", "ken", "kol", "kor", "lan", "lek", "lin", "lor", "man", "mer", "min", "mor", "nad", "nel",
    "pan", "per", "pol", "ran", "ris", "ros", "sel", "sol", "tun", "tek", "ter", "tor", "van",
];
/// Words in a phrase.
const WORDS: usize = 8;

/// The phrase that follows from 72 of these bits.
pub fn phrase_from(bits: &[u8; 32]) -> String {
    let mut number = bits.iter().take(9).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    let mut words = Vec::with_capacity(WORDS);
    for _ in 0..WORDS {
        let index = (number & 0x1ff) as usize;
        number >>= 9;
        let head = HEAD.get(index & 0xf).copied().unwrap_or_default();
        let tail = TAIL.get(index >> 4).copied().unwrap_or_default();
        words.push(format!("{head}{tail}"));
    }
    words.join(" ")
}

/// A phrase as people type it: capitals, hyphens and odd spaces make no difference.
pub fn normalise(phrase: &str) -> String {
    let words: Vec<String> = phrase.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_insults_or_frightens() {
        let words: std::collections::BTreeSet<String> =
            HEAD.iter().flat_map(|head| TAIL.iter().map(move |tail| format!("{head}{tail}"))).collect();
        assert_eq!(words.len(), 512, "every word stands for nine bits of its own");
        for word in ["satan", "galen", "demon", "fikus", "fitan"] {
            assert!(!words.contains(word), "{word}");
        }
    }

    #[test]
    fn phrases_differ_in_every_word_and_survive_typing() {
        let phrase = phrase_from(&[0xa5; 32]);
        assert_eq!(phrase.split(' ').count(), 8);
        assert_eq!(normalise(&phrase.to_uppercase().replace(' ', " - ")), phrase);
        let other = phrase_from(&{
            let mut bits = [0xa5; 32];
            bits[8] ^= 1;
            bits
        });
        assert_ne!(phrase, other);
    }
}
