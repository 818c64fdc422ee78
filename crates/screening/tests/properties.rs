//! What holds for any text at all.

use proptest::prelude::*;
use samtal_screening::{Category, screen};

/// Texts that come near the phrases: words of the lists, noise and punctuation in any order.
fn near() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => proptest::sample::select(vec![
            "jag", "vill", "inte", "leva", "dö", "Dö", "ta", "livet", "av", "mig", "ikke", "jeg", "vil", "dø", "eg", "ikkje", "døy", "I", "want", "to",
            "die", "not", "no", "kill", "myself", "kys", "chest", "pain", "självmord", "självmordstankar", "inga", "men", "but", "bara", "just", "tog",
            "30", "tabletter", "ont", "i", "bröstet", "slår", "han", "det", "dying", "see", "d", "ö", "och", "mitt", "barn",
        ]).prop_map(str::to_owned),
        1 => "[a-zåäöæø]{1,4}",
        1 => "\\PC{0,3}",
    ];
    let gap = proptest::sample::select(vec![" ", " ", " ", " ", "  ", ", ", ". ", "! ", "\n", "-", "", ".", "… ", "\u{301}", "'"]);
    proptest::collection::vec((word, gap), 0..14).prop_map(|parts| parts.into_iter().map(|(word, gap)| word + gap).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_text_gives_findings_on_char_boundaries(text in prop_oneof![near(), any::<String>()]) {
        for finding in screen(&text) {
            prop_assert!(finding.start < finding.end);
            prop_assert!(text.get(finding.start..finding.end).is_some());
            prop_assert!(finding.severity >= finding.category.severity());
        }
    }

    #[test]
    fn findings_of_one_category_do_not_overlap(text in near()) {
        let findings = screen(&text);
        for category in Category::ALL {
            let mut end = 0;
            for finding in findings.iter().filter(|finding| finding.category == *category) {
                prop_assert!(finding.start >= end);
                end = finding.end;
            }
        }
    }

    #[test]
    fn text_after_the_end_of_a_sentence_removes_nothing(before in near(), after in near()) {
        let later = screen(&format!("{before}. {after}"));
        for finding in screen(&before) {
            prop_assert!(later.contains(&finding), "{finding:?} is lost: {later:?}");
        }
    }

    #[test]
    fn case_does_not_matter(text in near()) {
        // Where a character has no single other case (ß), offsets move; what is found does not.
        let found = |text: &str| screen(text).into_iter().map(|f| (f.category, f.language, f.person)).collect::<Vec<_>>();
        let nordic: String = text.chars().filter(|c| c.is_ascii() || "åäöæøÅÄÖÆØ".contains(*c)).collect();
        prop_assert_eq!(found(&nordic), found(&nordic.to_uppercase()));
        prop_assert_eq!(found(&nordic), found(&nordic.to_lowercase()));
    }
}
