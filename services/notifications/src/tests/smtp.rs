//! A mail server that keeps what it is given, and says no when it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// What happens to the next mail.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    Take,
    /// This answer to RCPT.
    Recipient(&'static str),
    /// This answer to the text.
    Text(&'static str),
}

#[derive(Clone)]
pub struct Catcher {
    pub url: String,
    script: Arc<Mutex<VecDeque<Reply>>>,
    /// Attempts so far: RCPT lines.
    attempts: watch::Sender<usize>,
    mails: watch::Sender<Vec<String>>,
    /// A permit is needed to answer a text.
    patience: Arc<Semaphore>,
}

impl Catcher {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let catcher = Self {
            url: format!("smtp://{}", listener.local_addr().unwrap()),
            script: Arc::default(),
            attempts: watch::Sender::new(0),
            mails: watch::Sender::new(Vec::new()),
            patience: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        };
        let server = catcher.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.talk(stream).await });
            }
        });
        catcher
    }

    /// Takes texts, and answers each only after a `let_go`.
    pub fn stall(&self) {
        self.patience.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn let_go(&self) {
        self.patience.add_permits(1);
    }

    pub fn will(&self, replies: &[Reply]) {
        self.script.lock().unwrap().extend(replies);
    }

    /// The mails that were taken, once there are `count`.
    pub async fn mails(&self, count: usize) -> Vec<String> {
        self.mails.subscribe().wait_for(|mails| mails.len() >= count).await.unwrap().clone()
    }

    pub fn taken(&self) -> usize {
        self.mails.borrow().len()
    }

    pub async fn attempts(&self, count: usize) {
        self.attempts.subscribe().wait_for(|attempts| *attempts >= count).await.unwrap();
    }

    pub fn tried(&self) -> usize {
        *self.attempts.borrow()
    }

    async fn talk(&self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 catcher\r\n").await.ok()?;
        let mut reply = Reply::Take;
        while let Some(line) = lines.next_line().await.ok()? {
            let answer = match line.split(' ').next().unwrap().to_ascii_uppercase().as_str() {
                "MAIL" => {
                    reply = self.script.lock().unwrap().pop_front().unwrap_or(Reply::Take);
                    "250 ok"
                }
                "RCPT" => {
                    self.attempts.send_modify(|attempts| *attempts += 1);
                    if let Reply::Recipient(answer) = reply { answer } else { "250 ok" }
                }
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await.ok()?;
                    let mut text = String::new();
                    loop {
                        let line = lines.next_line().await.ok()??;
                        if line == "." {
                            break;
                        }
                        text.push_str(&line);
                        text.push('\n');
                    }
                    self.patience.acquire().await.unwrap().forget();
                    if let Reply::Text(answer) = reply {
                        answer
                    } else {
                        self.mails.send_modify(|mails| mails.push(text));
                        "250 ok"
                    }
                }
                "QUIT" => {
                    write.write_all(b"221 bye\r\n").await.ok()?;
                    return None;
                }
                _ => "250 ok",
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        }
        None
    }
}

/// A header's value, and all that can be read in it.
pub fn header(mail: &str, name: &str) -> String {
    let (headers, _) = mail.split_once("\n\n").unwrap();
    let unfolded = headers.replace("\n ", " ");
    let line =
        unfolded.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_else(|| panic!("no {name} in {mail}"));
    let decode = |word: &str| match word.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).unwrap()).unwrap(),
        None => word.to_owned(),
    };
    line.split(' ').map(decode).collect::<Vec<_>>().join(" ")
}

/// The text as its reader sees it.
pub fn body(mail: &str) -> String {
    let (_, body) = mail.split_once("\n\n").unwrap();
    match header(mail, "Content-Transfer-Encoding").as_str() {
        "7bit" | "8bit" => body.to_owned(),
        "base64" => {
            let joined: String = body.split_whitespace().collect();
            String::from_utf8(base64::engine::general_purpose::STANDARD.decode(joined).unwrap()).unwrap().replace("\r\n", "\n")
        }
        "quoted-printable" => {
            let joined = body.replace("=\n", "");
            let (mut bytes, mut rest) = (Vec::new(), joined.as_str());
            while let Some((before, after)) = rest.split_once('=') {
                bytes.extend_from_slice(before.as_bytes());
                bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
                rest = &after[2..];
            }
            bytes.extend_from_slice(rest.as_bytes());
            String::from_utf8(bytes).unwrap()
        }
        other => panic!("the encoding {other}"),
    }
}
