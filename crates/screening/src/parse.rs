//! Reads the word lists. A line that cannot be read is reported, never fatal: a test sees to it that there is none.

use kernel::Severity;

use crate::Category;
use crate::grammar::Role;

/// One line of a word list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Phrase {
        /// None for an idiom that means something else.
        category: Option<Category>,
        severity: Severity,
        /// Found even after a negation.
        always: bool,
        /// Whom it is about stands before it.
        whom_before: bool,
        spellings: Vec<Spelling>,
    },
    Words {
        role: Option<Role>,
        words: Vec<String>,
    },
}

/// One way to write a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spelling {
    pub text: String,
    /// Any ending may follow.
    pub open: bool,
}

/// More spellings than this on one line are a slip.
const MOST: usize = 4000;

/// Reads the lines of one list; the second part names the lines that could not be read.
pub(crate) fn parse(list: &str) -> (Vec<Entry>, Vec<String>) {
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    for (number, line) in list.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse_line(line) {
            Ok(entry) => entries.push(entry),
            Err(problem) => problems.push(format!("line {}: {problem}", number + 1)),
        }
    }
    (entries, problems)
}

fn parse_line(line: &str) -> Result<Entry, String> {
    let mut columns = line.split('|').map(str::trim);
    let (Some(kind), Some(entry)) = (columns.next(), columns.next()) else {
        return Err("has no | between kind and entry".to_owned());
    };
    let mut flags = kind.split_whitespace();
    let kind = flags.next().unwrap_or_default();
    let flags: Vec<&str> = flags.collect();
    if let Some(unknown) = flags.iter().find(|flag| !matches!(**flag, "emergency" | "always" | "before")) {
        return Err(format!("unknown flag {unknown}"));
    }
    let role = Role::from_code(kind);
    if role.is_some() || kind == "filler" {
        return Ok(Entry::Words { role, words: entry.split_whitespace().map(str::to_owned).collect() });
    }
    let category = Category::from_code(kind);
    if category.is_none() && kind != "not" {
        return Err(format!("unknown kind {kind}"));
    }
    let severity = match category {
        Some(category) if !flags.contains(&"emergency") => category.severity(),
        _ => Severity::Emergency,
    };
    // "a / b" is read like "a/b".
    let entry = entry.replace(" / ", "/");
    Ok(Entry::Phrase {
        category,
        severity,
        always: flags.contains(&"always"),
        whom_before: flags.contains(&"before"),
        spellings: spellings(&entry)?,
    })
}

/// Writes out all alternatives of a phrase.
fn spellings(phrase: &str) -> Result<Vec<Spelling>, String> {
    let mut texts = vec![String::new()];
    for group in phrase.split_whitespace() {
        let mut longer = Vec::with_capacity(texts.len());
        for text in &texts {
            for alternative in group.split('/') {
                if alternative.is_empty() {
                    return Err("has an empty alternative".to_owned());
                }
                if text.ends_with('*') && alternative != "-" {
                    return Err("has a * before the last word".to_owned());
                }
                let mut text = text.clone();
                if alternative != "-" {
                    text.push(' ');
                    // A number of two digits stands for all of them.
                    text.push_str(&alternative.replace('_', " ").replace('#', "99"));
                }
                longer.push(text);
            }
        }
        if longer.len() > MOST {
            return Err(format!("has more than {MOST} spellings"));
        }
        texts = longer;
    }
    let mut all = Vec::new();
    for text in texts {
        let open = text.ends_with('*');
        let text = text.trim_end_matches('*').trim().to_owned();
        // People without the keys type ø as oe and å as aa (which folds to a by itself).
        let typed = text.replace(['ö', 'ø'], "oe").replace(['ä', 'æ'], "ae");
        if typed != text {
            all.push(Spelling { text: typed, open });
        }
        all.push(Spelling { text, open });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_written_out() {
        let texts: Vec<String> = spellings("vill/ska ta_livet/- dö*").unwrap().into_iter().map(|s| s.text).collect();
        assert_eq!(texts.len(), 8);
        for text in ["vill ta livet dö", "vill dö", "ska dö", "ska doe"] {
            assert!(texts.iter().any(|t| t == text), "{text} in {texts:?}");
        }
    }

    #[test]
    fn bad_lines_are_named() {
        let (entries, problems) = parse("# comment\nsuicide | a b\nnonsense | x\nsuicide\nsuicide loud | x\nsuicide | a* b\nfiller | just");
        assert_eq!((entries.len(), problems.len()), (2, 4), "{problems:?}");
        assert!(problems[0].starts_with("line 3"));
    }
}
