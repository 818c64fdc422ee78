//! A posted form whose fields may be there several times, or in each language.

use kernel::Language;
use region::Texts;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(transparent)]
pub struct Fields(Vec<(String, String)>);

impl From<Vec<(String, String)>> for Fields {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }
}

impl Fields {
    pub fn of(pairs: Vec<(&'static str, String)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The field without spaces around it; empty if it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(one, _)| one == name).map_or("", |(_, value)| value.trim())
    }

    /// All values of a field, such as boxes that are ticked.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(one, _)| one == name).map(|(_, value)| value.clone()).collect()
    }

    /// `title-sv`, `title-en`: a text in each language in which there is one.
    pub fn texts(&self, name: &str) -> Texts {
        let one = |language: &Language| {
            // Browsers end lines in their own way.
            let text = self.get(&format!("{name}-{language}")).replace("\r\n", "\n");
            (!text.is_empty()).then_some((*language, text))
        };
        Language::ALL.iter().filter_map(one).collect()
    }
}
