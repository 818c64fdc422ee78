//! What mails about a staff member's way in say. An invitation names the organisation, or nobody would trust it, and no person, clinic or
//! speciality; a code is a code. Neither stands in a subject, which a locked screen shows.

use kernel::Language;

use super::texts::Text;

/// The mail with an invitation's link.
pub fn invitation(language: Language, organisation: &str, link: &str) -> Text {
    let (subject, hello, body, once, strange) = match language {
        Language::Swedish => (
            "En inbjudan till dig",
            "Hej!",
            format!("{organisation} bjuder in dig att arbeta i Samtal. Öppna länken för att tacka ja:"),
            "Länken fungerar en gång, i sju dagar. Skicka den inte vidare: den som öppnar den kommer in som du.",
            "Har du inte väntat dig det här mejlet kan du bortse från det. Det går inte att svara på.",
        ),
        Language::Bokmal => (
            "En invitasjon til deg",
            "Hei!",
            format!("{organisation} inviterer deg til å arbeide i Samtal. Åpne lenken for å takke ja:"),
            "Lenken virker én gang, i sju dager. Ikke send den videre: den som åpner den, kommer inn som deg.",
            "Ventet du ikke denne e-posten, kan du se bort fra den. Den kan ikke besvares.",
        ),
        Language::Nynorsk => (
            "Ein invitasjon til deg",
            "Hei!",
            format!("{organisation} inviterer deg til å arbeide i Samtal. Opne lenkja for å takke ja:"),
            "Lenkja verkar éin gong, i sju dagar. Ikkje send ho vidare: den som opnar ho, kjem inn som deg.",
            "Venta du ikkje denne e-posten, kan du sjå bort frå han. Du kan ikkje svare på han.",
        ),
        Language::English => (
            "An invitation for you",
            "Hello,",
            format!("{organisation} invites you to work in Samtal. Open the link to accept:"),
            "The link works once, for seven days. Do not pass it on: whoever opens it comes in as you.",
            "If you did not expect this e-mail, please ignore it. It cannot be replied to.",
        ),
    };
    Text { subject, body: format!("{hello}\n\n{body}\n{link}\n\n{once}\n\n{strange}\n") }
}

/// The mail with a code. It stands on a line of its own, in two halves that are easy to carry over.
pub fn code(language: Language, code: &str) -> Text {
    let (subject, hello, here, once, strange) = match language {
        Language::Swedish => (
            "Din kod för att logga in",
            "Hej!",
            "Det här är koden som du bad om:",
            "Skriv in den på sidan där du bad om den. Den gäller i tio minuter och bara i den webbläsaren. Ge den inte till någon: ingen \
             från oss frågar efter den.",
            "Har du inte bett om en kod kan du bortse från mejlet. Ingen kommer in utan koden.",
        ),
        Language::Bokmal => (
            "Koden din for å logge inn",
            "Hei!",
            "Dette er koden du ba om:",
            "Skriv den inn på siden der du ba om den. Den gjelder i ti minutter, og bare i den nettleseren. Ikke gi den til noen: ingen \
             fra oss spør etter den.",
            "Har du ikke bedt om en kode, kan du se bort fra e-posten. Ingen kommer inn uten koden.",
        ),
        Language::Nynorsk => (
            "Koden din for å logge inn",
            "Hei!",
            "Dette er koden du bad om:",
            "Skriv han inn på sida der du bad om han. Han gjeld i ti minutt, og berre i den nettlesaren. Ikkje gi han til nokon: ingen \
             frå oss spør etter han.",
            "Har du ikkje bede om ein kode, kan du sjå bort frå e-posten. Ingen kjem inn utan koden.",
        ),
        Language::English => (
            "Your code to sign in",
            "Hello,",
            "This is the code that you asked for:",
            "Type it on the page where you asked for it. It holds for ten minutes, and in that browser only. Give it to nobody: none of \
             us asks for it.",
            "If you did not ask for a code, please ignore this e-mail. Nobody comes in without the code.",
        ),
    };
    let (one, two) = code.split_at_checked(code.len() / 2).unwrap_or((code, ""));
    Text { subject, body: format!("{hello}\n\n{here}\n\n{one} {two}\n\n{once}\n\n{strange}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_and_code_stand_on_a_line_of_their_own_and_in_no_subject() {
        for language in Language::ALL {
            let link = "https://chat.example/invitation/abc";
            let mail = invitation(*language, "Alfa", link);
            assert!(mail.body.lines().any(|line| line == link) && mail.body.contains("Alfa"), "{}", mail.body);
            assert!(!mail.subject.contains("Alfa") && !mail.subject.contains("abc"));
            let mail = code(*language, "123456");
            assert!(mail.body.lines().any(|line| line == "123 456") && !mail.subject.contains("123"), "{}", mail.body);
            assert!(!mail.body.contains("  "), "{}", mail.body);
        }
    }

    #[test]
    fn each_language_has_its_own_texts() {
        let subjects: std::collections::BTreeSet<_> =
            Language::ALL.iter().flat_map(|language| [invitation(*language, "", "").body, code(*language, "").body]).collect();
        assert_eq!(subjects.len(), 2 * Language::ALL.len());
    }
}
