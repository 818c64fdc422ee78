//! A mail server on loopback that keeps what it is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// One mail as it was handed over.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The envelope's sender and recipient lines.
    pub envelope: String,
    /// Headers and body, with the encoding that they came in.
    pub text: String,
}

/// A running catcher; it ends with the test.
#[derive(Clone)]
pub struct Catcher {
    pub url: String,
    mails: watch::Sender<Vec<Mail>>,
    /// How many mails are still to be refused for now (451).
    refuse: Arc<AtomicUsize>,
}

impl Catcher {
    pub async fn start() -> Catcher {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let catcher = Catcher {
            url: format!("smtp://{}", listener.local_addr().expect("bound")),
            mails: watch::Sender::new(Vec::new()),
            refuse: Arc::default(),
        };
        let server = catcher.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                // A connection that breaks is the client's to repeat.
                tokio::spawn(async move { server.talk(stream).await.ok() });
            }
        });
        catcher
    }

    /// Refuses the next `count` mails with "try later".
    pub fn refuse(&self, count: usize) {
        self.refuse.store(count, Ordering::SeqCst);
    }

    pub fn refusals_left(&self) -> usize {
        self.refuse.load(Ordering::SeqCst)
    }

    /// What has come so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.borrow().clone()
    }

    /// What has come once there are `count`.
    pub async fn wait(&self, count: usize) -> Vec<Mail> {
        let mut mails = self.mails.subscribe();
        let come = tokio::time::timeout(crate::suite::SOON, mails.wait_for(|mails| mails.len() >= count)).await;
        let come = come.unwrap_or_else(|_| panic!("{} mails have come, not {count}", self.mails.borrow().len()));
        come.expect("the sender lives in self").clone()
    }

    async fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut envelope = String::new();
        write.write_all(b"220 catcher\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let command = line.get(..4).unwrap_or(&line).to_ascii_uppercase();
            let answer = match command.as_str() {
                "MAIL" if self.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() => "451 later",
                "MAIL" | "RCPT" => {
                    envelope.push_str(&line);
                    envelope.push('\n');
                    "250 ok"
                }
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await?;
                    let mut text = String::new();
                    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                        text.push_str(&line);
                        text.push('\n');
                    }
                    let mail = Mail { envelope: std::mem::take(&mut envelope), text };
                    self.mails.send_modify(|mails| mails.push(mail));
                    "250 kept"
                }
                "QUIT" => return write.write_all(b"221 bye\r\n").await,
                _ => "250 ok",
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}
