//! Loopback ports for tests.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A port on 127.0.0.1 that no other test takes as long as this value lives, even while nothing listens on it.
///
/// Not from `bind(0)`: such a port lies in the range of outgoing connections, so while its server is down a client that reconnects
/// in a loop can be given that very port, connect to itself and keep the server from ever coming back.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Locked (flock) by us; the system lets go of it when we die.
    _lock: File,
}

impl Port {
    /// Finds a free one. Panics if there is none.
    pub fn free() -> Port {
        let folder = lock_folder();
        let (low, high) = range();
        let span = u64::from(high - low) + 1;
        let start = RandomState::new().hash_one(std::process::id());
        for step in 0..span {
            let number = low + u16::try_from((start.wrapping_add(step)) % span).expect("smaller than the span");
            let Ok(lock) = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(number.to_string())) else {
                continue; // another user's
            };
            if lock.try_lock().is_ok() && nobody_listens(number) {
                return Port { number, _lock: lock };
            }
        }
        panic!("no free port between {low} and {high} on 127.0.0.1")
    }

    /// The port number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Asked by connecting. Whoever binds to find out passes the port on to every child that is started meanwhile, until its exec, and cannot
/// listen on it so long.
fn nobody_listens(number: u16) -> bool {
    TcpStream::connect(("127.0.0.1", number)).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn lock_folder() -> PathBuf {
    let folder = std::env::temp_dir().join("samtal-test-ports");
    if std::fs::create_dir(&folder).is_ok() {
        // Shared by all users of the machine, as the ports are.
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o1777)).expect("own new folder");
    }
    folder
}

/// Below the range of outgoing connections, where that leaves room.
fn range() -> (u16, u16) {
    let outgoing_from = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse::<u16>().ok())
        .unwrap_or(32_768);
    if outgoing_from > 12_000 { (10_000, outgoing_from - 1) } else { (10_000, 32_767) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_port_is_given_once_while_it_is_held() {
        let ports: Vec<Port> = (0..50).map(|_| Port::free()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
    }

    /// Between its fork and its exec a child holds what we hold.
    #[test]
    fn a_port_can_be_listened_on_at_once_while_processes_start() {
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                        std::process::Command::new("true").status().expect("true");
                    }
                });
            }
            let failed = (0..1000).filter(|_| TcpListener::bind(("127.0.0.1", Port::free().number())).is_err()).count();
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
            assert_eq!(failed, 0, "of 1000");
        });
    }
}
