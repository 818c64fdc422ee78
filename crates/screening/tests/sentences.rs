//! Sentences that must raise an alarm, and sentences that must not, in each language.

use kernel::{Language, Severity};
use samtal_screening::{Category, Category::*, Finding, Person, Person::*, screen};

fn check_found(language: Language, cases: &[(&str, Category, Person)]) {
    let mut failures = Vec::new();
    for (text, category, person) in cases {
        let findings = screen(text);
        match findings.iter().find(|finding| finding.category == *category) {
            None => failures.push(format!("MISSED {category}: {text} (found {findings:?})")),
            Some(finding) => {
                if finding.person != *person {
                    failures.push(format!("PERSON {:?} not {person:?}: {text} [{}]", finding.person, &text[finding.start..finding.end]));
                }
                if finding.language != language {
                    failures.push(format!("LANGUAGE {} not {language}: {text}", finding.language));
                }
                assert!(finding.severity >= category.severity());
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(cases.len() >= 15);
}

fn check_silent(cases: &[&str]) {
    let failures: Vec<String> = cases
        .iter()
        .flat_map(|text| screen(text).into_iter().map(move |f| format!("RAISED {} by \"{}\": {text}", f.category, &text[f.start..f.end])))
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(cases.len() >= 8);
}

#[test]
fn swedish_red_flags_are_found() {
    check_found(
        Language::Swedish,
        &[
            ("jag vill inte leva", Suicide, First),
            ("Jag vill bara dö", Suicide, First),
            ("JAG ORKAR INTE LEVA LÄNGRE!!!", Suicide, First),
            ("jag har tänkt på att ta livet av mig", Suicide, First),
            ("jag tankar pa att ta livet av mej hela tiden", Suicide, First),
            ("har självmords tankar varje dag, jag vet inte vad jag ska göra", Suicide, Unknown),
            ("min son vill dö", Suicide, Third),
            ("Jag är orolig för min syster, hon säger att hon ska ta livet av sig", Suicide, Third),
            ("jag kan inte sluta tänka på att ta livet av mig", Suicide, First),
            ("jag har inte tagit livet av mig än men jag orkar inte", Suicide, First),
            ("alla skulle ha det bättre utan mig", Suicide, First),
            ("jag skär mig i armarna när det blir för mycket", SelfHarm, First),
            ("min dotter skadar sig själv", SelfHarm, Third),
            ("Jag har ont i bröstet och det strålar ut i armen", DangerToLife, First),
            ("min man har bröstsmärtor och är alldeles kallsvettig", DangerToLife, Third),
            ("mamma sluddrar och ena mungipan hänger", DangerToLife, Third),
            ("jag kan inte andas ordentligt", DangerToLife, First),
            ("bebisen andas inte", DangerToLife, Third),
            ("jag har tagit 30 alvedon", Overdose, First),
            ("hon har tagit för många tabletter", Overdose, Third),
            ("min sambo slår mig när han har druckit", Violence, First),
            ("han säger att han ska döda mig", Violence, First),
            ("jag är livrädd för min man och vågar inget", Violence, First),
            ("pappa slår mig när jag kommer hem sent", ChildAtRisk, First),
            ("grannen slår sina barn", ChildAtRisk, Third),
        ],
    );
}

#[test]
fn swedish_denials_and_everyday_words_are_not() {
    check_silent(&[
        "jag har inga självmordstankar",
        "jag har inte tänkt på att ta livet av mig",
        "Nej, jag har aldrig haft självmordstankar.",
        "Jag har inte ont i bröstet, bara hosta.",
        "Inga tankar på att skada mig själv.",
        "han har ingen bröstsmärta och mår bra",
        "Jag skadar mig själv inte.",
        "jag skrattade så jag höll på att dö av skratt",
        "Det slog mig att jag glömde boka tid",
        "Jag vill förnya mitt recept på alvedon, har tagit 2 tabletter per dag",
        "Hej, min son behöver vaccineras innan vi reser till Döda havet",
        "jag har ont i halsen och feber sedan tre dagar",
        "Var kan jag hitta glasögonrecept? Min gamla läkare slutade.",
    ]);
}

#[test]
fn bokmal_red_flags_are_found() {
    check_found(
        Language::Bokmal,
        &[
            ("jeg vil ikke leve", Suicide, First),
            ("Jeg vil bare dø", Suicide, First),
            ("jeg har lyst til å dø", Suicide, First),
            ("jeg tenker på å ta livet av meg", Suicide, First),
            ("jeg vil doe, orker ikke mer", Suicide, First),
            ("jeg har selv mords tanker", Suicide, First),
            ("sønnen min vil ta livet av seg", Suicide, Third),
            ("jeg klarer ikke slutte å tenke på selvmord", Suicide, First),
            ("jeg vet ikke hvorfor jeg ikke tar livet av meg", Suicide, First),
            ("alle hadde hatt det bedre uten meg", Suicide, First),
            ("jeg kutter meg hver kveld", SelfHarm, First),
            ("datteren min skader seg selv", SelfHarm, Third),
            ("jeg har vondt i brystet og er kvalm", DangerToLife, First),
            ("mannen min snøvler og munnviken henger", DangerToLife, Third),
            ("jeg får ikke puste", DangerToLife, First),
            ("hun er bevisstløs og vi får ikke kontakt", DangerToLife, Third),
            ("jeg har tatt for mange piller", Overdose, First),
            ("hun har svelget 40 paracet nå", Overdose, Third),
            ("kjæresten min slår meg", Violence, First),
            ("jeg er redd for mannen min, han truer meg", Violence, First),
            ("han kommer til å drepe meg", Violence, First),
            ("faren min slår meg hjemme", ChildAtRisk, First),
            ("naboen mishandler barna", ChildAtRisk, Third),
        ],
    );
}

#[test]
fn bokmal_denials_and_everyday_words_are_not() {
    check_silent(&[
        "jeg har ingen selvmordstanker",
        "jeg har ikke tenkt på å ta livet av meg",
        "Nei, jeg har aldri hatt selvmordstanker.",
        "Jeg har ikke vondt i brystet, bare hoste.",
        "ingen tanker om å skade meg selv",
        "Hun har ingen brystsmerter.",
        "Jeg holdt på å dø av latter",
        "Det slo meg at jeg glemte timen",
        "Jeg trenger ny resept på paracet, tar 2 tabletter om dagen",
        "Datteren min har vondt i halsen og feber",
        "Kan jeg få time hos fastlegen på mandag?",
    ]);
}

#[test]
fn nynorsk_red_flags_are_found() {
    check_found(
        Language::Nynorsk,
        &[
            ("eg vil ikkje leve", Suicide, First),
            ("Eg vil berre døy", Suicide, First),
            ("eg orkar ikkje leve lenger", Suicide, First),
            ("eg tenkjer på å ta livet av meg", Suicide, First),
            ("eg vil doey", Suicide, First),
            ("eg har sjølv mords tankar", Suicide, First),
            ("eg har no sjølvmordstankar", Suicide, First),
            ("sonen min vil ta livet av seg, eg veit ikkje kva eg skal gjere", Suicide, Third),
            ("eg greier ikkje slutte å tenkje på sjølvmord", Suicide, First),
            ("alle hadde hatt det betre utan meg", Suicide, First),
            ("eg kuttar meg kvar kveld", SelfHarm, First),
            ("dottera mi skadar seg sjølv", SelfHarm, Third),
            ("eg har vondt i brystet og er veldig kvalm, kva gjer eg", DangerToLife, First),
            ("mannen min snøvlar og munnviken heng", DangerToLife, Third),
            ("eg får ikkje puste", DangerToLife, First),
            ("ho er medvitslaus", DangerToLife, Third),
            ("eg har teke for mange tablettar", Overdose, First),
            ("ho har teke 40 paracet no, kva gjer eg", Overdose, Third),
            ("kjærasten min slår meg, eg veit ikkje kva eg skal gjere", Violence, First),
            ("han kjem til å drepe meg", Violence, First),
            ("eg er redd for sambuaren min", Violence, First),
            ("mora mi slår meg, eg torer ikkje gå heim", ChildAtRisk, First),
            ("naboen slår borna", ChildAtRisk, Third),
        ],
    );
}

#[test]
fn nynorsk_denials_and_everyday_words_are_not() {
    check_silent(&[
        "eg har ingen sjølvmordstankar",
        "eg har ikkje tenkt på å ta livet av meg",
        "Nei, eg har aldri hatt sjølvmordstankar.",
        "Eg har ikkje vondt i brystet, berre hoste.",
        "inga tankar om å skade meg sjølv",
        "Ho har ingen brystsmerter.",
        "Eg held på å døy av latter",
        "Det slo meg at eg gløymde timen",
        "Eg treng ny resept på paracet, tek 2 tablettar om dagen",
        "Dottera mi har vondt i halsen og feber",
        "Kan eg få time hos fastlegen på måndag?",
    ]);
}

#[test]
fn english_red_flags_are_found() {
    check_found(
        Language::English,
        &[
            ("I don't want to live anymore", Suicide, First),
            ("I just want to die", Suicide, First),
            ("i wanna diiiie", Suicide, First),
            ("I'm going to k1ll my self tonight", Suicide, First),
            ("thinking about suiside", Suicide, Unknown),
            ("my son wants to die", Suicide, Third),
            ("My sister said she wants to kill herself", Suicide, Third),
            ("I can't stop thinking about killing myself", Suicide, First),
            ("I'm not sure I won't kill myself", Suicide, First),
            ("I haven't been suicidal before", Suicide, First),
            ("I am not suicidal but I keep a plan", Suicide, First),
            ("everyone would be better off without me", Suicide, First),
            ("I cut myself last night", SelfHarm, First),
            ("my daughter is self-harming", SelfHarm, Third),
            ("I have chest pain and my arm is numb", DangerToLife, First),
            ("My husband's face is drooping and his speech is slurred", DangerToLife, Third),
            ("I can’t breathe", DangerToLife, First),
            ("he is unconscious and not breathing", DangerToLife, Third),
            ("I took too many pills", Overdose, First),
            ("she swallowed 50 tablets", Overdose, Third),
            ("my husband hits me", Violence, First),
            ("he is going to kill me", Violence, First),
            ("my boyfriend strangled me yesterday", Violence, First),
            ("my dad hits me", ChildAtRisk, First),
            ("I think the neighbour is hitting her child", ChildAtRisk, Third),
        ],
    );
}

#[test]
fn english_denials_and_everyday_words_are_not() {
    check_silent(&[
        "I have no suicidal thoughts",
        "I'm not suicidal",
        "No, I have never thought about killing myself.",
        "I am not going to kill myself",
        "No chest pain, no trouble breathing.",
        "She has not had any thoughts of hurting herself",
        "I'm dying to meet the new doctor",
        "It beats me why the form is closed",
        "I took 2 pills this morning as prescribed",
        "Can I book a vaccination for my kids on Monday?",
        "my phone died and I missed the call",
        "I want to diet and exercise more",
    ]);
}

#[test]
fn people_switch_languages_and_all_are_looked_for() {
    let text = "Hej! Sorry for my English. I want to die. Jag har tagit för många tabletter.";
    let found: Vec<(Category, Language)> = screen(text).iter().map(|f| (f.category, f.language)).collect();
    assert_eq!(found, [(Suicide, Language::English), (Overdose, Language::Swedish)]);
}

#[test]
fn odd_spellings_are_found() {
    for text in [
        "j a g   v i l l   d ö",
        "jag.vill.dö",
        "jag vill... dö",
        "Jag vill do\u{308}",
        "jag\nvill\ninte\nleva",
        "jag vi\u{200b}ll dö",
        "JAAAAG VIIIILL DÖÖÖÖ",
        "jagvillinteleva",
        "iwanttokillmyselftonight",
        "I w4nt t0 d1e",
        "kill-my-self",
        "ＫＩＬＬ ｍｙｓｅｌｆ",
        "jeg vil d\u{f8}e ikke mer, jeg vil dø",
    ] {
        assert!(screen(text).iter().any(|finding| finding.category == Suicide), "{text:?}");
    }
}

#[test]
fn a_denial_reaches_no_further_than_its_clause() {
    for text in [
        "Jag har inte ätit. Jag ska ta livet av mig",
        "inget hjälper, ska ta livet av mig",
        "No. Killing myself is all I think of",
        "I have no friends and think about killing myself",
        "no, killing myself",
        "why should I not kill myself",
        "I can't promise not to kill myself",
        "I don't want these suicidal thoughts",
        "jag vill inte ha självmordstankar",
    ] {
        assert!(screen(text).iter().any(|finding| finding.category == Suicide), "{text:?}");
    }
}

#[test]
fn offsets_point_at_the_phrase() {
    let text = "Hjälp! Jag vill verkligen dö, nu.";
    let Finding { start, end, .. } = screen(text)[0];
    assert_eq!(&text[start..end], "vill verkligen dö");
}

#[test]
fn a_phrase_may_be_graver_than_its_category() {
    assert_eq!(screen("he has a knife")[0].severity, Severity::Emergency);
    assert_eq!(screen("my husband hits me")[0].severity, Severity::Urgent);
}
