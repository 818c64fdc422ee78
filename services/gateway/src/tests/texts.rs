//! Texts: the same in all languages, and nowhere but in `locales/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kernel::Language;

use crate::i18n::{Files, Texts};

/// Keys of a language with what they fill in.
fn keys(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys = BTreeMap::new();
    for path in Files::iter().filter(|path| path.starts_with(&format!("{language}/"))) {
        let text = String::from_utf8(Files::get(&path).unwrap().data.to_vec()).unwrap();
        for line in text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())) {
            let (key, value) = line.split_once('=').unwrap();
            let filled = value.split('$').skip(1).map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric()).collect());
            keys.insert(key.trim().to_owned(), filled.collect());
        }
    }
    keys
}

#[test]
fn all_languages_have_the_same_texts() {
    let swedish = keys(Language::Swedish);
    assert!(swedish.len() > 50);
    for language in Language::ALL {
        assert_eq!(keys(*language), swedish, "{language}");
    }
    assert_eq!(Texts::load().unwrap().say(Language::English, "offer-until").with("time", "09:41").to_string(), "Answer before 09:41");
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|one| one == ending) {
            found.push(path);
        }
    }
}

fn all(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), ending, &mut found);
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_text_that_is_asked_for_exists() {
    let known = keys(Language::Swedish);
    for (path, text) in all("templates", "html").into_iter().chain(all("src", "rs")) {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for key in code.join("\n").split("say(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(known.contains_key(key), "{}: {key}", path.display());
        }
    }
}

#[test]
fn every_problem_and_profession_has_its_words() {
    let known = keys(Language::Swedish);
    let problems = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/problem.rs")).unwrap();
    let named: Vec<&str> = problems.split("Self::new(StatusCode::").skip(1).map(|rest| rest.split('"').nth(1).unwrap()).collect();
    assert!(named.len() > 10, "{named:?}");
    for key in named {
        assert!(known.contains_key(&format!("problem-{key}-title")) && known.contains_key(&format!("problem-{key}-text")), "{key}");
    }
    for profession in kernel::Profession::ALL {
        assert!(known.contains_key(&format!("profession-{profession}")), "{profession}");
    }
}

/// Keys that are put together from a code.
#[test]
fn every_code_of_a_case_has_its_words() {
    use proto::intake::{CaseState, Channel, Outcome, Severity, SystemCode, TransferState};

    use crate::pages::{leader, staff};
    let known = keys(Language::Swedish);
    let mut wanted: Vec<String> = staff::said::SAID.iter().map(|(code, _)| format!("said-{code}")).collect();
    wanted.extend(leader::explain::DECISIONS.map(|code| format!("decision-{code}")));
    wanted.extend(leader::explain::WHYS.map(|code| format!("why-{code}")));
    wanted.extend(leader::explain::VERDICTS.map(|code| format!("verdict-{code}")));
    for number in 0..16 {
        let names = [
            Severity::try_from(number).ok().map(|one| one.as_str_name()),
            Outcome::try_from(number).ok().map(|one| one.as_str_name()),
            SystemCode::try_from(number).ok().filter(|one| *one != SystemCode::TransferEnded).map(|one| one.as_str_name()),
        ];
        wanted.extend(names.into_iter().flatten().map(|name| name.replace("_CODE_", "-")));
        // Visitors have words of their own for these.
        let staffs = [
            Channel::try_from(number).ok().map(|one| one.as_str_name()),
            CaseState::try_from(number).ok().map(|one| one.as_str_name().trim_start_matches("CASE_")),
        ];
        wanted.extend(staffs.into_iter().flatten().map(|name| format!("staff-{name}")));
    }
    // A proposal is told as it ends; both sides are.
    for ended in (2..16).filter_map(|number| TransferState::try_from(number).ok()) {
        let state = ended.as_str_name().trim_start_matches("TRANSFER_STATE_");
        wanted.extend(["system-transfer-ended", "line-transfer"].map(|key| format!("{key}-{state}")));
    }
    wanted.extend(Language::ALL.iter().map(|language| format!("language-{language}")));
    assert!(wanted.len() > 60, "{wanted:?}");
    for key in wanted {
        let key = key.to_ascii_lowercase().replace('_', "-");
        assert!(known.contains_key(&key), "{key}");
    }
}

/// What remains of a template without its tags.
fn without(text: &str, from: &str, to: &str) -> String {
    let mut parts = text.split(from);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once(to).map_or("", |(_, rest)| rest))
}

#[test]
fn no_template_has_a_text_of_its_own() {
    for (path, text) in all("templates", "html") {
        // An address and the name of a style, not texts.
        let text = without(&without(&text, "{% block home %}", "{% endblock %}"), "{% block audience %}", "{% endblock %}");
        let bare = without(&without(&without(&text, "{#", "#}"), "{%", "%}"), "{{", "}}");
        for attribute in ["aria-label=\"", "title=\"", "placeholder=\"", "alt=\""] {
            for value in bare.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(!value.contains(char::is_alphabetic), "{}: {attribute}{value}", path.display());
            }
        }
        let words = without(&bare, "<", ">");
        assert!(!words.contains(char::is_alphabetic), "{}: {:?}", path.display(), words.split_whitespace().collect::<Vec<_>>());
    }
}
