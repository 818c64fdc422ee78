//! Folds a text into plain lower-case letters without spaces, so that spelling, accents, repeated letters, spaces and
//! punctuation no longer matter, and remembers where each letter came from. Phrases of the word lists go through the
//! same folding, so both sides always agree.

use std::collections::HashSet;

/// A word of the text, fillers included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    /// Byte range in the original text.
    pub start: usize,
    pub end: usize,
    /// Counts sentences; a phrase found within one is never affected by other sentences.
    pub sentence: usize,
    /// Counts clauses, which end at any punctuation; a negation reaches no further than its clause.
    pub clause: usize,
}

/// A folded letter's place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter {
    /// The word it ends in, or lies in. Counted in 32 bits: this is written for every letter of every message.
    word: u32,
    /// The word that begins with it; differs from `word` where two words share a doubled letter. `NONE` if none does.
    opens: u32,
    /// Whether `word` ends with it.
    pub closes: bool,
}

const NONE: u32 = u32::MAX;

impl Letter {
    pub const fn word(&self) -> usize {
        self.word as usize
    }

    pub const fn opens(&self) -> Option<usize> {
        if self.opens == NONE { None } else { Some(self.opens as usize) }
    }
}

#[derive(Default)]
pub(crate) struct Folded {
    pub letters: Vec<u8>,
    pub at: Vec<Letter>,
    pub words: Vec<Word>,
}

/// Words that are skipped inside phrases ("I just want to really die").
#[derive(Default)]
pub(crate) struct Fillers {
    words: HashSet<Vec<u8>>,
    /// One bit per hash: most words are told to be no filler without a look into the set.
    sieve: [u64; 16],
}

impl Fillers {
    pub fn insert(&mut self, word: Vec<u8>) {
        let hash = word.iter().fold(0, |hash, letter| mix(hash, *letter));
        if let Some(bits) = self.sieve.get_mut(usize::from((hash >> 6) & 15)) {
            *bits |= 1 << (hash & 63);
        }
        self.words.insert(word);
    }

    fn contains(&self, word: &[u8], hash: u16) -> bool {
        self.sieve.get(usize::from((hash >> 6) & 15)).is_some_and(|bits| bits & (1 << (hash & 63)) != 0) && self.words.contains(word)
    }
}

const fn mix(hash: u16, letter: u8) -> u16 {
    (hash ^ letter as u16).wrapping_mul(0x6255).rotate_left(5)
}

/// What a character is to the folding.
#[derive(Clone, Copy)]
enum Kind {
    Letter(u8),
    Digit(u8),
    /// A letter only in the middle of a word: "su!cide" no, "p@in" yes.
    Sign(u8),
    /// Nothing at all: apostrophes, combining accents, zero-width characters.
    Drop,
    Space,
    /// Ends a clause.
    Comma,
    /// Ends a sentence if a space or the end of the text follows.
    Stop,
    /// Ends a sentence.
    Newline,
}

const ASCII: [Kind; 128] = {
    let mut table = [Kind::Comma; 128];
    let mut i = 0;
    while i < 128 {
        #[allow(clippy::indexing_slicing, reason = "evaluated at compile time; the index is below 128")]
        {
            let c = i as u8;
            table[i] = match c {
                b'a'..=b'z' => Kind::Letter(c),
                b'A'..=b'Z' => Kind::Letter(c + 32),
                b'0'..=b'9' => Kind::Digit(c),
                b'@' => Kind::Sign(b'a'),
                b'$' => Kind::Sign(b's'),
                b'\'' | b'`' => Kind::Drop,
                b'\n' | b'\r' => Kind::Newline,
                b'.' | b'!' | b'?' => Kind::Stop,
                b' ' | b'\t' | b'-' | b'_' | b'*' | b'/' => Kind::Space,
                _ => Kind::Comma,
            };
        }
        i += 1;
    }
    table
};

/// Base letters of U+00C0 to U+017F, one each; a space where the character is none.
const LATIN: &[u8; 192] = b"\
aaaaaaaceeeeiiii\
dnooooo ouuuuyts\
aaaaaaaceeeeiiii\
dnooooo ouuuuyty\
aaaaaaccccccccdd\
ddeeeeeeeeeegggg\
gggghhhhiiiiiiii\
iiiijjkkklllllll\
lllnnnnnnnnnoooo\
oooorrrrrrssssss\
ssttttttuuuuuuuu\
uuuuwwyyyzzzzzzs";

#[inline]
fn kind(c: char) -> Kind {
    if let Some(kind) = ASCII.get(c as usize) {
        return *kind;
    }
    kind_beyond_ascii(c)
}

