//! An open screen as a client keeps it: it comes back whenever its stream ends, and goes on after what it has seen.

use futures::future::BoxFuture;
use proto::intake::SubscribeRequest;
use proto::intake::subscribe_response::Event;
use samtal_tests::suite::Person;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

#[derive(Default)]
struct Seen {
    seqs: Vec<i64>,
    opened: usize,
}

/// Closes when dropped.
pub struct Screen {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Screen {
    /// On a connection that stays.
    pub fn open(person: Person, case_id: &str) -> Screen {
        Screen::over(
            move |_| {
                let person = person.clone();
                Box::pin(async move { Some((person, Duration::from_secs(3600))) })
            },
            case_id,
        )
    }

    /// `connect` is asked before each stream, with the number of the stream, for a connection and how long to stay on it; None: not now.
    pub fn over(
        mut connect: impl FnMut(usize) -> BoxFuture<'static, Option<(Person, Duration)>> + Send + 'static,
        case_id: &str,
    ) -> Screen {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (kept, case_id) = (seen.clone(), case_id.to_owned());
        let task = tokio::spawn(async move {
            for number in 0.. {
                if let Some((person, stay)) = connect(number).await {
                    // However it ends, the next stream goes on from here.
                    tokio::time::timeout(stay, follow(&person, &case_id, &kept)).await.ok();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Screen { seen, task }
    }

    /// Every seq that was shown, as it came.
    pub fn seqs(&self) -> Vec<i64> {
        self.seen.lock().unwrap().seqs.clone()
    }

    /// Streams that were opened so far.
    pub fn opened(&self) -> usize {
        self.seen.lock().unwrap().opened
    }

    /// The last seq that was shown.
    pub fn last(&self) -> i64 {
        self.seen.lock().unwrap().seqs.last().copied().unwrap_or(0)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(person: &Person, case_id: &str, seen: &Mutex<Seen>) {
    let after_seq = seen.lock().unwrap().seqs.last().copied().unwrap_or(0);
    let request = SubscribeRequest { case_id: case_id.to_owned(), after_seq };
    let Ok(stream) = person.conversations().subscribe(request).await else { return };
    let mut stream = stream.into_inner();
    seen.lock().unwrap().opened += 1;
    while let Ok(Some(event)) = stream.message().await {
        match event.event {
            Some(Event::Message(message)) => seen.lock().unwrap().seqs.push(message.seq),
            Some(Event::Resync(resync)) => {
                assert_eq!(seen.lock().unwrap().seqs.last().copied().unwrap_or(0), resync.after_seq, "what was given before it has come");
            }
            _ => {}
        }
    }
}
