//! Files of the pages, embedded: style sheets as one, scripts one by one, each at an address that holds its content's hash and may
//! be kept for ever.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// The style sheets in the order in which they are joined: names, then elements, then components, then the pages' own.
const STYLES: [&str; 4] = ["css/tokens.css", "css/base.css", "css/components.css", "css/layout.css"];
/// Style sheets of pages that no visitor sees: they cost a slow phone time, and their names may mean something else there.
const STAFFS: [&str; 3] = ["css/staff", "css/leader", "css/region"];
/// Where assets are.
pub const PATH: &str = "/assets/";

/// A file of `assets/js/` as it is, for an address that has no hash.
pub fn source(name: &str) -> Bytes {
    Files::get(&format!("js/{name}")).map(|file| file.data.to_vec().into()).unwrap_or_default()
}

struct Asset {
    content: Bytes,
    kind: &'static str,
}

/// All assets by their hashed name.
pub struct Assets {
    by_name: BTreeMap<String, Asset>,
    /// From `app.css`, `visit.css`, `live.js` to the address.
    addresses: BTreeMap<String, String>,
}

/// Style sheets that are `wanted`, in their order, as one.
fn style(wanted: impl Fn(&str) -> bool) -> Vec<u8> {
    let further = Files::iter().filter(|path| path.starts_with("css/") && !STYLES.contains(&path.as_ref()) && wanted(path));
    let paths = STYLES.iter().map(|path| (*path).to_owned()).chain(further.map(|path| path.to_string()));
    paths.flat_map(|path| Files::get(&path).map(|file| file.data.to_vec()).unwrap_or_default()).collect()
}

impl Assets {
    pub fn load() -> Self {
        let mut assets = Self { by_name: BTreeMap::new(), addresses: BTreeMap::new() };
        assets.add("app.css", style(|_| true));
        assets.add("visit.css", style(|path| !STAFFS.iter().any(|own| path.starts_with(own))));
        for path in Files::iter().filter(|path| !path.starts_with("css/")) {
            let content = Files::get(&path).map(|file| file.data.to_vec()).unwrap_or_default();
            assets.add(path.rsplit('/').next().unwrap_or_default(), content);
        }
        assets
    }

    fn add(&mut self, name: &str, content: Vec<u8>) {
        let hash: String = auth::hash(&content).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let hashed = format!("{stem}-{hash}.{ending}");
        let kind = match ending {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "application/octet-stream",
        };
        self.addresses.insert(name.to_owned(), format!("{PATH}{hashed}"));
        self.by_name.insert(hashed, Asset { content: content.into(), kind });
    }

    /// The address of `app.css`, of `visit.css` for visitors, or of a file of `assets/`, by its name without folders.
    pub fn address(&self, name: &str) -> &str {
        self.addresses.get(name).map_or("", String::as_str)
    }

    /// The file at a hashed name.
    pub fn serve(&self, name: &str) -> Response {
        match self.by_name.get(name) {
            Some(asset) => {
                let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
                (headers, asset.content.clone()).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}
