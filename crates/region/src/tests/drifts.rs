use crate::drift::{Drift, Kind, overlay};
use crate::{Region, validate};

fn demo() -> Region {
    super::read("demo.yaml", super::DEMO).region
}

fn change(kind: Kind, item: &str, body: &str) -> Drift {
    Drift { organisation: "vardcentralerna".into(), kind, item: item.into(), body: body.into(), set_by: "karin".into(), set_at: 1 }
}

#[test]
fn a_change_lies_on_top_and_the_description_stays() {
    let region = demo();
    let closed = change(Kind::Exception, "vc-hours/2026-03-11", r#"{"date":"2026-03-11","reason":"Strömavbrott"}"#);
    let gone = change(Kind::Worker, "max.utkastsson", "");
    let (after, in_effect) = overlay(&region, &[closed.clone(), gone.clone()]);
    assert_eq!(in_effect, [true, true]);
    let organisation = after.organisation("vardcentralerna").unwrap();
    assert!(organisation.calendar("vc-hours").unwrap().exceptions.iter().any(|one| one.reason == "Strömavbrott" && one.hours.is_empty()));
    assert!(organisation.worker("max.utkastsson").is_none());
    assert!(validate(&after).is_empty());
    assert_eq!(closed.described(&region), None);
    assert!(gone.described(&region).unwrap().contains("Max Utkastsson"));
    assert_eq!(closed.path(), "vardcentralerna.calendars[vc-hours].exceptions[2026-03-11]");
    // Without them it is what it was.
    assert_eq!(overlay(&region, &[]).0, region);
}

#[test]
fn what_fits_no_more_has_no_effect_and_spoils_nothing() {
    let region = demo();
    let good = change(Kind::Exception, "vc-hours/2026-03-11", r#"{"date":"2026-03-11","reason":"Strömavbrott"}"#);
    for bad in [
        change(Kind::Exception, "no-calendar/2026-03-11", r#"{"date":"2026-03-11","reason":"x"}"#),
        change(Kind::Exception, "vc-hours/2026-03-11", r#"{"date":"2026-03-12","reason":"x"}"#),
        change(Kind::Worker, "new.one", r#"{"id":"new.one","name":"N","clinics":["nowhere"],"profession":"nurse"}"#),
        change(Kind::Referral, "nobody", ""),
        change(Kind::CannedReply, "x1", "nonsense"),
        change(Kind::CannedReply, "x1", r#"{"id":"x1","title":{"sv":"a","en":"a"},"text":{"sv":"{wrong}","en":"b"}}"#),
    ] {
        let (after, in_effect) = overlay(&region, &[bad.clone(), good.clone()]);
        assert_eq!(in_effect, [false, true], "{bad:?}");
        assert_eq!(after, overlay(&region, std::slice::from_ref(&good)).0);
    }
}
