//! Between the forms and the region's description: fields of a form from a described thing, and back. Pure.

use kernel::{Language, Profession};
use region::{CannedReply, ReferralKind, ReferralTarget, Role, Texts, Worker};

use super::change::Kind;
use super::fields::Fields;
use crate::pages::visitor::folded;

/// Points that a worker has unless somebody says otherwise.
const CAPACITY: u32 = 100;

pub fn empty(kind: Kind, clinics: &[String]) -> Fields {
    let first = clinics.first().cloned().unwrap_or_default();
    Fields::of(match kind {
        Kind::Replies => vec![("clinic", first)],
        Kind::Referrals => vec![("kind", "external".to_owned())],
        Kind::People => vec![("clinics", first), ("capacity", CAPACITY.to_string()), ("role", "worker".to_owned())],
    })
}

fn texts(name: &str, texts: &Texts) -> Vec<(String, String)> {
    texts.iter().map(|(language, text)| (format!("{name}-{language}"), text.clone())).collect()
}

pub fn fields_of(kind: Kind, body: &str) -> Fields {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let pairs = match kind {
        Kind::Replies => serde_json::from_str::<CannedReply>(body).ok().map(|reply| {
            let clinic = pair("clinic", &reply.clinic.unwrap_or_default());
            [vec![clinic], texts("title", &reply.title), texts("text", &reply.text)].concat()
        }),
        Kind::Referrals => serde_json::from_str::<ReferralTarget>(body).ok().map(|target| {
            let kind = match target.kind {
                ReferralKind::Programme => "programme",
                ReferralKind::Clinic => "clinic",
                ReferralKind::External => "external",
            };
            let plain = vec![pair("kind", kind), pair("phone", &target.phone), pair("url", &target.url), pair("address", &target.address)];
            [plain, texts("name", &target.name), texts("about", &target.about)].concat()
        }),
        Kind::People => serde_json::from_str::<Worker>(body).ok().map(|worker| {
            let role = match worker.role {
                Role::Worker => "worker",
                Role::Leader => "leader",
                Role::Volunteer => "volunteer",
            };
            let plain = vec![
                pair("name", &worker.name),
                pair("role", role),
                pair("profession", worker.profession.code()),
                pair("capacity", &worker.capacity.to_string()),
            ];
            let many = |name: &str, values: &[String]| values.iter().map(|value| pair(name, value)).collect::<Vec<_>>();
            let languages: Vec<String> = worker.languages.iter().map(|one| one.code().to_owned()).collect();
            [plain, many("clinics", &worker.clinics), many("queues", &worker.queues), many("languages", &languages)].concat()
        }),
    };
    Fields::from(pairs.unwrap_or_default())
}

/// An id for a new thing, `siv.provlund` or `vc-havet-3fa91c`.
pub fn id(kind: Kind, organisation: &str, fields: &Fields, suffix: &str, taken: impl Fn(&str) -> bool) -> String {
    let of = match kind {
        Kind::Replies => fields.get("clinic").to_owned(),
        Kind::Referrals => organisation.to_owned(),
        Kind::People => {
            let words = folded(fields.get("name"));
            let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
            let name = words.collect::<Vec<_>>().join(".");
            let name: String = name.chars().take(50).collect();
            if name.len() > 1 && !taken(&name) {
                return name;
            }
            name
        }
    };
    format!("{}-{suffix}", if of.is_empty() { "x" } else { &of })
}