fn kind_beyond_ascii(c: char) -> Kind {
    match c {
        '\u{c0}'..='\u{17f}' => match LATIN.get(c as usize - 0xc0) {
            Some(b' ') | None => Kind::Comma,
            Some(letter) => Kind::Letter(*letter),
        },
        // Kelvin and ångström signs, fullwidth letters: other codes for the same letters.
        '\u{212a}' => Kind::Letter(b'k'),
        '\u{212b}' => Kind::Letter(b'a'),
        '\u{ff21}'..='\u{ff3a}' => Kind::Letter(b'a' + (c as u32 - 0xff21) as u8),
        '\u{ff41}'..='\u{ff5a}' => Kind::Letter(b'a' + (c as u32 - 0xff41) as u8),
        '\u{300}'..='\u{36f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2060}'
        | '\u{feff}'
        | '\u{ad}'
        | '\u{2018}'
        | '\u{2019}'
        | '\u{2bc}'
        | '\u{b4}'
        | '\u{fe00}'..='\u{fe0f}' => Kind::Drop,
        '\u{2026}' => Kind::Stop,
        '\u{85}' | '\u{2028}' | '\u{2029}' => Kind::Newline,
        c if c.is_whitespace() => Kind::Space,
        _ => Kind::Comma,
    }
}

/// Digits that stand for letters inside a word: "su1c1de".
const fn letter_of_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0' => Some(b'o'),
        b'1' => Some(b'i'),
        b'3' => Some(b'e'),
        b'4' => Some(b'a'),
        b'5' => Some(b's'),
        b'7' => Some(b't'),
        _ => None,
    }
}

/// The word that is being read.
struct Open {
    index: u32,
    is_number: bool,
    digits: usize,
    /// Length of `letters` before it.
    mark: usize,
    /// The letter before, if the word's first letter fell together with it; restored should the word be a filler.
    shared: Option<Letter>,
    last: u8,
    hash: u16,
}

struct Folder<'a> {
    out: Folded,
    fillers: &'a Fillers,
    open: Option<Open>,
    sentence: usize,
    clause: usize,
}

/// Folds `text`. Linear in its length.
pub(crate) fn fold(text: &str, fillers: &Fillers) -> Folded {
    let mut folder = Folder {
        out: Folded {
            letters: Vec::with_capacity(text.len()),
            at: Vec::with_capacity(text.len()),
            words: Vec::with_capacity(text.len() / 4 + 1),
        },
        fillers,
        open: None,
        sentence: 0,
        clause: 0,
    };
    let mut stop = false;
    for (offset, c) in text.char_indices() {
        let kind = kind(c);
        match kind {
            Kind::Letter(letter) => folder.letter(letter, offset),
            Kind::Digit(digit) => folder.digit(digit, offset),
            Kind::Sign(letter) if folder.in_word() => folder.letter(letter, offset),
            Kind::Drop => continue,
            Kind::Space | Kind::Sign(_) => {
                folder.close(offset);
                folder.sentence += usize::from(stop && c.is_whitespace());
            }
            Kind::Comma | Kind::Stop => {
                folder.close(offset);
                folder.clause += 1;
            }
            Kind::Newline => {
                folder.close(offset);
                folder.clause += 1;
                folder.sentence += 1;
            }
        }
        // "Stop!) now": closing marks may stand between the stop and the space.
        stop = matches!(kind, Kind::Stop) || (stop && matches!(kind, Kind::Comma));
    }
    folder.close(text.len());
    folder.out
}

