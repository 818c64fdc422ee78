//! Codes by e-mail and the addresses they go to.

use std::time::Duration;

/// How long a code holds.
pub const LIFE: Duration = Duration::from_secs(600);
/// Wrong tries that a code takes.
pub const TRIES: i64 = 5;
/// Codes that may be asked for one address in an hour and in a day. Somebody who asks for another's codes without rest has so many times
/// [`TRIES`] guesses at a million.
pub const PER_HOUR: i64 = 5;
pub const PER_DAY: i64 = 15;

/// The six digits that follow from these bits.
pub fn digits(bits: &[u8; 32]) -> String {
    let number = bits.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{:06}", number % 1_000_000)
}

/// A code as people type it or copy it from a mail: spaces and hyphens make no difference.
pub fn typed(code: &str) -> String {
    code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect()
}

/// An address as it is compared: mail servers tell capitals apart nowhere that matters.
pub fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}

/// `k…@example.org`: enough for its owner, and little for whoever looks over their shoulder.
pub fn masked(email: &str) -> String {
    match email.split_once('@') {
        Some((name, host)) => format!("{}…@{host}", name.chars().next().unwrap_or_default()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_six_digits_whatever_the_bits_and_is_read_as_it_is_typed() {
        for bits in [[0_u8; 32], [255; 32], [7; 32]] {
            let code = digits(&bits);
            assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
            let (one, two) = code.split_at(3);
            for shape in [format!("{one} {two}"), format!(" {one}-{two}\n"), format!("{one}\u{a0}{two}")] {
                assert_eq!(typed(&shape), code);
            }
        }
        assert_eq!(digits(&[0; 32]), "000000");
    }

    #[test]
    fn every_code_is_as_likely_as_any_other_to_a_millionth_of_a_millionth() {
        // 2^64 is no multiple of a million; what is left over must not matter.
        assert!(u128::from(u64::MAX) / 1_000_000 > 1_000_000_000_000);
    }

    #[test]
    fn an_address_is_one_however_it_is_written_and_is_not_shown_whole() {
        assert_eq!(folded("  Kim@Example.ORG "), "kim@example.org");
        assert_eq!(masked("kim@example.org"), "k…@example.org");
        assert_eq!(masked("åsa@example.org"), "å…@example.org");
        assert_eq!(masked("nonsense"), "");
    }
}
