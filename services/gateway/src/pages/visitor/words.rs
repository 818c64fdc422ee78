//! Codes and times in the reader's words.

use kernel::Language;
use proto::intake::{Channel, ForWhom};

use crate::web::{Page, clock};

/// `today at 17:00`, `Thursday at 08:00`, `Monday 3 January at 08:00`.
pub fn when(page: &Page, stamp: Option<&prost_types::Timestamp>) -> String {
    let now = proto::timestamp(page.gateway().services().clock().now());
    let (Some(time), Some(now)) = (stamp.and_then(clock::zoned), clock::zoned(&now)) else { return String::new() };
    let days = now.date().until(time.date()).map(|span| span.get_days()).unwrap_or(i32::MAX);
    let clock = time.strftime("%H:%M").to_string();
    let weekday = page.say(&format!("weekday-{}", time.weekday().to_monday_one_offset()));
    let say = match days {
        0 => page.say("when-today"),
        1 => page.say("when-tomorrow"),
        2..=6 => page.say("when-weekday").with("weekday", weekday),
        _ => page
            .say("when-date")
            .with("weekday", weekday)
            .with("day", i32::from(time.day()))
            .with("month", page.say(&format!("month-{}", time.month()))),
    };
    say.with("time", clock).to_string()
}

/// A wait in minutes, in the words of text `id`. Nobody waits from nought to five minutes, or from one to one.
pub fn wait(page: &Page, id: &str, from: u32, to: u32) -> String {
    let about = format!("{id}-about");
    page.say(if 0 < from && from < to { id } else { &about }).with("from", from).with("to", to).to_string()
}

/// A weekday's name, 1 being Monday.
pub fn weekday(page: &Page, day: u32) -> String {
    page.say(&format!("weekday-{day}")).to_string()
}

pub fn channel(page: &Page, channel: Channel) -> String {
    page.say(match channel {
        Channel::Email => "channel-email",
        Channel::Phone => "channel-phone",
        Channel::Video => "channel-video",
        Channel::Onsite => "channel-onsite",
        Channel::Chat | Channel::Unspecified => "channel-chat",
    })
    .to_string()
}

pub fn for_whom(page: &Page, whom: ForWhom) -> String {
    page.say(match whom {
        ForWhom::Child => "whom-child",
        ForWhom::Relative => "whom-relative",
        ForWhom::Self_ | ForWhom::Unspecified => "whom-self",
    })
    .to_string()
}

/// Names of languages, each in its own.
pub fn languages(codes: &[String]) -> String {
    let name = |code: &String| {
        Some(match Language::from_code(code)? {
            Language::Swedish => "svenska",
            Language::Bokmal => "norsk bokmål",
            Language::Nynorsk => "norsk nynorsk",
            Language::English => "English",
        })
    };
    codes.iter().filter_map(name).collect::<Vec<_>>().join(", ")
}

/// The reader's language, if it is answered at the door, else the door's first.
pub fn answered_in(page: &Page, codes: &[String]) -> String {
    let mine = page.language().code();
    if codes.iter().any(|code| code == mine) { mine.to_owned() } else { codes.first().cloned().unwrap_or_default() }
}
