//! Text messages, with a provider of the test's own on loopback.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use proto::notifications::DeliveryState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::domain::delivery::MAX_TRIES;

/// What a provider was asked: the head of the request, and its body.
type Asked = (String, serde_json::Value);

#[derive(Clone)]
struct Provider {
    url: String,
    /// Statuses of the next answers; then 202.
    script: Arc<Mutex<VecDeque<&'static str>>>,
    asked: watch::Sender<Vec<Asked>>,
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http+json://samtal:geheim@{}/v1/send", listener.local_addr().unwrap());
        let provider = Self { url, script: Arc::default(), asked: watch::Sender::new(Vec::new()) };
        let server = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.answer(stream).await });
            }
        });
        provider
    }

    fn will(&self, statuses: &[&'static str]) {
        self.script.lock().unwrap().extend(statuses);
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    async fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
        let (head, body) = loop {
            let read = stream.read(&mut chunk).await.ok()?;
            bytes.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8(bytes.clone()).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
            if body.len() == length {
                break (head.to_owned(), body.to_owned());
            }
        };
        let status = self.script.lock().unwrap().pop_front().unwrap_or("202 Accepted");
        self.asked.send_modify(|asked| asked.push((head, serde_json::from_str(&body).unwrap())));
        let answer = format!("HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.ok()
    }
}

impl Rig {
    /// A case whose visitor has left a telephone number.
    async fn with_phone(&self, n: u32) -> Id {
        let case = self.case(n).await;
        self.phone(case, "+46701740605").await.unwrap();
        case
    }

    async fn phone(&self, case: Id, phone: &str) -> Result<(), Status> {
        let wanted = wire::SetContactRequest { case_id: case.to_string(), phone: phone.into(), ..Default::default() };
        self.set_contact(&visitor(case), wanted).await
    }

    async fn addresses(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM contact").await
    }
}

#[tokio::test]
async fn a_text_message_is_neutral_and_its_number_is_forgotten_after_it() {
    let provider = Provider::start().await;
    let rig = Rig::with("", &provider.url).await;
    let case = rig.with_phone(1).await;
    rig.answered(case).await;
    rig.answered(case).await;
    rig.advance(AWAY).await;
    rig.until(case, State::Delivered, 1).await;
    let (head, body) = provider.asked().pop().unwrap();
    assert_eq!(
        (body["to"].as_str(), body["text"].as_str()),
        (Some("+46701740605"), Some("Ett meddelande väntar på dig: https://example.org/r"))
    );
    let id = body["id"].as_str().unwrap();
    assert!(head.starts_with("POST /v1/send HTTP/1.1") && head.contains(&format!("idempotency-key: {id}")), "{head}");
    assert!(head.contains("authorization: Basic c2FtdGFsOmdlaGVpbQ=="), "{head}");
    assert!(!format!("{head}{body}").contains(CANARY) && !body.to_string().contains(&case.to_string()));
    assert_eq!(rig.ended(case).await[1], ended("sms", "delivered", 1));
    // One message, then the number is gone, and a new absence has none to go to.
    assert_eq!(rig.addresses().await, 0);
    rig.intake(case, &intake::VisitorReturned { seq: 2 }).await;
    rig.answered(case).await;
    rig.advance(AWAY * 2).await;
    assert_eq!(provider.asked().len(), 1);
}

#[tokio::test]
async fn a_provider_that_says_later_is_asked_again_under_the_same_key() {
    let provider = Provider::start().await;
    let rig = Rig::with("", &provider.url).await;
    let case = rig.with_phone(1).await;
    // It had taken the second one after all.
    provider.will(&["503 Busy", "429 Slowly", "409 Known"]);
    rig.answered(case).await;
    rig.advance(AWAY).await;
    for tries in 1..=2 {
        rig.until(case, State::Pending, tries).await;
        rig.advance_to_next().await;
    }
    rig.until(case, State::Delivered, 3).await;
    let asked = provider.asked();
    assert!(asked.len() == 3 && asked.iter().all(|(_, body)| *body == asked[0].1), "{asked:?}");
    assert_eq!(rig.addresses().await, 0);
}

#[tokio::test]
async fn what_is_refused_or_redirected_fails_and_what_never_works_expires() {
    let provider = Provider::start().await;
    let rig = Rig::with("", &provider.url).await;
    let (refused, elsewhere, never) = (rig.with_phone(1).await, rig.with_phone(2).await, rig.with_phone(3).await);
    for (case, status) in [(refused, "400 No such number"), (elsewhere, "307 Elsewhere")] {
        provider.will(&[status]);
        rig.answered(case).await;
        rig.advance(AWAY).await;
        rig.until(case, State::Failed, 1).await;
    }
    assert_eq!(rig.addresses().await, 1);
    provider.will(&["500 Broken"; MAX_TRIES as usize]);
    rig.answered(never).await;
    rig.advance(AWAY).await;
    for tries in 1..MAX_TRIES {
        rig.until(never, State::Pending, tries).await;
        while rig.outgoing(never).await[0].tries == tries {
            rig.advance_to_next().await;
        }
    }
    rig.until(never, State::Expired, MAX_TRIES).await;
    assert_eq!((rig.addresses().await, rig.outgoing(never).await[0].state()), (0, DeliveryState::Expired));
}

#[tokio::test]
async fn whoever_comes_back_in_time_gets_no_text_message() {
    let provider = Provider::start().await;
    let rig = Rig::with("", &provider.url).await;
    let case = rig.with_phone(1).await;
    rig.answered(case).await;
    rig.intake(case, &intake::VisitorReturned { seq: 2 }).await;
    rig.advance(AWAY * 2).await;
    assert_eq!((provider.asked().len(), rig.outgoing(case).await[0].state()), (0, DeliveryState::Cancelled));
}

#[tokio::test]
async fn numbers_are_whole_or_refused_and_without_a_provider_none_is_kept() {
    let provider = Provider::start().await;
    let rig = Rig::with("", &provider.url).await;
    let case = rig.case(1).await;
    for wrong in ["0701740605", "+0701740605", "+46 70 174 06 05", "+46", "+4670174060512345", "tel:+46701740605"] {
        assert_eq!(fields(&rig.phone(case, wrong).await.unwrap_err()), ["phone"], "{wrong}");
    }
    let both = wire::SetContactRequest {
        case_id: case.to_string(),
        email: "anna@example.net".into(),
        phone: "+46701740605".into(),
        ..Default::default()
    };
    assert_eq!(fields(&rig.set_contact(&visitor(case), both).await.unwrap_err()), ["phone"]);
    let without = Rig::new("").await;
    let case = without.case(1).await;
    assert_eq!(without.phone(case, "+46701740605").await.unwrap_err().code(), tonic::Code::FailedPrecondition);
}
