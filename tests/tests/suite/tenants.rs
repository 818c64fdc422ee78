//! P15: one organisation never sees another's rows, counts, errors or subjects.
//!
//! Generated from the contracts: every RPC, every role of `alfa`, requests that name things of `beta` in every combination with things of
//! one's own. Each must be answered exactly as if those things did not exist, or with nothing of beta's in it.

use crate::dynamic::{call, methods, path};
use bytes::Bytes;
use kernel::Id;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value};
use proto::access::{InviteWorkerRequest, IssueTokenRequest, Principal, PrincipalKind};
use proto::log::WatchRequest;
use proto::notifications::ListNotificationsRequest;
use proto::scheduling::{HoldSlotRequest, Interval, ListSlotsRequest};
use samtal_tests::suite::{Person, SOON, Stack, TestSuite, Visitor, eventually};
use std::collections::BTreeMap;
use std::time::Duration;
use tonic::{Code, Status};

on_both_stacks!(p15_no_rpc_shows_anything_of_another_organisation);

/// In every text of beta's conversations.
pub const CANARY: &str = "KANARIE-7702";

/// RPCs that answer anybody, with the reason. What they say must still hold nothing of a conversation.
const PUBLIC: &[(&str, &str)] = &[
    ("samtal.intake.v1.CaseService/GetEntryPoint", "a door, its hours and its reasons are there for everybody to find"),
    ("samtal.intake.v1.CaseService/ListEntryPoints", "people look for their clinic before they are anybody here"),
    ("samtal.routing.v1.RoutingService/GetExpectedWait", "how long one waits at a door, coarsely, is on the door"),
    ("samtal.intake.v1.ReferralService/ReportReferral", "whoever has the code on the card may tell what became of it"),
    ("samtal.intake.v1.TransferService/ProposeTransfer", "another organisation's door, which is public, is where one may go on"),
    ("samtal.triage.v1.TriageService/NextQuestion", "the questions that a door asks everybody"),
    ("samtal.scheduling.v1.SchedulingService/GetOpening", "opening hours are on the door"),
    ("samtal.scheduling.v1.SchedulingService/ListOpenings", "opening hours are on the door"),
    ("samtal.intake.v1.CaseService/OpenCase", "anybody may come to a door; without a token, as a new visitor of that organisation"),
    ("samtal.intake.v1.CaseService/ResumeCase", "whoever has the return phrase is the visitor: it is the credential"),
];

/// Refusals that speak of the request's form, though it names something of beta's: said of any text that is not one's own.
const FORM: &[(&str, &str)] = &[
    ("samtal.intake.v1.FileService/UploadAttachment", "a piece without a start names nothing at all"),
    ("samtal.access.v1.PasskeyService/AddPasskey", "what no browser has made is no passkey, and names nobody's thing"),
    ("samtal.log.v1.EventLogService/Watch", "another's resume token does not open, like any other text"),
    ("samtal.intake.v1.CaseService/OpenCase", "a reason of another door, which is public, does not fit this one"),
    ("samtal.intake.v1.TransferService/ProposeTransfer", "one's own door, or a reason that is not that door's, is no place to go on"),
    ("samtal.triage.v1.TriageService/NextQuestion", "a reason of another door, which is public, does not fit this one"),
];

/// Whose thing a field names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Own,
    Other,
    Nobody,
}

/// Things of one organisation, by the name of the field that names them.
#[derive(Clone)]
pub struct Things {
    by_field: BTreeMap<&'static str, String>,
    starts_at: prost_types::Timestamp,
    token_hash: Vec<u8>,
    pub visitor: Option<Visitor>,
}

impl Things {
    /// Things that are nowhere.
    pub fn nowhere(suite: &TestSuite) -> Things {
        let id = || Id::new(suite.clock.now()).to_string();
        let by_field = FIELDS.iter().map(|field| (*field, if UUIDS.contains(field) { id() } else { "nobody-has-this".to_owned() }));
        Things { by_field: by_field.collect(), starts_at: proto::timestamp(suite.clock.now()), token_hash: vec![7; 32], visitor: None }
    }