/// The thing as JSON in the shape of the description, or the key of what is wrong with the form. `before`: how it was.
pub fn body(kind: Kind, id: &str, fields: &Fields, before: Option<&str>, languages: &[Language]) -> Result<String, &'static str> {
    let whole = |texts: &Texts| languages.iter().all(|language| texts.contains_key(language));
    let written = match kind {
        Kind::Replies => {
            let (title, text) = (fields.texts("title"), fields.texts("text"));
            if !whole(&title) || !whole(&text) {
                return Err("wrong-languages");
            }
            let clinic = fields.get("clinic").to_owned();
            serde_json::to_string(&CannedReply { id: id.to_owned(), clinic: Some(clinic), title, text })
        }
        Kind::Referrals => {
            let (name, about) = (fields.texts("name"), fields.texts("about"));
            if !whole(&name) || !(about.is_empty() || whole(&about)) {
                return Err("wrong-languages");
            }
            let url = fields.get("url").to_owned();
            if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
                return Err("wrong-url");
            }
            let kind = match fields.get("kind") {
                "programme" => ReferralKind::Programme,
                "clinic" => ReferralKind::Clinic,
                _ => ReferralKind::External,
            };
            let (phone, address) = (fields.get("phone").to_owned(), fields.get("address").to_owned());
            serde_json::to_string(&ReferralTarget { id: id.to_owned(), kind, name, about, phone, url, address })
        }
        Kind::People => {
            let before = before.and_then(|body| serde_json::from_str::<Worker>(body).ok());
            let name = fields.get("name").to_owned();
            if name.is_empty() {
                return Err("wrong-name");
            }
            let clinics = fields.all("clinics");
            if clinics.is_empty() {
                return Err("wrong-clinics");
            }
            let capacity =
                fields.get("capacity").parse::<u32>().ok().filter(|points| (1..=1000).contains(points)).ok_or("wrong-capacity")?;
            // Who leads is said in the description.
            let role = match (before.as_ref().map(|worker| worker.role), fields.get("role")) {
                (Some(Role::Leader), _) => Role::Leader,
                (_, "volunteer") => Role::Volunteer,
                _ => Role::Worker,
            };
            let profession = Profession::from_code(fields.get("profession")).ok_or("wrong-profession")?;
            let languages = fields.all("languages").iter().filter_map(|code| Language::from_code(code)).collect();
            let queues = fields.all("queues");
            // How somebody signs in is no leader's to change here, nor lost by a change.
            let demo_login = before.as_ref().is_some_and(|worker| worker.demo_login);
            let (sign_in, email) = before.map(|worker| (worker.sign_in, worker.email)).unwrap_or_default();
            let id = id.to_owned();
            serde_json::to_string(&Worker { id, name, clinics, role, profession, queues, languages, capacity, demo_login, sign_in, email })
        }
    };
    written.map_err(|_| "wrong-name")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPOKEN: [Language; 2] = [Language::Swedish, Language::English];

    #[test]
    fn what_a_form_shows_it_gives_back() {
        let siv = r#"{"id":"siv","name":"Siv","clinics":["a","b"],"role":"leader","profession":"nurse","queues":["q"],"languages":["sv"],"capacity":60,"demo_login":true}"#;
        let lab = r#"{"id":"lab","clinic":"a","title":{"sv":"Prov","en":"Test"},"text":{"sv":"Hej\nigen","en":"Hi"}}"#;
        let quit = r#"{"id":"quit","kind":"programme","name":{"sv":"Sluta","en":"Quit"},"phone":"020"}"#;
        for (kind, id, body) in [(Kind::People, "siv", siv), (Kind::Replies, "lab", lab), (Kind::Referrals, "quit", quit)] {
            assert_eq!(super::body(kind, id, &fields_of(kind, body), Some(body), &SPOKEN).as_deref(), Ok(body));
        }
    }

    #[test]
    fn nobody_becomes_a_leader_by_a_form_and_every_language_is_there() {
        let fields = |pairs: &[(&'static str, &str)]| Fields::of(pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect());
        let nina = [("name", "Nina Ny"), ("clinics", "a"), ("role", "leader"), ("profession", "nurse"), ("capacity", "100")];
        let made = body(Kind::People, "nina.ny", &fields(&nina), None, &SPOKEN).unwrap();
        assert!(made.contains(r#""role":"worker""#), "{made}");
        assert_eq!(id(Kind::People, "o", &fields(&nina), "1a2b3c", |_| false), "nina.ny");
        assert_eq!(id(Kind::People, "o", &fields(&nina), "1a2b3c", |_| true), "nina.ny-1a2b3c");
        let half = [("clinic", "a"), ("title-sv", "Prov"), ("text-sv", "Hej")];
        assert_eq!(body(Kind::Replies, "x", &fields(&half), None, &SPOKEN), Err("wrong-languages"));
    }
}
