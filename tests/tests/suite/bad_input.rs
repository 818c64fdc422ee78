//! What is wrong with a request is said in the same way by every RPC: the right code, a stable reason, the field. Generated from the
//! contracts, so that a new RPC is tested from its first day.

use crate::dynamic::{call, methods, path};
use crate::tenants::{Things, UUIDS, Whose, World, names};
use auth::Role;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, ReflectMessage, Value};
use samtal_tests::suite::{Person, SOON, Stack, TestSuite, refused};
use std::time::Duration;
use tonic::client::GrpcService;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The longest text of a conversation.
const MAX_TEXT: usize = 16 * 1024;
/// The largest request of all but a region's description.
const MAX_REQUEST: usize = 64 * 1024;

/// Fields that may hold any text, with the reason.
const ANY_TEXT: &[(&str, &str)] = &[
    ("token", "a frame's token: one that is unknown is refused as a token"),
    ("region_json", "a region's description has a limit of its own"),
];

const TOO_LONG: &str = "16 KiB and a byte";

/// Bodies of requests that hold no whole message: an unknown flag, cut short, compressed without saying how.
const NO_FRAMES: [&[u8]; 3] = [b"\x07\0\0\0\x01\0", b"\0\0\0\0\x0a\x01\x02", b"\x01\0\0\0\x01\0"];

/// What is answered to a request whose body is `frame` as it stands.
async fn framed(mut channel: Channel, path: &str, token: &str, frame: &'static [u8]) -> Status {
    let mut request = http::Request::post(format!("http://suite/{path}")).header("content-type", "application/grpc");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = tonic::body::Body::new(Full::new(Bytes::from_static(frame)));
    std::future::poll_fn(|cx| GrpcService::poll_ready(&mut channel, cx)).await.unwrap();
    let answer = GrpcService::call(&mut channel, request.body(body).unwrap()).await.unwrap();
    if let Some(status) = Status::from_header_map(answer.headers()) {
        return status;
    }
    // It ends with its reason, in trailers.
    let mut body = answer.into_body();
    let end = async {
        loop {
            let frame = body.frame().await.expect("a reason").unwrap();
            if let Some(status) = frame.trailers_ref().and_then(Status::from_header_map) {
                return status;
            }
        }
    };
    tokio::time::timeout(SOON, end).await.expect("it ends")
}

struct Door {
    suite: TestSuite,
    world: World,
    people: Vec<(Role, Person)>,
}

impl Door {
    async fn open() -> Door {
        let suite = TestSuite::start(Stack::Embedded).await;
        let own = Things::of(&suite, "alfa").await;
        let visitor = own.visitor.clone().unwrap().me;
        let people = vec![
            (Role::Anonymous, suite.anonymous()),
            (Role::Visitor, visitor),
            (Role::Worker, suite.worker("alfa.anna").await),
            (Role::Volunteer, suite.volunteer("alfa.vera").await),
            (Role::Leader, suite.leader("alfa.lea").await),
            (Role::Integrator, suite.integrator("alfa").await),
            (Role::Operator, suite.operator()),
            (Role::Service, suite.service("intake")),
        ];
        let world = World { other: Things::nowhere(&suite), nobody: Things::nowhere(&suite), own };
        Door { suite, world, people }
    }

    fn person(&self, role: Role) -> &Person {
        &self.people.iter().find(|(one, _)| *one == role).unwrap().1
    }

    /// Those who may call it, by the policy.
    fn allowed(&self, method: &MethodDescriptor) -> Vec<Role> {
        let path = path(method);
        let rules = auth::policy::rules(&path);
        assert!(!rules.is_empty(), "{path} is in no policy");
        rules.iter().map(|(role, _)| *role).collect()
    }

    /// A request about one's own things, as good as any.
    fn good(&self, method: &MethodDescriptor) -> DynamicMessage {
        if method.is_client_streaming() {
            return DynamicMessage::new(method.input());
        }
        self.world.request(&method.input(), &vec![Whose::Own; names(&method.input()).len()])
    }
}

async fn status(person: &Person, method: &MethodDescriptor, request: &DynamicMessage) -> Option<Status> {
    call(person, method, Bytes::from(request.encode_to_vec()), Duration::from_millis(100)).await.err()
}

fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "samtal");
    info.reason
}

