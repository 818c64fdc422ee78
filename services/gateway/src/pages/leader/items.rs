//! `/leader/change/<kind>`: all canned replies, referral targets or staff, each as it holds, and how it was described.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use kernel::Language;
use proto::intake::ClinicItem;
use region::{CannedReply, ReferralTarget, Texts, Worker};

use super::change::{Kind, list};
use super::only_leaders;
use crate::pages::staff::names::Names;
use crate::pages::staff::said::{Notice, Said};
use crate::pages::staff::view;
use crate::web::{Page, Problem, Staff};

/// One part of a thing, in words.
#[derive(PartialEq)]
struct Part {
    label: String,
    value: String,
    /// How the description has it, if that is something else.
    was: Option<String>,
}

struct Card {
    id: String,
    title: String,
    parts: Vec<Part>,
    etag: String,
    changeable: bool,
    /// Who leads is the description's to end.
    leads: bool,
    /// Who changed it, and when.
    changed: Option<(String, String)>,
    added: bool,
    gone: bool,
    fits: bool,
}

#[derive(Template)]
#[template(path = "leader/items.html")]
struct Items {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    kind: Kind,
    cards: Vec<Card>,
}

impl Items {
    /// The key of this kind's own text.
    fn key(&self, of: &str) -> String {
        format!("{}-{of}", self.kind.word())
    }
}

pub async fn show(page: Page, staff: Staff, Path(kind): Path<Kind>, Query(said): Query<Said>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let names = Names::load(&page, &staff).await?;
    let items = list(&staff, kind.wire()).await?.items;
    let cards = items.iter().map(|item| card(&page, &names, kind, item)).collect();
    page.show(&Items { page: page.clone(), notice: said.notice(&page), staff, kind, cards })
}

fn card(page: &Page, names: &Names, kind: Kind, item: &ClinicItem) -> Card {
    let gone = item.body_json.is_empty();
    // What is taken away is shown as it was.
    let body = if gone { &item.described_json } else { &item.body_json };
    let now = parts(page, names, kind, body);
    let was = parts(page, names, kind, &item.described_json);
    let changed = !item.set_by.is_empty();
    let compared = |(label, value): &(String, String)| Part {
        was: (changed && !gone && !was.is_empty())
            .then(|| was.iter().find(|(one, _)| one == label).map(|(_, value)| value.clone()).unwrap_or_default())
            .filter(|before| before != value),
        label: label.clone(),
        value: value.clone(),
    };
    Card {
        id: item.item_id.clone(),
        title: title(page, kind, body).unwrap_or_else(|| item.item_id.clone()),
        // What the heading says need not be said twice.
        parts: now.iter().map(compared).filter(|part| part.was.is_some() || part.label != page.say("person-name").to_string()).collect(),
        etag: item.etag.clone(),
        changeable: item.changeable,
        leads: kind == Kind::People && super::draft::fields_of(kind, body).get("role") == "leader",
        changed: changed.then(|| (names.worker(&item.set_by).to_owned(), view::moment(item.set_at.as_ref()))),
        added: item.described_json.is_empty(),
        gone,
        fits: item.in_effect,
    }
}

fn text(page: &Page, texts: &Texts) -> String {
    texts.get(&page.language()).or_else(|| texts.values().next()).cloned().unwrap_or_default()
}

/// What people call it.
pub fn title(page: &Page, kind: Kind, body: &str) -> Option<String> {
    match kind {
        Kind::Replies => serde_json::from_str::<CannedReply>(body).ok().map(|reply| text(page, &reply.title)),
        Kind::Referrals => serde_json::from_str::<ReferralTarget>(body).ok().map(|target| text(page, &target.name)),
        Kind::People => serde_json::from_str::<Worker>(body).ok().map(|worker| worker.name),
    }
}

/// A thing as label and value; nothing if there is none.
pub fn parts(page: &Page, names: &Names, kind: Kind, body: &str) -> Vec<(String, String)> {
    let say = |key: &str| page.say(key).to_string();
    let in_each = |texts: &Texts| {
        let one = |(language, text): (&Language, &String)| (say(&format!("language-{language}")), text.clone());
        texts.iter().map(one).collect::<Vec<_>>()
    };
    let filled = |parts: Vec<(String, String)>| parts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    match kind {
        Kind::Replies => {
            let Ok(reply) = serde_json::from_str::<CannedReply>(body) else { return Vec::new() };
            let clinic = reply.clinic.as_deref().map_or_else(|| say("item-all-clinics"), |id| names.clinic(id).to_owned());
            let titles = in_each(&reply.title).into_iter().map(|(language, text)| (format!("{}, {language}", say("reply-title")), text));
            std::iter::once((say("fact-clinic"), clinic)).chain(titles).chain(in_each(&reply.text)).collect()
        }
        Kind::Referrals => {
            let Ok(target) = serde_json::from_str::<ReferralTarget>(body) else { return Vec::new() };
            let names = in_each(&target.name).into_iter().map(|(language, text)| (format!("{}, {language}", say("referral-name")), text));
            let about = in_each(&target.about).into_iter().map(|(language, text)| (format!("{}, {language}", say("referral-about")), text));
            let kind = (say("referral-kind"), say(super::edit::referral_kind(target.kind)));
            let others =
                [(say("referral-phone"), target.phone), (say("referral-url"), target.url), (say("referral-address"), target.address)];
            filled(std::iter::once(kind).chain(names).chain(about).chain(others).collect())
        }
        Kind::People => {
            let Ok(worker) = serde_json::from_str::<Worker>(body) else { return Vec::new() };
            let clinics: Vec<&str> = worker.clinics.iter().map(|id| names.clinic(id)).collect();
            let queues: Vec<String> = worker.queues.iter().map(|id| names.queue(page, id)).collect();
            let languages: Vec<String> = worker.languages.iter().map(|one| say(&format!("language-{one}"))).collect();
            filled(vec![
                (say("person-name"), worker.name),
                (say("person-role"), say(super::edit::role(worker.role))),
                (say("person-profession"), say(&format!("profession-{}", worker.profession))),
                (say("person-clinics"), clinics.join(", ")),
                (say("person-queues"), if queues.is_empty() { say("person-queues-all") } else { queues.join("; ") }),
                (say("person-languages"), if languages.is_empty() { say("person-languages-all") } else { languages.join(", ") }),
                (say("person-capacity"), worker.capacity.to_string()),
            ])
        }
    }
}
