//! Hands e-mails to the mail server and text messages to their provider, outside every transaction, and commits how it went.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernel::{Error, Id, Result};
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use log::Origin;
use runtime::Node;
use tokio::sync::{Semaphore, mpsc};

use super::deliver::Claim;
use super::{deliver, mail, sms, way_in};
use crate::domain::delivery::{Outcome, State};
use crate::domain::texts;
use crate::store::contacts::{Address, Contact};
use crate::store::notifications::Channel;

/// One step of a conversation with the mail server takes at most this long, all of it `WHOLE`; both are well within the lease.
const STEP: Duration = Duration::from_secs(20);
const WHOLE: Duration = Duration::from_secs(40);
/// Mails on their way at a time.
const AT_ONCE: usize = 8;
/// Mails that may wait here. One that finds no room is tried again when its lease is over.
const WAITING: usize = 4_096;
/// Before an outcome that could not be committed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// One try of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: Id,
    pub tries: u32,
    pub organisation: Arc<str>,
}

/// The way to the sender. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

/// By which ways messages can leave at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    pub mail: bool,
    pub sms: bool,
}

impl Open {
    pub const fn by(self, channel: Channel) -> bool {
        match channel {
            Channel::InApp => true,
            Channel::Email => self.mail,
            Channel::Sms => self.sms,
        }
    }
}

/// The ways themselves.
#[derive(Clone)]
struct Ways {
    mail: Option<Transport>,
    sms: Option<sms::Provider>,
}

struct Inner {
    open: Open,
    /// None: nothing can leave.
    queue: Option<mpsc::Sender<Job>>,
    /// Deliveries that this process is busy with, and their try: a lease must not run out under its hands, as it would when
    /// a simulated clock leaps.
    busy: Mutex<BTreeMap<Id, u32>>,
}

impl Outbox {
    pub fn open(&self) -> Open {
        self.0.open
    }