fn violated(status: &Status) -> Vec<String> {
    status.get_details_bad_request().map(|bad| bad.field_violations.into_iter().map(|one| one.field).collect()).unwrap_or_default()
}

/// Methods whose requests come whole.
fn unary() -> impl Iterator<Item = MethodDescriptor> {
    methods().into_iter().filter(|method| !method.is_client_streaming())
}

fn strings(method: &MethodDescriptor) -> Vec<FieldDescriptor> {
    method.input().fields().filter(|field| matches!(field.kind(), Kind::String) && !field.is_list()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_call_is_told_so() {
    let door = Door::open().await;
    let stranger = door.suite.with_token("this-is-nobodys-token");
    let mut calls = 0;
    for method in methods() {
        let (path, allowed, request) = (path(&method), door.allowed(&method), door.good(&method));
        for (role, person) in &door.people {
            if allowed.contains(role) {
                continue;
            }
            calls += 1;
            let status = status(person, &method, &request).await.unwrap_or_else(|| panic!("{path} lets {role:?} in"));
            let expected =
                if *role == Role::Anonymous { (Code::Unauthenticated, "TOKEN_MISSING") } else { (Code::PermissionDenied, "NOT_ALLOWED") };
            assert_eq!((status.code(), reason(&status).as_str()), expected, "{path} as {role:?}");
        }
        let status = status(&stranger, &method, &request).await.unwrap_or_else(|| panic!("{path} takes any token"));
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "TOKEN_INVALID"), "{path}");
    }
    assert!(calls > 200, "{calls}");
}

/// `good` with one thing wrong in it, at any depth.
struct Spoilt {
    /// `answers[0].question_id`
    field: String,
    what: String,
    request: DynamicMessage,
}