    /// A case that Anna has, with a booking; another that is offered to Bo; a token; a place in the stream of events.
    pub async fn of(suite: &TestSuite, name: &'static str) -> Things {
        let door = format!("{name}-door");
        let reason = format!("{name}-cold");
        let visitor = suite.visitor(&door, &reason, &format!("{CANARY} {name}")).await;
        let anna = suite.worker(&format!("{name}.anna")).await;
        anna.present(true).await;
        anna.take(&visitor.case_id).await;
        anna.post(&visitor.case_id, "a1", &format!("{CANARY} {name}")).await.unwrap();
        let note =
            proto::intake::PostNoteRequest { case_id: visitor.case_id.clone(), client_id: "n1".into(), text: format!("{CANARY} {name}") };
        anna.conversations().post_note(note).await.unwrap();
        let attachment = crate::files::upload(&anna, &visitor.case_id, "text/plain", format!("{CANARY} {name}").as_bytes()).await.unwrap();
        let other = if name == "alfa" { "beta" } else { "alfa" };
        let transfer = proto::intake::ProposeTransferRequest {
            case_id: visitor.case_id.clone(),
            entry_point_id: format!("{other}-door"),
            contact_reason_id: format!("{other}-cold"),
            text: format!("{CANARY} {name}"),
            ..Default::default()
        };
        let transfer = anna.transfers().propose_transfer(transfer).await.unwrap().into_inner().transfer.unwrap();
        let now = suite.clock.now();
        let window = Interval { from: Some(proto::timestamp(now)), to: Some(proto::timestamp(now + Duration::from_secs(86_400))) };
        let list =
            ListSlotsRequest { clinic_id: format!("{name}-norr"), window: Some(window), page_size: 2, ..ListSlotsRequest::default() };
        let slots = anna.scheduling().list_slots(list).await.unwrap().into_inner().slots;
        let start = |index: usize| slots[index].time.unwrap().from;
        let resource_id = format!("{name}-room");
        let hold = HoldSlotRequest {
            case_id: visitor.case_id.clone(),
            resource_id: resource_id.clone(),
            starts_at: start(0),
            ..HoldSlotRequest::default()
        };
        let booking = anna.scheduling().hold_slot(hold).await.unwrap().into_inner().booking.unwrap();
        anna.present(false).await;
        let bo = suite.worker(&format!("{name}.bo")).await;
        bo.present(true).await;
        let second = suite.visitor(&door, &reason, &format!("{CANARY} {name}")).await;
        let offer = bo.offer(&second.case_id).await;
        let notification = eventually("Bo is notified of the offer", async || {
            let list = ListNotificationsRequest { case_id: second.case_id.clone() };
            bo.notifications().list_notifications(list).await.unwrap().into_inner().notifications.pop()
        })
        .await;
        let issued = suite
            .operator()
            .access()
            .issue_token(IssueTokenRequest {
                request_id: String::new(),
                principal: Some(Principal {
                    kind: PrincipalKind::Worker.into(),
                    id: format!("{name}.anna"),
                    organisation_id: name.to_owned(),
                    clinic_ids: Vec::new(),
                }),
                ttl_seconds: 0,
            })
            .await
            .unwrap()
            .into_inner();
        let journal = suite.integrator(name).await;
        let watch = WatchRequest { service: "intake".into(), from_start: true, ..WatchRequest::default() };
        let mut events = journal.log().watch(watch).await.unwrap().into_inner();
        let event = events.message().await.unwrap().unwrap();
        // Cia is invited; the link is the operator's to hand over.
        let invite = InviteWorkerRequest {
            worker_id: format!("{name}.cia"),
            email: format!("cia@{name}.example"),
            without_mail: true,
            ..InviteWorkerRequest::default()
        };
        let invited = suite.operator().invitations().invite_worker(invite).await.unwrap().into_inner();
        let by_field = BTreeMap::from([
            ("invitation_id", invited.invitation_id.clone()),
            ("mail_id", invited.invitation_id),
            ("passkey_id", Id::new(now).to_string()),
            ("invitation_token", invited.link.rsplit('/').next().unwrap().to_owned()),
            ("case_id", visitor.case_id.clone()),
            ("offer_id", offer.offer_id),
            ("booking_id", booking.booking_id),
            ("notification_id", notification.notification_id),
            ("token_id", issued.token_id),
            ("event_id", event.event.unwrap().event_id),
            ("resume_token", event.resume_token),
            ("return_phrase", visitor.opened.return_phrase.clone()),
            ("organisation_id", name.to_owned()),
            ("clinic_id", format!("{name}-norr")),
            ("queue_id", format!("{name}-push")),
            ("worker_id", format!("{name}.anna")),
            ("to_worker_id", format!("{name}.bo")),
            ("attachment_id", attachment.attachment_id),
            ("transfer_id", transfer.transfer_id),
            ("referral_target_id", format!("{name}-quit")),
            ("resource_id", resource_id),
            ("calendar_id", format!("{name}-hours")),
            ("entry_point_id", door),
            ("contact_reason_id", reason),
        ]);
        Things { by_field, starts_at: start(1).unwrap(), token_hash: auth::token_hash(&issued.token), visitor: Some(visitor) }
    }

