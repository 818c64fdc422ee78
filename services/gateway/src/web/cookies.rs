//! Cookies: read, and written with everything that a browser can do to protect them. Values are ours and hold no character that
//! would need quoting.

use axum::http::{HeaderMap, HeaderValue, header};

/// Which of ours it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The token of a member of staff.
    Staff,
    /// `case~token`, joined by `.`: the cases that this browser's visitor has.
    Visitor,
    /// What form tokens of this browser are made for.
    Form,
    /// The chosen language.
    Language,
    /// `door~key`: the door at which this browser plays the visitor.
    Practice,
    /// How far the last change had come; lives for seconds.
    After,
    /// A sign-in that has begun, sealed, while somebody is away at their sign-in service.
    SignIn,
    /// What makes a code that was sent by mail this browser's.
    Code,
    /// By which service a member of staff came, sealed, so that they can be signed out there too.
    Provider,
}

impl Cookie {
    const fn base(self) -> &'static str {
        match self {
            Self::Staff => "samtal-staff",
            Self::Visitor => "samtal-visitor",
            Self::Form => "samtal-form",
            Self::Language => "samtal-language",
            Self::Practice => "samtal-practice",
            Self::After => "samtal-after",
            Self::SignIn => "samtal-sign-in",
            Self::Code => "samtal-code",
            Self::Provider => "samtal-provider",
        }
    }

    /// A link in a mail or on the clinic's site leads back into a visitor's conversation, and a sign-in service back here; nothing leads
    /// into staff's but Samtal.
    const fn same_site(self) -> &'static str {
        match self {
            Self::Staff | Self::Form | Self::Code | Self::Provider => "Strict",
            Self::Visitor | Self::Language | Self::Practice | Self::After | Self::SignIn => "Lax",
        }
    }
}

/// How cookies are written here.
#[derive(Clone, Copy, Debug)]
pub struct Jar {
    /// The pages are reached by https. Otherwise, on loopback only, names go without `__Host-` and cookies without `Secure`:
    /// not every browser keeps a secure cookie of `http://127.0.0.1`.
    pub https: bool,
    /// For a page inside another site's: browsers send it only cookies that say so, kept apart for each such site (CHIPS).
    pub framed: bool,
}

impl Jar {
    pub fn name(self, cookie: Cookie) -> String {
        format!("{}{}{}", if self.https { "__Host-" } else { "" }, cookie.base(), if self.framed { "-framed" } else { "" })
    }

    /// The cookie's value, if the browser sent one.
    pub fn read(self, headers: &HeaderMap, cookie: Cookie) -> Option<String> {
        let name = self.name(cookie);
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(one, value)| *one == name && !value.is_empty())
            .map(|(_, value)| value.to_owned())
    }

    /// `Set-Cookie` for `max_age` seconds; 0 takes the cookie away. None: the value has characters that no cookie of ours has.
    pub fn write(self, cookie: Cookie, value: &str, max_age: i64) -> Option<HeaderValue> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        if !value.bytes().all(fits) {
            return None;
        }
        let reach = match (self.framed, self.https) {
            (true, _) => "None; Secure; Partitioned".to_owned(),
            (false, true) => format!("{}; Secure", cookie.same_site()),
            (false, false) => cookie.same_site().to_owned(),
        };
        let text = format!("{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite={reach}", self.name(cookie));
        HeaderValue::try_from(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_host_bound_secure_and_out_of_scripts_reach() {
        let jar = Jar { https: true, framed: false };
        let written = jar.write(Cookie::Staff, "abc-_9", 60).unwrap();
        assert_eq!(written, "__Host-samtal-staff=abc-_9; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(jar.write(Cookie::Staff, "a; Domain=evil", 60), None);
        let framed = Jar { https: true, framed: true }.write(Cookie::Visitor, "a", 60).unwrap();
        assert_eq!(framed, "__Host-samtal-visitor-framed=a; Path=/; Max-Age=60; HttpOnly; SameSite=None; Secure; Partitioned");
        let sent = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("a=b; __Host-samtal-staff=abc; samtal-staff=no"))]);
        assert_eq!(jar.read(&sent, Cookie::Staff).as_deref(), Some("abc"));
        assert_eq!(Jar { https: false, framed: false }.read(&sent, Cookie::Staff).as_deref(), Some("no"));
        assert_eq!(jar.read(&sent, Cookie::Form), None);
    }
}
