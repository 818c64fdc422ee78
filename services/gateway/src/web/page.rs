//! What a template needs whatever it shows: texts, addresses of assets, form tokens. Every page's struct has a field `page`.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use kernel::Language;
use proto::intake::SenderKind;
use rpc::Whence;

use crate::Gateway;
use crate::i18n::Say;
use crate::services::Calls;
use crate::web::cookies::Cookie;
use crate::web::{Problem, Visit, clock, forgery};

/// Seconds for which the position of a change is carried to the browser's next request.
const AFTER_LIFE: i64 = 20;

#[derive(Clone)]
pub struct Page {
    gateway: Gateway,
    visit: Visit,
}

impl Page {
    pub fn new(gateway: &Gateway, visit: Visit) -> Self {
        Self { gateway: gateway.clone(), visit }
    }

    pub fn language(&self) -> Language {
        self.visit.language
    }

    /// The text `key` in the reader's language.
    pub fn say(&self, key: &str) -> Say {
        self.gateway.texts().say(self.visit.language, key)
    }

    /// The address of a file of `assets/`.
    pub fn asset(&self, name: &str) -> &str {
        self.gateway.assets().address(name)
    }

    /// A fresh token for a form of this browser; each form needs one.
    pub fn form_token(&self) -> Result<String, askama::Error> {
        let token = self.gateway.secret().seal(forgery::PURPOSE, self.visit.form_key.as_bytes());
        token.map_err(|error| askama::Error::Custom(Box::new(error)))
    }

    /// What tells this browser from others, for what is sealed for it alone.
    pub fn browser(&self) -> &str {
        &self.visit.form_key
    }

    /// Whether the browser has been here before, and keeps what it is given.
    pub fn returning(&self) -> bool {
        self.visit.returning
    }

    /// Who wrote a message, in words.
    pub fn sender(&self, kind: SenderKind) -> Say {
        self.say(match kind {
            SenderKind::Visitor => "sender-visitor",
            SenderKind::Worker => "sender-worker",
            SenderKind::System | SenderKind::Unspecified => "sender-system",
        })
    }

    /// A time of day where Samtal's clinics are, `09:41`.
    pub fn time(&self, stamp: Option<&prost_types::Timestamp>) -> String {
        stamp.and_then(clock::zoned).map(|time| time.strftime("%H:%M").to_string()).unwrap_or_default()
    }

    /// Where these pages begin: empty, or `/w` inside another site's frame.
    pub fn base(&self) -> &'static str {
        if self.framed() { "/w" } else { "" }
    }

    /// Whether the page is shown inside another site's.
    pub fn framed(&self) -> bool {
        self.visit.path.starts_with(crate::web::security::WIDGET)
    }

    /// Where the button that leaves at once leads.
    pub fn leave_to(&self) -> &str {
        self.gateway.settings().leave_to()
    }

    /// The key by which this browser plays the visitor at this door, if it does.
    pub fn practises(&self, door: &str) -> Option<&str> {
        self.visit.practice.as_ref().filter(|(one, _)| one == door).map(|(_, key)| key.as_str())
    }

    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub fn path(&self) -> &str {
        &self.visit.path
    }

    /// Whether these are the pages of a demo.
    pub fn demo(&self) -> bool {
        self.gateway.settings().demo
    }

    /// Calls as nobody, for what everybody may see.
    pub fn calls(&self) -> Calls {
        self.gateway.services().nobody(self.visit.address, self.visit.after.as_deref())
    }

    /// Where the browser is, for limits of the pages' own; no address can be read from it.
    pub fn whence(&self) -> Whence {
        Whence::of(self.gateway.secret(), self.visit.address)
    }

    /// This page's address in another language, with all else that its address says.
    pub fn in_language(&self, language: &Language) -> String {
        let others = self.visit.query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("lang="));
        let kept: String = others.map(|pair| format!("{pair}&")).collect();
        format!("?{kept}lang={}", language.code())
    }

    /// The languages to choose from, each with its own name; true for the one in use.
    pub fn languages(&self) -> [(Language, &'static str, bool); 4] {
        [
            (Language::Swedish, "Svenska"),
            (Language::Bokmal, "Norsk bokmål"),
            (Language::Nynorsk, "Norsk nynorsk"),
            (Language::English, "English"),
        ]
        .map(|(language, name)| (language, name, language == self.visit.language))
    }

    /// The template as an answer.
    pub fn show(&self, template: &impl Template) -> Result<Response, Problem> {
        let language = [(header::CONTENT_LANGUAGE, self.visit.language.code()), (header::CONTENT_TYPE, "text/html; charset=utf-8")];
        Ok((language, template.render()?).into_response())
    }

    /// After a form was taken: leads to `to` (a path of ours), where the next page sees what `calls` changed.
    pub fn then(&self, to: &str, calls: &Calls) -> Response {
        let mut response = Redirect::to(to).into_response();
        let position = calls.position().and_then(|position| self.gateway.jar(&self.visit.path).write(Cookie::After, &position, AFTER_LIFE));
        if let Some(cookie) = position {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

impl FromRequestParts<Gateway> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let visit = parts.extensions.get::<Visit>().cloned().ok_or_else(Problem::internal)?;
        Ok(Self::new(gateway, visit))
    }
}