    /// The thing that a field of this name means.
    pub fn id(&self, field: &str) -> String {
        self.by_field[field].clone()
    }

    /// Whether an answer holds anything of this organisation's.
    fn is_in(&self, name: &str, bytes: &[u8]) -> Option<String> {
        let capital = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let uuids = self.by_field.iter().filter(|(field, _)| field.ends_with("_id")).map(|(_, id)| id.clone());
        let marks = uuids.chain([format!("{name}-"), format!("{name}."), capital, format!("{CANARY} {name}")]);
        marks.filter(|mark| mark.len() > 3).find(|mark| bytes.windows(mark.len()).any(|window| window == mark.as_bytes()))
    }
}

/// Fields that name something by a UUID.
pub const UUIDS: [&str; 11] = [
    "case_id",
    "offer_id",
    "booking_id",
    "notification_id",
    "token_id",
    "event_id",
    "attachment_id",
    "transfer_id",
    "invitation_id",
    "mail_id",
    "passkey_id",
];

/// Fields that name something of an organisation's.
const FIELDS: &[&str] = &[
    "case_id",
    "offer_id",
    "booking_id",
    "notification_id",
    "token_id",
    "event_id",
    "resume_token",
    "return_phrase",
    "organisation_id",
    "clinic_id",
    "queue_id",
    "worker_id",
    "to_worker_id",
    "attachment_id",
    "transfer_id",
    "referral_target_id",
    "resource_id",
    "calendar_id",
    "entry_point_id",
    "contact_reason_id",
    "invitation_id",
    "invitation_token",
    "mail_id",
    "passkey_id",
];

