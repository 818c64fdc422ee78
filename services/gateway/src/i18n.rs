//! Texts in four languages (Fluent, `locales/<language>/*.ftl`). A template says `{{ page.say("key") }}`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use kernel::{Error, Language, Result};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "locales/"]
pub(crate) struct Files;

type Bundle = FluentBundle<FluentResource>;

/// All texts. Cheap to clone.
#[derive(Clone)]
pub struct Texts(Arc<BTreeMap<Language, Bundle>>);

impl Texts {
    /// Errors: a file that is not Fluent, a key that is there twice.
    pub fn load() -> Result<Self> {
        let mut all = BTreeMap::new();
        for language in Language::ALL {
            let id = language.code().parse().map_err(|_| Error::internal(format!("{language} is no language tag")))?;
            let mut bundle = Bundle::new_concurrent(vec![id]);
            // Marks around what is filled in would show up in titles and in copied text.
            bundle.set_use_isolating(false);
            for path in Files::iter().filter(|path| path.starts_with(&format!("{language}/"))) {
                let text = Files::get(&path).map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default();
                let resource =
                    FluentResource::try_new(text).map_err(|(_, errors)| Error::internal(format!("{path} is not Fluent: {errors:?}")))?;
                bundle.add_resource(resource).map_err(|errors| Error::internal(format!("{path}: {errors:?}")))?;
            }
            all.insert(*language, bundle);
        }
        Ok(Self(Arc::new(all)))
    }

    /// The text `key` in `language`, to be shown; what it needs is added with [`Say::with`].
    pub fn say(&self, language: Language, key: &str) -> Say {
        Say { texts: self.clone(), language, key: key.to_owned(), args: Vec::new() }
    }
}

/// A text to be shown. A key that is not there shows as itself; a test sees to it that this does not happen.
pub struct Say {
    texts: Texts,
    language: Language,
    key: String,
    args: Vec<(&'static str, FluentValue<'static>)>,
}

impl Say {
    /// Fills in `{ $name }`: a number or a text.
    pub fn with(mut self, name: &'static str, value: impl Into<Fill>) -> Self {
        self.args.push((name, value.into().0));
        self
    }
}

/// What can be filled into a text.
pub struct Fill(FluentValue<'static>);

macro_rules! numbers {
    ($($kind:ty),+) => { $(
        impl From<$kind> for Fill {
            fn from(number: $kind) -> Self {
                Self(FluentValue::from(number))
            }
        }
        // A template hands over what it has by reference.
        impl From<&&$kind> for Fill {
            fn from(number: &&$kind) -> Self {
                Self(FluentValue::from(**number))
            }
        }
        impl From<&$kind> for Fill {
            fn from(number: &$kind) -> Self {
                Self(FluentValue::from(*number))
            }
        }
    )+ };
}
numbers!(i32, i64, u32, u64, usize);

impl From<&&String> for Fill {
    fn from(text: &&String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for Fill {
    fn from(text: &str) -> Self {
        Self(FluentValue::String(Cow::Owned(text.to_owned())))
    }
}

impl From<&String> for Fill {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Fill {
    fn from(text: String) -> Self {
        Self(FluentValue::String(Cow::Owned(text)))
    }
}

impl From<Say> for Fill {
    fn from(text: Say) -> Self {
        Self::from(text.to_string())
    }
}

impl fmt::Display for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.texts.0.get(&self.language).and_then(|bundle| Some((bundle, bundle.get_message(&self.key)?.value()?)));
        let Some((bundle, pattern)) = found else { return f.write_str(&self.key) };
        let args: FluentArgs<'_> = self.args.iter().map(|(name, value)| (*name, value.clone())).collect();
        f.write_str(&bundle.format_pattern(pattern, Some(&args), &mut Vec::new()))
    }
}