    pub fn is_busy_with(&self, id: Id) -> bool {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    /// Queues a try that is committed. Never blocks.
    pub fn hand_over(&self, job: Job) {
        let Some(queue) = &self.0.queue else { return };
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(job.id, job.tries);
        if queue.try_send(job.clone()).is_err() {
            tracing::warn!(notification = %job.id, "too many messages wait, or the service is stopping; this one is tried again later");
            self.done(&job);
        }
    }

    fn done(&self, job: &Job) {
        let mut busy = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
        // The next try may have begun already.
        if busy.get(&job.id) == Some(&job.tries) {
            busy.remove(&job.id);
        }
    }
}

/// Starts the sender of this process.
pub fn start(node: &Node) -> Result<Outbox> {
    for state in State::ALL.into_iter().filter(|state| state.is_end()) {
        for channel in [Channel::Email, Channel::Sms] {
            telemetry::metrics::expect_deliveries(channel.code(), state.code());
        }
    }
    let set = |url: &str| (!url.is_empty()).then(|| url.to_owned());
    let ways = Ways {
        mail: set(&node.platform.smtp).map(|url| transport(&url)).transpose()?,
        sms: set(&node.platform.sms).map(|url| sms::Provider::new(&url)).transpose()?,
    };
    let open = Open { mail: ways.mail.is_some(), sms: ways.sms.is_some() };
    if open == Open::default() {
        return Ok(Outbox(Arc::new(Inner { open, queue: None, busy: Mutex::default() })));
    }
    let (queue, jobs) = mpsc::channel(WAITING);
    let outbox = Outbox(Arc::new(Inner { open, queue: Some(queue), busy: Mutex::default() }));
    node.platform.tasks.spawn(run(node.clone(), ways, outbox.clone(), jobs));
    Ok(outbox)
}

/// `smtps://` is TLS from the start; `smtp://` asks for it where it is offered, but never on the way to this very machine.
fn transport(url: &str) -> Result<Transport> {
    let wrong = |why: &dyn std::fmt::Display| {
        Error::invalid("smtp", format!("is not an address such as smtp://HOST:PORT or smtps://USER:PASSWORD@HOST: {why}"))
    };
    let plain = url.strip_prefix("smtp://");
    let asks = plain.is_some_and(|rest| !is_loopback(rest)) && !url.contains("tls=");
    let url = match (asks, url.contains('?')) {
        (false, _) => url.to_owned(),
        (true, false) => format!("{url}?tls=opportunistic"),
        (true, true) => format!("{url}&tls=opportunistic"),
    };
    let builder = Transport::from_url(&url).map_err(|error| wrong(&error))?;
    Ok(builder.timeout(Some(STEP)).pool_config(PoolConfig::new().max_size(AT_ONCE as u32)).build())
}

/// Whether what follows `smtp://` names this machine.
fn is_loopback(rest: &str) -> bool {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.starts_with("[::1]") || host.split(':').next().is_some_and(|host| host == "localhost" || host.starts_with("127."))
}

async fn run(node: Node, ways: Ways, outbox: Outbox, mut jobs: mpsc::Receiver<Job>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let shutdown = node.platform.shutdown.clone();
    loop {
        // What still waits at the end is tried again by whoever finds its lease over.
        let next = async { Some((room.clone().acquire_owned().await.ok()?, jobs.recv().await?)) };
        let next = tokio::select! {
            next = next => next,
            () = shutdown.cancelled() => return,
        };
        let Some((permit, job)) = next else { return };
        let (node, ways, outbox) = (node.clone(), ways.clone(), outbox.clone());
        node.platform.tasks.clone().spawn(async move {
            if let Err(error) = attempt(&node, &ways, &job).await {
                tracing::warn!(notification = %job.id, tries = job.tries, %error, "a try of a message was given up; its lease will bring it back");
            }
            outbox.done(&job);
            drop(permit);
        });
    }
}

/// Makes one try, from its claim to its outcome.
async fn attempt(node: &Node, ways: &Ways, job: &Job) -> Result<()> {
    let origin = || Origin::system("delivery").of(&job.organisation);
    let claiming = job.clone();
    let claim = node.commit(job.id, origin(), move |unit| {
        let job = claiming.clone();
        Box::pin(async move { deliver::claim(unit, &job).await })
    });
    let (claimed, _) = claim.await?;
    let Some(claim) = claimed else { return Ok(()) };
    let outcome = match claim {
        Claim::Visitor { contact, organisation } => to_visitor(node, ways, job, &contact, &organisation).await,
        Claim::WayIn { mail, organisation } => match &ways.mail {
            Some(transport) => match way_in::message(node, job.id, mail, &organisation).await {
                Ok(message) => send(transport, message, job).await,
                Err(outcome) => outcome,
            },
            None => Outcome::Refused,
        },
    };
    loop {
        // From an accepted mail to this commit is the one gap through which a mail can go out twice.
        let reporting = job.clone();
        let report = node.commit(job.id, origin(), move |unit| {
            let job = reporting.clone();
            Box::pin(async move { deliver::report(unit, &job, outcome).await })
        });
        match report.await {
            Err(error) if error.is_transient() && !node.platform.shutdown.is_cancelled() => tokio::time::sleep(PAUSE).await,
            done => return done.map(|_| ()),
        }
    }
}

async fn to_visitor(node: &Node, ways: &Ways, job: &Job, contact: &Contact, organisation: &str) -> Outcome {
    let region = node.region.get();
    let settings = region.organisation(organisation).map(|organisation| organisation.mail.clone()).unwrap_or_default();
    let language = contact.language;
    match (&contact.address, &ways.mail, &ways.sms) {
        (Address::Email(email), Some(transport), _) => {
            let text = texts::answer_waits(language, &settings.public_url);
            match mail::message(job.id, &settings, email, text, node.now()) {
                Ok(message) => send(transport, message, job).await,
                Err(_) => Outcome::Refused,
            }
        }
        (Address::Phone(phone), _, Some(provider)) => {
            text(provider, phone, &texts::answer_waits_short(language, &settings.public_url), job).await
        }
        // Another process, with other settings, has begun this.
        _ => Outcome::Refused,
    }
}

/// Talks to the mail server. Its words are kept out of the log: they may quote the address.
async fn send(transport: &Transport, message: Message, job: &Job) -> Outcome {
    let error = match tokio::time::timeout(WHOLE, transport.send(message)).await {
        Ok(Ok(_)) => return Outcome::Accepted,
        Ok(Err(error)) => error,
        Err(_) => {
            tracing::warn!(notification = %job.id, tries = job.tries, "the mail server was too slow");
            return Outcome::Later;
        }
    };
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    if error.is_permanent() || error.is_client() {
        tracing::warn!(notification = %job.id, tries = job.tries, code, "the mail server refused an e-mail for good");
        return Outcome::Refused;
    }
    tracing::warn!(notification = %job.id, tries = job.tries, code, timeout = error.is_timeout(), tls = error.is_tls(), "an e-mail was not taken; it is tried again");
    Outcome::Later
}

/// Talks to the provider of text messages.
async fn text(provider: &sms::Provider, phone: &str, text: &str, job: &Job) -> Outcome {
    let outcome = tokio::time::timeout(WHOLE, provider.send(job.id, phone, text)).await.unwrap_or(Outcome::Later);
    if outcome != Outcome::Accepted {
        let again = outcome == Outcome::Later;
        tracing::warn!(notification = %job.id, tries = job.tries, again, "a text message was not taken");
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_recognised_in_every_spelling() {
        for here in ["127.0.0.1:2525", "localhost", "localhost:25?x=y", "[::1]:25", "user:p@localhost:25/name", "127.1.2.3"] {
            assert!(is_loopback(here), "{here}");
        }
        for there in ["mail:25", "localhost.example.org", "127.0.0.1@mail.example.org", "10.0.0.1:25", ""] {
            assert!(!is_loopback(there), "{there}");
        }
    }

    #[tokio::test]
    async fn addresses_of_servers_are_read_or_refused_by_name() {
        for good in ["smtp://127.0.0.1:2525", "smtp://mail:25", "smtps://u:p@mail.example.org", "smtp://mail?tls=required"] {
            assert!(transport(good).is_ok(), "{good}");
        }
        for bad in ["mail:25", "http://mail", "smtp"] {
            assert_eq!(transport(bad).unwrap_err().violations[0].field, "smtp", "{bad}");
        }
    }
}