/// What else a request needs, by the field's name; a field that is in no list fails the test, so that a new one is thought about.
fn plain(field: &FieldDescriptor, things: &Things) -> Option<Value> {
    let text = |text: &str| Some(Value::String(text.to_owned()));
    match field.name() {
        // May stay empty.
        "request_id" | "language" | "page_token" | "page_size" | "answers" | "state" | "states" | "due_at" | "for_whom" | "channel"
        | "leave_message" | "keep" | "visitor" | "external_ref" | "capacity" | "hold_seconds" | "after_seq" | "age" | "at"
        | "ttl_seconds" | "query" | "view" | "found_us_id" | "return_ticket" | "phone" | "cursors" | "dry_run" | "etag"
        | "practice_key" | "practising" | "limit" | "shard" | "token" | "to" => None,
        "from" if matches!(field.kind(), Kind::Message(_)) => None,
        "from" => Some(Value::I64(1)),
        "text" => text("hej"),
        "client_id" => text("tenants"),
        "access_reason" => text("continuity"),
        "file_name" => text("prov.txt"),
        "media_type" => text("text/plain"),
        "data" => Some(Value::Bytes(Bytes::from_static(b"hej"))),
        "item_id" => text("alfa-norr-lab"),
        "body_json" => text(r#"{"id":"alfa-norr-lab","clinic":"alfa-norr","title":{"sv":"a","en":"a"},"text":{"sv":"b","en":"b"}}"#),
        "step" => Some(Value::EnumNumber(1)),
        "done" => Some(Value::Bool(true)),
        "referral_code" => text("23456-789AB"),
        "once" | "attachment_ids" | "age_known" => None,
        "profession" => None,
        "field" => Some(Value::EnumNumber(1)),
        "value" => text("Någon"),
        "reason" => text("ett skäl"),
        "email" => text("nagon@visitor.example"),
        "region_json" => text(r#"{"region":"x","organisations":[]}"#),
        "service" => text("intake"),
        "token_hash" => Some(Value::Bytes(Bytes::from(things.token_hash.clone()))),
        "severity" => Some(Value::EnumNumber(3)),
        "outcome" | "kind" => Some(Value::EnumNumber(2)),
        "mode" => Some(Value::EnumNumber(1)),
        "rating" => Some(Value::I32(5)),
        "correlation_id" => Some(Value::U64(1)),
        "present" | "agreed" => Some(Value::Bool(true)),
        "from_start" => Some(Value::Bool(true)),
        "starts_at" => Some(wrap(field, &things.starts_at)),
        "window" => {
            let to = prost_types::Timestamp { seconds: things.starts_at.seconds + 86_400, nanos: 0 };
            Some(wrap(field, &Interval { from: Some(things.starts_at), to: Some(to) }))
        }
        // The pages' own calls, which no role of an organisation may make.
        "code_token" | "code" => text("123456"),
        "without_mail" => None,
        // What a browser makes, and no browser has made.
        "origin" => text("https://alfa.example"),
        "challenge" | "client_data_json" | "authenticator_data" | "public_key" | "credential_id" | "signature" => {
            Some(Value::Bytes(Bytes::from_static(b"nonsense")))
        }
        "provider" => text("siths"),
        "subject" => text("SE1-anna"),
        "verified_email" | "within_organisation_ids" | "may_lead" | "operator" | "device" | "keep_current" => None,
        "principal" => {
            let principal = Principal {
                kind: PrincipalKind::Worker.into(),
                id: things.by_field["worker_id"].clone(),
                organisation_id: things.by_field["organisation_id"].clone(),
                clinic_ids: vec![things.by_field["clinic_id"].clone()],
            };
            Some(wrap(field, &principal))
        }
        other => panic!(
            "{}: the field {other} has no value in this test; say what it means for another organisation",
            field.parent_message().full_name()
        ),
    }
}

fn wrap(field: &FieldDescriptor, message: &impl Message) -> Value {
    let Kind::Message(descriptor) = field.kind() else { panic!("{field:?} is no message") };
    Value::Message(DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).unwrap())
}

/// The request's fields that name something; `principal` is one of them.
pub fn names(request: &MessageDescriptor) -> Vec<String> {
    let naming = |name: &str| FIELDS.contains(&name) || name == "principal";
    request.fields().map(|field| field.name().to_owned()).filter(|name| naming(name)).collect()
}

pub struct World {
    pub own: Things,
    pub other: Things,
    pub nobody: Things,
}

impl World {
    fn things(&self, whose: Whose) -> &Things {
        match whose {
            Whose::Own => &self.own,
            Whose::Other => &self.other,
            Whose::Nobody => &self.nobody,
        }
    }

    /// A request whose n-th naming field names a thing of `whose[n]`.
    pub fn request(&self, descriptor: &MessageDescriptor, whose: &[Whose]) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        let naming = names(descriptor);
        // Of the slot, the start is whosever resource it is.
        let main = whose.iter().copied().find(|whose| *whose != Whose::Own).unwrap_or(Whose::Own);
        for field in descriptor.fields() {
            let of = naming.iter().position(|name| name == field.name()).and_then(|index| whose.get(index)).copied().unwrap_or(main);
            let things = self.things(of);
            let value = match things.by_field.get(field.name()) {
                // One token suffices; together they contradict each other.
                Some(id) => Some(Value::String(id.clone())),
                None => plain(&field, things),
            };
            if let Some(value) = value {
                message.set_field(&field, value);
            }
        }
        message
    }

    /// All requests for a method with things of `whose` in every combination with one's own: at least one is not one's own.
    fn requests(&self, method: &MethodDescriptor, whose: Whose) -> Vec<Bytes> {
        let input = method.input();
        if method.is_client_streaming() {
            // One frame of each kind.
            let kinds: Vec<FieldDescriptor> = input.oneofs().flat_map(|oneof| oneof.fields().collect::<Vec<_>>()).collect();
            assert!(!kinds.is_empty());
            let frames = kinds.into_iter().map(|kind| {
                let Kind::Message(inner) = kind.kind() else { panic!("{kind:?}") };
                let mut frame = DynamicMessage::new(input.clone());
                if input.get_field_by_name("correlation_id").is_some() {
                    frame.set_field_by_name("correlation_id", Value::U64(7));
                }
                frame.set_field(&kind, Value::Message(self.request(&inner, &vec![whose; names(&inner).len()])));
                Bytes::from(frame.encode_to_vec())
            });
            return frames.collect();
        }
        let count = names(&input).len();
        if count == 0 {
            return vec![Bytes::from(self.request(&input, &[]).encode_to_vec())];
        }
        (1..1_u32 << count)
            .map(|bits| (0..count).map(|n| if bits & (1 << n) == 0 { Whose::Own } else { whose }).collect::<Vec<_>>())
            .map(|whose| Bytes::from(self.request(&input, &whose).encode_to_vec()))
            .collect()
    }
}

