//! `/leader/change/<kind>/item/<id>` and `…/new`: one thing as a form. A form says which state of the thing it began with, so that
//! two leaders do not tread on each other.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use kernel::{Id, Language, Profession};
use proto::intake::{ClinicItem, ListItemsResponse, RevertChangeRequest, SetChangeRequest};
use proto::routing::HandOverRequest;
use region::{ReferralKind, Role};
use serde::Deserialize;

use super::change::{Done, Kind, done, list};
use super::fields::Fields;
use super::{draft, items, only_leaders};
use crate::pages::staff::names::Names;
use crate::pages::staff::view;
use crate::web::{Form, Page, Problem, Staff};

/// The key of a kind of referral's text.
pub const fn referral_kind(kind: ReferralKind) -> &'static str {
    match kind {
        ReferralKind::Programme => "referral-programme",
        ReferralKind::Clinic => "referral-clinic",
        ReferralKind::External => "referral-external",
    }
}

/// The key of a role's text.
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Worker => "role-worker",
        Role::Leader => "role-leader",
        Role::Volunteer => "role-volunteer",
    }
}

/// Something to choose: its value, its name, whether it is chosen.
type Option3 = (String, String, bool);

#[derive(Template)]
#[template(path = "leader/edit.html")]
struct Edit {
    page: Page,
    staff: Staff,
    kind: Kind,
    /// Empty: it is new.
    id: String,
    title: String,
    etag: String,
    fields: Fields,
    languages: Vec<String>,
    names: Names,
    /// The key of what is wrong, or what the service says of it, in English.
    wrong: &'static str,
    refused: String,
    meanwhile: Option<Meanwhile>,
}

/// What somebody else has made of it since the form was shown.
struct Meanwhile {
    who: String,
    when: String,
    /// As label and value.
    parts: Vec<(String, String)>,
}

impl Edit {
    /// The key of this kind's own text.
    fn key(&self, of: &str) -> String {
        format!("{}-{of}", self.kind.word())
    }

    fn address(&self) -> String {
        let base = format!("/leader/change/{}", self.kind.word());
        if self.id.is_empty() { format!("{base}/new") } else { format!("{base}/item/{}", self.id) }
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.fields.all(name).iter().any(|one| one == value)
    }

    /// The leader's own clinics.
    fn clinics(&self, name: &str) -> Vec<Option3> {
        self.staff.clinics.iter().map(|id| (id.clone(), self.names.clinic(id).to_owned(), self.has(name, id))).collect()
    }

    fn queues(&self) -> Vec<Option3> {
        let queues = self.names.queues_of(&self.staff);
        queues
            .iter()
            .map(|one| (one.queue_id.clone(), self.names.queue(&self.page, &one.queue_id), self.has("queues", &one.queue_id)))
            .collect()
    }

    fn spoken(&self) -> Vec<Option3> {
        let name = |code: &String| self.page.say(&format!("language-{code}")).to_string();
        self.languages.iter().map(|code| (code.clone(), name(code), self.has("languages", code))).collect()
    }

    fn professions(&self) -> Vec<Option3> {
        let chosen = self.fields.get("profession");
        let some = Profession::ALL.iter().filter(|one| **one != Profession::Any);
        some.map(|one| (one.code().to_owned(), self.page.say(&format!("profession-{one}")).to_string(), one.code() == chosen)).collect()
    }

    fn referral_kinds(&self) -> Vec<Option3> {
        let chosen = self.fields.get("kind");
        let all = [(ReferralKind::Programme, "programme"), (ReferralKind::Clinic, "clinic"), (ReferralKind::External, "external")];
        all.map(|(kind, code)| (code.to_owned(), self.page.say(referral_kind(kind)).to_string(), code == chosen)).into()
    }

    /// `(sv, Swedish)` for each language of the organisation.
    fn tongues(&self) -> Vec<(String, String)> {
        self.languages.iter().map(|code| (code.clone(), self.page.say(&format!("language-{code}")).to_string())).collect()
    }

    fn text(&self, name: &str, language: &str) -> String {
        self.fields.get(&format!("{name}-{language}")).to_owned()
    }
}

struct Open {
    kind: Kind,
    id: String,
    fields: Fields,
    etag: String,
    wrong: &'static str,
    refused: String,
    meanwhile: bool,
}

async fn present(page: Page, staff: Staff, all: ListItemsResponse, open: Open) -> Result<Response, Problem> {
    let names = Names::load(&page, &staff).await?;
    let item = all.items.iter().find(|one| one.item_id == open.id);
    let title = item.and_then(|item| items::title(&page, open.kind, body(item))).unwrap_or_default();
    let meanwhile = item.filter(|_| open.meanwhile).map(|item| Meanwhile {
        who: names.worker(&item.set_by).to_owned(),
        when: view::moment(item.set_at.as_ref()),
        parts: items::parts(&page, &names, open.kind, &item.body_json),
    });
    let edit = Edit {
        kind: open.kind,
        id: open.id,
        title,
        etag: open.etag,
        fields: open.fields,
        languages: all.languages,
        names,
        wrong: open.wrong,
        refused: open.refused,
        meanwhile,
        page: page.clone(),
        staff,
    };
    page.show(&edit)
}

/// How it is, or how it was described if it is gone.
fn body(item: &ClinicItem) -> &str {
    if item.body_json.is_empty() { &item.described_json } else { &item.body_json }
}

fn find<'a>(all: &'a ListItemsResponse, id: &str) -> Result<&'a ClinicItem, Problem> {
    all.items.iter().find(|one| one.item_id == id && one.changeable).ok_or_else(Problem::not_found)
}

