//! Sends mail over SMTP, a few at once, behind a bounded queue. One that must be tried again lets the others by. What a mail says is the control plane's matter.

use std::time::Duration;

use control::{Mail, Mailer};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;
use tokio::sync::{Semaphore, mpsc};

use crate::caps::{MAIL_PAUSES, MAIL_TIMEOUT, MAILS_AT_ONCE, MAILS_UNDER_WAY, MAILS_WAITING};
use crate::config::{Email, Security};

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Where mails wait to be sent.
pub(crate) struct Queue(mpsc::Sender<Mail>);

impl Mailer for Queue {
    fn send(&self, mail: Mail) -> bool {
        let subject = mail.subject.clone();
        let is_taken = self.0.try_send(mail).is_ok();
        if !is_taken {
            tracing::warn!(subject, "a mail is not sent: {MAILS_WAITING} wait already; is the mail server reachable?");
        }
        is_taken
    }
}

/// What takes the mails out of the queue.
pub(crate) struct Courier {
    mails: mpsc::Receiver<Mail>,
    way: Way,
}

/// How a mail is sent.
struct Way {
    transport: Transport,
    from: Mailbox,
    /// Taken while one is tried, not while it waits to be tried again.
    tries: Semaphore,
}

/// The queue, and who empties it.
pub(crate) fn mailer(config: &Email) -> Result<(Queue, Courier), lettre::transport::smtp::Error> {
    let host = config.host.as_str();
    let builder = match config.security {
        Security::Tls => Transport::relay(host)?,
        Security::Starttls => Transport::starttls_relay(host)?,
        Security::None => Transport::builder_dangerous(host),
    };
    let login = config.user.clone().zip(config.password.as_ref());
    let login = login.map(|(user, password)| Credentials::new(user, password.expose_secret().to_owned()));
    let builder = builder.port(config.port).timeout(Some(MAIL_TIMEOUT));
    let transport = login.into_iter().fold(builder, |builder, login| builder.credentials(login)).build();
    let (sender, mails) = mpsc::channel(MAILS_WAITING);
    let way = Way { transport, from: config.from.clone(), tries: Semaphore::new(MAILS_AT_ONCE) };
    Ok((Queue(sender), Courier { mails, way }))
}

impl Courier {
    /// Sends what comes.
    pub(crate) async fn run(self) {
        let Self { mut mails, way } = self;
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                mail = mails.recv(), if under_way.len() < MAILS_UNDER_WAY => match mail {
                    Some(mail) => under_way.push(way.send(mail)),
                    None => return,
                },
                Some(()) = under_way.next() => {}
            }
        }
    }
}

impl Way {
    async fn send(&self, mail: Mail) {
        let subject = mail.subject.clone();
        if let Err(error) = self.deliver(mail).await {
            tracing::warn!(subject, error = format!("{error:#}"), "a mail could not be sent");
        }
    }

    /// Tries a few times, unless the server says that it never will.
    async fn deliver(&self, mail: Mail) -> anyhow::Result<()> {
        let to: Mailbox = mail.to.as_str().parse()?;
        let message = Message::builder().from(self.from.clone()).to(to).subject(mail.subject).header(ContentType::TEXT_PLAIN);
        let message = message.body(mail.text)?;
        let mut pauses = MAIL_PAUSES.into_iter();
        loop {
            let trying = self.tries.acquire().await?;
            let Err(error) = self.transport.send(message.clone()).await else { return Ok(()) };
            drop(trying);
            let pause: Option<Duration> = pauses.next().filter(|_| !error.is_permanent());
            let Some(pause) = pause else { return Err(error.into()) };
            tokio::time::sleep(pause).await;
        }
    }
}