fn reason(status: &Status) -> String {
    rpc::status::reason(status).unwrap_or_default()
}

async fn p15_no_rpc_shows_anything_of_another_organisation(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let world = World { own: Things::of(&suite, "alfa").await, other: Things::of(&suite, "beta").await, nobody: Things::nowhere(&suite) };
    let roles: Vec<(&str, Person)> = vec![
        ("anonymous", suite.anonymous()),
        ("visitor", world.own.visitor.clone().unwrap().me),
        ("worker", suite.worker("alfa.anna").await),
        ("volunteer", suite.volunteer("alfa.vera").await),
        ("leader", suite.leader("alfa.lea").await),
        ("integrator", suite.integrator("alfa").await),
    ];
    let mut faults = Vec::new();
    let mut calls = 0;
    for method in methods() {
        let path = path(&method);
        let silence = Duration::from_millis(if method.is_server_streaming() { 150 } else { 0 });
        for (role, person) in &roles {
            // Whoever may not call it at all learns nothing from it, whatever it names.
            let (about_other, about_nobody) = (world.requests(&method, Whose::Other), world.requests(&method, Whose::Nobody));
            for (other, nobody) in about_other.into_iter().zip(about_nobody) {
                calls += 1;
                let answer = call(person, &method, other, silence).await;
                if let Some(fault) = judge(&path, &answer, &world) {
                    faults.push(format!("{path} as {role}: {fault}"));
                }
                let public = PUBLIC.iter().any(|(public, _)| *public == path);
                if let (Err(status), false) = (&answer, public) {
                    let unknown = call(person, &method, nobody, silence).await;
                    let told = |status: &Status| (status.code(), reason(status), status.message().to_owned());
                    match unknown {
                        Err(unknown) if told(&unknown) == told(status) => {}
                        unknown => faults.push(format!(
                            "{path} as {role}: a thing of another's reads {:?}, one that does not exist {:?}",
                            told(status),
                            unknown.map(|answers| answers.len()).map_err(|status| told(&status))
                        )),
                    }
                }
            }
        }
    }
    assert!(calls > 400, "{calls}");
    assert!(faults.is_empty(), "{} of {calls} calls:\n{}", faults.len(), faults.join("\n"));
    // Every way into a conversation does lead into one's own: the refusals above were not of the requests' form.
    for method in methods() {
        let reads = ["Get", "List", "Subscribe", "Watch", "SetTyping", "PostMessage", "PostNote", "SetContact", "HoldSlot", "SetSeverity"];
        // Operators' and the pages' own.
        let nobodys = ["ListCursors", "ListDeadLetters", "ListDemoLogins", "ListDrift", "GetWaysIn", "GetInvitation", "GetAccessMail"];
        if !reads.iter().any(|verb| method.name().starts_with(verb)) || nobodys.contains(&method.name()) {
            continue;
        }
        let own = vec![Whose::Own; names(&method.input()).len()];
        let request = Bytes::from(world.request(&method.input(), &own).encode_to_vec());
        let mut refusals = Vec::new();
        for (role, person) in &roles {
            match call(person, &method, request.clone(), Duration::from_millis(150)).await {
                Ok(_) => refusals.clear(),
                Err(status) => refusals.push(format!("{role}: {:?} {}", status.code(), status.message())),
            }
            if refusals.is_empty() {
                break;
            }
        }
        assert!(refusals.is_empty(), "nobody of alfa may call {} on what is alfa's own: {refusals:#?}", path(&method));
    }
    integrators_see_their_own_events_only(&suite, &world).await;
}