pub async fn new(page: Page, staff: Staff, Path(kind): Path<Kind>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let all = list(&staff, kind.wire()).await?;
    let (etag, fields) = (all.absent_etag.clone(), draft::empty(kind, &staff.clinics));
    present(page, staff, all, Open { kind, id: String::new(), fields, etag, wrong: "", refused: String::new(), meanwhile: false }).await
}

pub async fn form(page: Page, staff: Staff, Path((kind, id)): Path<(Kind, String)>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let all = list(&staff, kind.wire()).await?;
    let item = find(&all, &id)?;
    let (etag, fields) = (item.etag.clone(), draft::fields_of(kind, body(item)));
    present(page, staff, all, Open { kind, id, fields, etag, wrong: "", refused: String::new(), meanwhile: false }).await
}

pub async fn add(page: Page, staff: Staff, Path(kind): Path<Kind>, Form(fields): Form<Fields>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let all = list(&staff, kind.wire()).await?;
    let taken = |id: &str| all.items.iter().any(|one| one.item_id == id);
    let suffix = view::short_id(&Id::new(staff.calls.now()).to_string()).to_ascii_lowercase();
    let id = draft::id(kind, &staff.organisation, &fields, &suffix, taken);
    keep(page, staff, all, kind, (String::new(), id), fields, None).await
}

pub async fn save(
    page: Page,
    staff: Staff,
    Path((kind, id)): Path<(Kind, String)>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let all = list(&staff, kind.wire()).await?;
    let before = body(find(&all, &id)?).to_owned();
    keep(page, staff, all, kind, (id.clone(), id), fields, Some(&before)).await
}

/// `shown`: the id that the form is about, empty for a new thing; `id`: the one under which it is kept.
async fn keep(
    page: Page,
    staff: Staff,
    all: ListItemsResponse,
    kind: Kind,
    (shown, id): (String, String),
    fields: Fields,
    before: Option<&str>,
) -> Result<Response, Problem> {
    let etag = fields.get("etag").to_owned();
    let again =
        |fields: Fields, etag: String| Open { kind, id: shown.clone(), fields, etag, wrong: "", refused: String::new(), meanwhile: false };
    let languages: Vec<Language> = all.languages.iter().filter_map(|code| Language::from_code(code)).collect();
    let body_json = match draft::body(kind, &id, &fields, before, &languages) {
        Ok(body) => body,
        Err(wrong) => return present(page, staff, all, Open { wrong, ..again(fields, etag) }).await,
    };
    let request =
        SetChangeRequest { request_id: String::new(), kind: kind.wire().into(), item_id: id.clone(), body_json, etag: etag.clone() };
    match done(staff.calls.clinics().set_change(request).await)? {
        Done::Well => Ok(page.then(&format!("/leader/change/{}?said=item-saved#{id}", kind.word()), &staff.calls)),
        Done::Refused(refused) => present(page, staff, all, Open { refused, ..again(fields, etag) }).await,
        Done::Meanwhile => {
            // What was written stays; whoever saves it now has seen what it takes the place of.
            let all = list(&staff, kind.wire()).await?;
            let etag = all.items.iter().find(|one| one.item_id == id).map_or_else(|| all.absent_etag.clone(), |one| one.etag.clone());
            present(page, staff, all, Open { meanwhile: true, ..again(fields, etag) }).await
        }
    }
}

#[derive(Deserialize)]
pub struct Seen {
    #[serde(default)]
    etag: String,
}

fn back(page: &Page, staff: &Staff, kind: Kind, came: Done, well: &str) -> Response {
    let said = match came {
        Done::Well => well,
        Done::Meanwhile => "item-changed",
        Done::Refused(_) => "item-refused",
    };
    page.then(&format!("/leader/change/{}?said={said}", kind.word()), &staff.calls)
}

pub async fn away(page: Page, staff: Staff, Path((kind, id)): Path<(Kind, String)>, Form(seen): Form<Seen>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let all = list(&staff, kind.wire()).await?;
    let item = find(&all, &id)?;
    // Before anything is handed over: who leads is the description's, and what has changed is looked at first.
    if draft::fields_of(kind, body(item)).get("role") == "leader" {
        return Ok(back(&page, &staff, kind, Done::Refused(String::new()), ""));
    }
    if item.etag != seen.etag {
        return Ok(back(&page, &staff, kind, Done::Meanwhile, ""));
    }
    if kind == Kind::People {
        // Nobody's case leaves with them.
        let request = HandOverRequest { worker_id: id.clone(), ..HandOverRequest::default() };
        if let Err(status) = staff.calls.routing().hand_over(request).await
            && status.code() != tonic::Code::NotFound
        {
            return Err(status.into());
        }
    }
    if item.described_json.is_empty() {
        // Only a leader's change says that it is there: without the change it is not.
        let request = RevertChangeRequest { kind: kind.wire().into(), item_id: id, etag: seen.etag };
        let came = done(staff.calls.clinics().revert_change(request).await)?;
        return Ok(back(&page, &staff, kind, came, "item-reverted"));
    }
    let request = SetChangeRequest { kind: kind.wire().into(), item_id: id, etag: seen.etag, ..SetChangeRequest::default() };
    let came = done(staff.calls.clinics().set_change(request).await)?;
    Ok(back(&page, &staff, kind, came, "item-gone"))
}

pub async fn revert(page: Page, staff: Staff, Path((kind, id)): Path<(Kind, String)>, Form(seen): Form<Seen>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let request = RevertChangeRequest { kind: kind.wire().into(), item_id: id, etag: seen.etag };
    let came = match staff.calls.clinics().revert_change(request).await {
        Err(status) if status.code() == tonic::Code::NotFound => Done::Meanwhile,
        answer => done(answer)?,
    };
    Ok(back(&page, &staff, kind, came, "item-reverted"))
}
