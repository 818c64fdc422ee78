//! A TCP proxy on loopback: the network between two parties, for a test to spoil.

use crate::ports::Port;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is wrong with the network. The two counts say how often it has happened so far; a connection that is older is concerned.
#[derive(Clone, Copy, Default)]
struct Weather {
    /// Nothing moves, and nothing is lost: what was sent arrives when it is over, as TCP has it.
    stalled: bool,
    forgotten: usize,
    cut: usize,
}

struct Inner {
    port: Port,
    behind: watch::Sender<Vec<u16>>,
    weather: watch::Sender<Weather>,
    /// Connections made so far, to take those behind in turn.
    count: AtomicUsize,
}

/// Passes connections on to the first port behind it that answers, taking them in turn, as a load balancer does. Cheap to clone; ends
/// with the test's runtime.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

impl Proxy {
    /// In front of these ports on 127.0.0.1.
    pub async fn start(behind: &[u16]) -> Proxy {
        let port = Port::free();
        let listener = TcpListener::bind(("127.0.0.1", port.number())).await.expect("a port of one's own");
        let weather = watch::Sender::default();
        let proxy = Proxy(Arc::new(Inner { port, behind: watch::Sender::new(behind.to_vec()), weather, count: AtomicUsize::new(0) }));
        let server = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(server.clone().connect(client));
            }
        });
        proxy
    }

    /// `127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0.port.number())
    }

    /// From now on new connections go to these; those there are stay.
    pub fn send_to(&self, behind: &[u16]) {
        self.0.behind.send_replace(behind.to_vec());
    }

    /// Holds everything back, also new connections, until [`Proxy::heal`].
    pub fn stall(&self) {
        self.0.weather.send_modify(|weather| weather.stalled = true);
    }

    /// Ends [`Proxy::stall`].
    pub fn heal(&self) {
        self.0.weather.send_modify(|weather| weather.stalled = false);
    }

    /// Every connection there is goes half-open: both ends think that it lives, what they send is swallowed, and nothing ends it. New
    /// ones are well.
    pub fn forget(&self) {
        self.0.weather.send_modify(|weather| weather.forgotten += 1);
    }

    /// Ends every connection there is.
    pub fn cut(&self) {
        self.0.weather.send_modify(|weather| weather.cut += 1);
    }

    async fn connect(self, client: TcpStream) {
        let mut weather = self.0.weather.subscribe();
        let born = *weather.borrow();
        if weather.wait_for(|now| !now.stalled).await.is_err() {
            return;
        }
        let behind = self.0.behind.borrow().clone();
        let first = self.0.count.fetch_add(1, Ordering::Relaxed);
        for turn in 0..behind.len() {
            if let Ok(server) = TcpStream::connect(("127.0.0.1", behind[(first + turn) % behind.len()])).await {
                client.set_nodelay(true).ok();
                server.set_nodelay(true).ok();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let there = pass(from_client, to_server, weather.clone(), born);
                let back = pass(from_server, to_client, weather, born);
                // An end of one direction is passed on; the connection is over when both have ended.
                tokio::join!(there, back);
                return;
            }
        }
        // Nobody answers: the client's connection ends.
    }
}

/// One direction, until either side or the weather ends it.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut weather: watch::Receiver<Weather>, born: Weather) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            _ = weather.wait_for(|now| now.cut > born.cut) => break,
        };
        let Ok(now) = weather.wait_for(|now| !now.stalled || now.cut > born.cut).await.map(|now| *now) else { break };
        if now.cut > born.cut {
            break;
        }
        match (count, now.forgotten > born.forgotten) {
            (0, false) => break,
            // One end is gone, and the other is not told.
            (0, true) => {
                weather.wait_for(|now| now.cut > born.cut).await.ok();
                break;
            }
            (_, true) => continue,
            (_, false) => {}
        }
        tokio::select! {
            written = to.write_all(&buffer[..count]) => if written.is_err() { break },
            _ = weather.wait_for(|now| now.cut > born.cut) => break,
        }
    }
    to.shutdown().await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        port
    }

    async fn answers(stream: &mut TcpStream) -> bool {
        let mut byte = [0];
        stream.write_all(b"x").await.is_ok() && stream.read(&mut byte).await.is_ok_and(|count| count == 1)
    }

    async fn hangs(stream: &mut TcpStream) -> bool {
        tokio::time::timeout(Duration::from_millis(200), answers(stream)).await.is_err()
    }

    #[tokio::test]
    async fn it_passes_on_and_holds_back_and_forgets_and_cuts() {
        let proxy = Proxy::start(&[Port::free().number(), echo().await]).await;
        let mut one = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(answers(&mut one).await, "the one behind that does not answer is passed over");
        proxy.stall();
        assert!(hangs(&mut one).await);
        proxy.heal();
        let mut byte = [0];
        one.read_exact(&mut byte).await.unwrap();
        assert!(answers(&mut one).await, "nothing was lost");
        proxy.forget();
        assert!(hangs(&mut one).await);
        let mut two = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(answers(&mut two).await && hangs(&mut one).await);
        proxy.cut();
        assert!(!answers(&mut two).await && !answers(&mut one).await);
    }
}