/// What is wrong with an answer to a request that names something of beta's.
fn judge(path: &str, answer: &Result<Vec<Bytes>, Status>, world: &World) -> Option<String> {
    let public = PUBLIC.iter().any(|(public, _)| *public == path);
    match answer {
        Ok(messages) if public => {
            // The case of whoever holds its return phrase is theirs; everything else of a conversation is not public.
            let canary = format!("{CANARY} beta");
            messages
                .iter()
                .any(|bytes| bytes.windows(canary.len()).any(|part| part == canary.as_bytes()))
                .then(|| "a text of another's".to_owned())
        }
        Ok(messages) => messages.iter().find_map(|bytes| {
            // A stream of many conversations refuses frame by frame.
            world.other.is_in("beta", bytes).map(|mark| format!("the answer holds {mark}"))
        }),
        Err(status) => match status.code() {
            Code::NotFound | Code::PermissionDenied | Code::Unauthenticated => {
                let text = format!("{CANARY} beta");
                status.message().contains(&text).then(|| "a text of another's in the error".to_owned())
            }
            // Tests share an address, and so the limit on its tries; that it is reached says nothing of anybody's.
            Code::ResourceExhausted if public => None,
            // One's own case has a proposal that waits for its answer.
            Code::FailedPrecondition if reason(status) == "TRANSFER_OPEN" => None,
            Code::InvalidArgument if FORM.iter().any(|(form, _)| *form == path) => None,
            code => Some(format!("{code:?} {}: {}", reason(status), status.message())),
        },
    }
}

async fn integrators_see_their_own_events_only(suite: &TestSuite, world: &World) {
    let journal = suite.integrator("alfa").await;
    for service in ["intake", "triage", "routing", "scheduling", "notifications"] {
        let watch = WatchRequest { service: service.into(), from_start: true, ..WatchRequest::default() };
        let mut events = journal.log().watch(watch).await.unwrap().into_inner();
        let mut seen = 0;
        // Own events come first or last; read until the stream is silent, and once at least.
        while let Ok(event) = tokio::time::timeout(if seen == 0 { SOON } else { Duration::from_millis(200) }, events.message()).await {
            let bytes = event.unwrap().expect("the stream goes on").encode_to_vec();
            assert_eq!(world.other.is_in("beta", &bytes), None, "{service}");
            seen += 1;
        }
        assert!(seen > 0, "{service}");
    }
}
