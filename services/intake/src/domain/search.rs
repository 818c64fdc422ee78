//! Looking for a clinic by words: capitals, accents and the letters å ä ö æ ø do not matter, so that `orebro` finds Örebro.

/// The text as it is compared.
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).flat_map(plain).collect()
}

/// A letter without what many keyboards lack.
fn plain(letter: char) -> impl Iterator<Item = char> {
    let text = match letter {
        'å' | 'ä' | 'á' | 'à' | 'â' | 'ã' => "a",
        'æ' => "ae",
        'ö' | 'ø' | 'ó' | 'ò' | 'ô' | 'õ' => "o",
        'é' | 'è' | 'ê' | 'ë' => "e",
        'í' | 'ì' | 'î' | 'ï' => "i",
        'ü' | 'ú' | 'ù' | 'û' => "u",
        'ñ' => "n",
        'ç' => "c",
        // Combining marks, for text that writes å as a and a ring.
        '\u{300}'..='\u{36f}' => "",
        _ => return Either::One(std::iter::once(letter)),
    };
    Either::Text(text.chars())
}

enum Either {
    One(std::iter::Once<char>),
    Text(std::str::Chars<'static>),
}

impl Iterator for Either {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Self::One(one) => one.next(),
            Self::Text(text) => text.next(),
        }
    }
}

/// The words of a query, folded.
pub fn words(query: &str) -> Vec<String> {
    fold(query).split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether each word begins a word of one of the texts.
pub fn holds<'a>(texts: impl Iterator<Item = &'a str>, words: &[String]) -> bool {
    let all: Vec<String> = texts.flat_map(self::words).collect();
    words.iter().all(|word| all.iter().any(|one| one.starts_with(word.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_a_keyboard_lacks_do_not_matter() {
        let texts = ["Vårdcentralen Ängen", "Örebro", "Bodø"];
        for query in ["orebro", "ÖREBRO", "angen vard", "o\u{308}rebro", "bodo", "", "  ang "] {
            assert!(holds(texts.into_iter(), &words(query)), "{query}");
        }
        for query in ["ngen", "orebro skogen", "bodö x"] {
            assert!(!holds(texts.into_iter(), &words(query)), "{query}");
        }
    }
}