/// Every way to spoil a message, one at a time; its lists get one element.
fn spoil(good: &DynamicMessage) -> Vec<Spoilt> {
    let mut all = Vec::new();
    for field in good.descriptor().fields() {
        let name = field.name().to_owned();
        let mut add = |field_path: String, what: String, value: Value| {
            let mut request = good.clone();
            request.set_field(&field, if field.is_list() { Value::List(vec![value]) } else { value });
            all.push(Spoilt { field: field_path, what, request });
        };
        let at = if field.is_list() { format!("{name}[0]") } else { name.clone() };
        match field.kind() {
            _ if field.is_map() => {}
            Kind::String if UUIDS.contains(&name.as_str()) => {
                for nonsense in ["nonsense", "", "018F4E7A-6F3C-7C1E-9B5A-3F1D2C4B5A69"] {
                    add(at.clone(), format!("{nonsense:?}"), Value::String(nonsense.into()));
                }
            }
            Kind::String if !ANY_TEXT.iter().any(|(any, _)| *any == name) => {
                add(at, TOO_LONG.into(), Value::String("x".repeat(MAX_TEXT + 1)))
            }
            Kind::Enum(_) => add(at, "an unknown number".into(), Value::EnumNumber(99)),
            Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
                for (seconds, nanos) in [(-1, 0), (1, -1), (i64::MAX, 0)] {
                    let stamp = prost_types::Timestamp { seconds, nanos };
                    let value = DynamicMessage::decode(message.clone(), stamp.encode_to_vec().as_slice()).unwrap();
                    add(at.clone(), format!("{seconds} s {nanos} ns"), Value::Message(value));
                }
            }
            Kind::Message(message) => {
                let inner = match good.get_field(&field).as_ref() {
                    Value::Message(there) if good.has_field(&field) => there.clone(),
                    _ => DynamicMessage::new(message.clone()),
                };
                for spoilt in spoil(&inner) {
                    add(format!("{at}.{}", spoilt.field), spoilt.what, Value::Message(spoilt.request));
                }
            }
            Kind::Int32 if ["page_size", "rating"].contains(&name.as_str()) => {
                for number in [-1, i32::MAX] {
                    add(at.clone(), number.to_string(), Value::I32(number));
                }
            }
            Kind::Int64 if name == "after_seq" => add(at, "-1".into(), Value::I64(-1)),
            _ => {}
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_by_its_field() {
    let door = Door::open().await;
    let (mut faults, mut deep) = (Vec::new(), 0);
    for method in unary() {
        let path = path(&method);
        for Spoilt { field, what, request } in spoil(&door.good(&method)) {
            deep += usize::from(field.contains('.'));
            for role in door.allowed(&method) {
                // A visitor's list needs a case, staff's may go without; a cursor may know its position only.
                let may_be_empty = (path.ends_with("ListNotifications") && role != Role::Visitor) || field == "cursors[0].event_id";
                if what == "\"\"" && may_be_empty {
                    continue;
                }
                let fault = match status(door.person(role), &method, &request).await {
                    Some(status) if status.code() == Code::InvalidArgument && reason(&status) == "INVALID_FIELD" => {
                        let named = violated(&status);
                        // What else is missing in an element of a list may be named as well.
                        let element = field.find("].").map_or(field.as_str(), |at| &field[..at + 2]);
                        let within = |one: &String| {
                            one.starts_with(element) || field.starts_with(&format!("{one}[")) || one.starts_with(&format!("{field}."))
                        };
                        if named.iter().any(within) {
                            continue;
                        }
                        format!("names {named:?}")
                    }
                    // Of all services only the gateway may begin a session.
                    Some(status) if path.ends_with("BeginSession") && status.code() == Code::PermissionDenied => continue,
                    // A name that is too long to exist may be refused as one that does not.
                    Some(status) if what == TOO_LONG && status.code() == Code::NotFound => continue,
                    other => format!("{:?}", other.map(|status| (status.code(), status.message().to_owned()))),
                };
                faults.push(format!("{path} as {role:?}: {what} in {field}: {fault}"));
            }
        }
    }
    assert!(deep > 10, "{deep}");
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_not_found() {
    let door = Door::open().await;
    let mut faults = Vec::new();
    for method in unary() {
        let path = path(&method);
        for field in method.input().fields().filter(|field| UUIDS.contains(&field.name())) {
            let mut request = door.good(&method);
            request.set_field(&field, Value::String(door.world.nobody.id(field.name())));
            for role in door.allowed(&method) {
                let status = status(door.person(role), &method, &request).await;
                let lists = path.ends_with("ListNotifications") && role != Role::Visitor;
                if !lists && !matches!(&status, Some(status) if status.code() == Code::NotFound && reason(status) == "NOT_FOUND") {
                    faults.push(format!("{path} as {role:?}: an unknown {}: {status:?}", field.name()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_never_reaches_a_handler() {
    let door = Door::open().await;
    for method in unary() {
        let path = path(&method);
        let limit = if path.contains("ConfigService") { runtime::MAX_CONFIG_REQUEST } else { MAX_REQUEST };
        let Some(field) = strings(&method).into_iter().next() else { continue };
        let mut request = door.good(&method);
        request.set_field(&field, Value::String("x".repeat(limit + 1)));
        for role in door.allowed(&method) {
            let status = status(door.person(role), &method, &request).await.unwrap_or_else(|| panic!("{path} takes everything"));
            assert_eq!(status.code(), Code::ResourceExhausted, "{path} as {role:?}: {status:?}");
            assert_eq!(rpc::status::reason(&status).as_deref(), Some("MESSAGE_TOO_LARGE"), "{path} as {role:?}: {status:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_are_refused() {
    let door = Door::open().await;
    for method in unary() {
        let person = door.person(*door.allowed(&method).last().unwrap());
        let garbage = Bytes::from_static(b"\xff\xff\xff\xff garbage");
        let status = call(person, &method, garbage, Duration::from_millis(100)).await.expect_err("garbage");
        refused::<()>(Err(status), Code::InvalidArgument, "NOT_DECODABLE");
    }
    for method in methods() {
        for frame in NO_FRAMES {
            let token = &door.person(*door.allowed(&method).last().unwrap()).token;
            let status = framed(door.suite.channel(), &path(&method), token, frame).await;
            // A stream that takes frames may have begun to answer; its end says why it ended.
            refused::<()>(Err(status), Code::InvalidArgument, "NOT_DECODABLE");
        }
    }
    // And the suite is none the worse.
    let things = &door.world.own;
    door.person(Role::Worker).messages(&things.id("case_id")).await.unwrap();
    assert_eq!(
        door.person(Role::Worker)
            .post(&things.id("case_id"), "exact", &"å".repeat(MAX_TEXT / 2))
            .await
            .unwrap()
            .message
            .unwrap()
            .text
            .len(),
        MAX_TEXT
    );
}