impl Folder<'_> {
    #[inline]
    fn in_word(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.is_number)
    }

    #[inline]
    fn letter(&mut self, letter: u8, offset: usize) {
        if !self.in_word() {
            self.close(offset);
            self.begin(false, letter, offset);
        } else {
            self.push(letter);
        }
    }

    fn digit(&mut self, digit: u8, offset: usize) {
        if let Some(open) = &mut self.open {
            if open.is_number {
                open.digits += 1;
                // All numbers of two digits or more are one letter to the phrases.
                if let Some(last) = self.out.letters.last_mut() {
                    *last = b'#';
                }
                return;
            }
            if let Some(letter) = letter_of_digit(digit) {
                return self.push(letter);
            }
        }
        self.close(offset);
        self.begin(true, digit, offset);
    }

    fn begin(&mut self, is_number: bool, letter: u8, offset: usize) {
        let index = self.out.words.len() as u32;
        self.out.words.push(Word { start: offset, end: offset, sentence: self.sentence, clause: self.clause });
        let mark = self.out.letters.len();
        let mut shared = None;
        let twin = !is_number && self.out.letters.last() == Some(&letter);
        match self.out.at.last_mut() {
            // Words that meet in the same letter share it, so that "kill me" with and without spaces agree. Not across
            // sentences: what is found in one must not depend on the next.
            Some(before) if twin && self.out.words.get(before.word()).is_some_and(|word| word.sentence == self.sentence) => {
                shared = Some(*before);
                before.opens = index;
            }
            _ => {
                self.out.letters.push(letter);
                self.out.at.push(Letter { word: index, opens: index, closes: false });
            }
        }
        self.open = Some(Open { index, is_number, digits: 1, mark, shared, last: letter, hash: mix(0, letter) });
    }

    #[inline]
    fn push(&mut self, letter: u8) {
        if let Some(open) = &mut self.open
            && open.last != letter
        {
            open.last = letter;
            open.hash = mix(open.hash, letter);
            self.out.letters.push(letter);
            self.out.at.push(Letter { word: open.index, opens: NONE, closes: false });
        }
    }

    /// Ends the open word at `offset`; a filler's letters are taken back.
    fn close(&mut self, offset: usize) {
        let Some(open) = self.open.take() else { return };
        if let Some(word) = self.out.words.get_mut(open.index as usize) {
            word.end = offset;
        }
        let begin = open.mark - usize::from(open.shared.is_some());
        if !open.is_number && self.out.letters.get(begin..).is_some_and(|word| self.fillers.contains(word, open.hash)) {
            self.out.letters.truncate(open.mark);
            self.out.at.truncate(open.mark);
            if let (Some(before), Some(last)) = (open.shared, self.out.at.last_mut()) {
                *last = before;
            }
        } else if let Some(last) = self.out.at.last_mut() {
            last.closes = true;
        }
    }
}

/// Folds a single word for a look into a dictionary.
pub(crate) fn fold_word(word: &str) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(word.len());
    for c in word.chars() {
        let letter = match kind(c) {
            Kind::Letter(letter) | Kind::Sign(letter) => letter,
            Kind::Digit(digit) => letter_of_digit(digit).unwrap_or(digit),
            _ => continue,
        };
        if out.last() != Some(&letter) {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(text: &str) -> String {
        let mut fillers = Fillers::default();
        fillers.insert(b"bara".to_vec());
        fillers.insert(b"lot".to_vec());
        String::from_utf8(fold(text, &fillers).letters).unwrap()
    }

    #[test]
    fn spelling_spaces_and_fillers_fall_away() {
        for text in
            ["vill dö", "VILL DÖ", "vill do", "viiill   dööööö", "vill, dö", "v i l l d ö", "vilL do\u{308}", "vill bara dö", "villdö"]
        {
            assert_eq!(letters(text), "vildo", "{text}");
        }
        assert_eq!(letters("p@in k1ll su1c1de"), "painkilsuicide");
        assert_eq!(letters("tog 30 tabletter, 2 x 100mg"), "tog#tabletter2x#mg".replace("tt", "t"));
    }

    #[test]
    fn a_filler_that_shares_a_letter_gives_it_back() {
        assert_eq!(letters("all lot of"), "alof");
        let folded = fold("all lot of", &Fillers::default());
        assert_eq!(folded.letters, b"alotof");
        assert_eq!(folded.at[1].opens(), Some(1));
    }

    #[test]
    fn sentences_share_no_letters() {
        let folded = fold("dö. Ö", &Fillers::default());
        assert_eq!(folded.letters, b"doo");
        assert_eq!((folded.words[0].sentence, folded.words[1].sentence), (0, 1));
    }

    #[test]
    fn the_latin_table_is_aligned() {
        for (c, letter) in [
            ('À', b'a'),
            ('Å', b'a'),
            ('Ä', b'a'),
            ('Æ', b'a'),
            ('Ö', b'o'),
            ('Ø', b'o'),
            ('å', b'a'),
            ('ä', b'a'),
            ('æ', b'a'),
            ('ö', b'o'),
            ('ø', b'o'),
            ('ÿ', b'y'),
            ('ß', b's'),
            ('ő', b'o'),
            ('œ', b'o'),
            ('ş', b's'),
            ('Ž', b'z'),
            ('ſ', b's'),
            ('ı', b'i'),
            ('ł', b'l'),
            ('ń', b'n'),
            ('ŧ', b't'),
            ('ŵ', b'w'),
        ] {
            assert!(matches!(kind(c), Kind::Letter(l) if l == letter), "{c}");
        }
        assert!(matches!(kind('×'), Kind::Comma) && matches!(kind('÷'), Kind::Comma));
    }
}
