//! E-mail over SMTP.
//!
//! Owned by its receiver's thread, which talks to the mail server itself: one connection per message,
//! [`SEND_WITHIN`] at most for all of it. The conversation is a future, so that it can be dropped wherever it stands: a
//! limit for each answer would let a server that says one byte now and then hold the thread for ever. With `starttls` or `tls` nothing but the greeting is said before
//! the connection is protected, and a server that offers no TLS is not talked to.
//!
//! A recipient whom the server refuses for good does not keep the others from theirs: it is logged, and
//! the message counts as refused only when nobody is left. No text of the server is shown, for it may
//! repeat what we said; its code is.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::Lifeline;
use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};

use super::letter::letter;
use super::{Channel, EmailPlan, Message, SEND_WITHIN, SendFailure, resolving};
use crate::config::{MailSecurity, Secret};

/// Shortest time that a step gets: the deadline itself is what bounds all of them.
const STEP_LEAST: Duration = Duration::from_millis(10);

/// Longest that the farewell may take: the message is taken by then.
const QUIT_WITHIN: Duration = Duration::from_millis(500);

/// Largest file of certificates.
const CERTIFICATES_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Ways to say a password that are understood, the preferred one first.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Why mail settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    /// Not an address of mail.
    #[error("'{0}' is no mail address")]
    Address(String),
    /// It names nobody.
    #[error("it names no recipient")]
    Nobody,
}

/// The channel.
pub struct EmailChannel {
    from: Mailbox,
    to: Vec<Mailbox>,
    host: String,
    port: u16,
    security: MailSecurity,
    credentials: Option<(String, Secret)>,
    tls_ca: Option<PathBuf>,
    line: Arc<Lifeline>,
}

/// Reads an address as it stands in the configuration: `noc@example.org` or `Operators <noc@example.org>`.
///
/// # Errors
/// It is none.
pub fn mailbox(text: &str) -> Result<Mailbox, EmailError> {
    text.trim().parse().map_err(|_| EmailError::Address(text.to_owned()))
}

impl EmailChannel {
    /// To the plan's recipients over its server.
    ///
    /// # Errors
    /// An address is none.
    pub fn new(plan: &EmailPlan, line: &Arc<Lifeline>) -> Result<Self, EmailError> {
        let to = plan.to.iter().map(|to| mailbox(to)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(EmailError::Nobody);
        }
        Ok(Self {
            from: mailbox(&plan.from)?,
            to,
            host: plan.host.clone(),
            port: plan.port,
            security: plan.security,
            credentials: plan.credentials.clone(),
            tls_ca: plan.tls_ca.clone(),
            line: line.clone(),
        })
    }

    /// The server as it is shown.
    fn shown(&self) -> String {
        format!("mail server {}:{}", self.host, self.port)
    }

    fn later(&self, why: &str) -> SendFailure {
        SendFailure::Later { why: format!("{} {why}", self.shown()), after: None }
    }

    /// What becomes of a message when a step failed so.
    fn failed(&self, step: &str, error: &smtp::Error) -> SendFailure {
        let Some(code) = error.status() else {
            let what = match cause(error) {
                Some(ErrorKind::TimedOut | ErrorKind::WouldBlock) => "did not answer in time",
                // How a TLS session fails that rides on a connection.
                Some(ErrorKind::InvalidData) => "cannot be trusted, or does not speak TLS",
                _ => match error {
                    error if error.is_tls() => "cannot be trusted, or does not speak TLS",
                    error if error.is_response() => "answered what is no SMTP",
                    error if error.is_client() => "does not offer what is needed",
                    _ => "cannot be reached, or left",
                },
            };
            return self.later(&format!("{what} ({step})"));
        };
        let why = format!("{} refused {step} with {code}", self.shown());
        if error.is_permanent() { SendFailure::Refused { why } } else { SendFailure::Later { why, after: None } }
    }

    /// The settings for TLS: the built-in roots, or those of a file instead.
    fn tls(&self) -> Result<TlsParameters, SendFailure> {
        let mut builder = TlsParameters::builder(self.host.clone());
        builder = match &self.tls_ca {
            None => builder.certificate_store(CertificateStore::WebpkiRoots),
            Some(path) => {
                let unread = |why: String| self.later(&format!("is not asked: cannot use {}: {why}", path.display()));
                let size = std::fs::metadata(path).map_err(|error| unread(error.to_string()))?.len();
                if size > CERTIFICATES_BYTES_MAX {
                    return Err(unread("it is too large".to_owned()));
                }
                let pem = std::fs::read(path).map_err(|error| unread(error.to_string()))?;
                let certificates = Certificate::from_pem(&pem).map_err(|_| unread("it holds no PEM".to_owned()))?;
                builder.certificate_store(CertificateStore::None).add_root_certificate(certificates)
            }
        };
        builder.build().map_err(|error| self.failed("its TLS settings", &error))
    }

    /// Connects to the first address that answers, and protects the connection as the settings ask.
    async fn connect(&self, addresses: &[SocketAddr], deadline: Deadline) -> Result<AsyncSmtpConnection, SendFailure> {
        let tls = if self.security == MailSecurity::None { None } else { Some(self.tls()?) };
        let mut failure = self.later("has no address");
        for (index, address) in addresses.iter().enumerate() {
            let share = deadline.left() / u32::try_from(addresses.len() - index).unwrap_or(1);
            let tried = self.try_address(*address, share.max(STEP_LEAST), tls.as_ref());
            match tokio::time::timeout(share.max(STEP_LEAST), tried).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => failure = self.failed("the connection", &error),
                Err(_) => failure = self.later("did not answer in time (the connection)"),
            }
        }
        Err(failure)
    }

    async fn try_address(
        &self,
        address: SocketAddr,
        within: Duration,
        tls: Option<&TlsParameters>,
    ) -> Result<AsyncSmtpConnection, smtp::Error> {
        let at_once = tls.filter(|_| self.security == MailSecurity::Tls).cloned();
        let name = ClientId::default();
        let mut connection = AsyncSmtpConnection::connect_tokio1(address, Some(within), &name, at_once, None).await?;
        if let Some(tls) = tls.filter(|_| self.security == MailSecurity::Starttls) {
            connection.starttls(tls.clone(), &name).await?;
        }
        Ok(connection)
    }

    async fn talk(&self, connection: &mut AsyncSmtpConnection, mail: &lettre::Message) -> Result<(), SendFailure> {
        if let Some((user, password)) = &self.credentials {
            self.step()?;
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            let known = connection.auth(&MECHANISMS, &credentials).await;
            known.map_err(|error| self.failed("user and password", &error))?;
        }
        let envelope = mail.envelope();
        let mut parameters = Vec::new();
        let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        if !envelope.from().into_iter().chain(envelope.to()).all(is_ascii) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let why = format!("{} takes no addresses beyond ASCII", self.shown());
                return Err(SendFailure::Refused { why });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        self.step()?;
        let sent = connection.command(Mail::new(envelope.from().cloned(), parameters)).await;
        sent.map_err(|error| self.failed("the sender", &error))?;
        self.name_recipients(connection, envelope.to()).await?;
        self.step()?;
        connection.command(Data).await.map_err(|error| self.failed("the message", &error))?;
        self.step()?;
        connection.message(&mail.formatted()).await.map_err(|error| self.failed("the message", &error))?;
        Ok(())
    }

    /// Names all recipients. One who may be taken later makes the whole message wait, so that nobody gets
    /// it twice; one who is refused for good is left out.
    async fn name_recipients(&self, connection: &mut AsyncSmtpConnection, to: &[Address]) -> Result<(), SendFailure> {
        let mut refused = None;
        let mut taken = 0;
        for (index, address) in to.iter().enumerate() {
            self.step()?;
            match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
                Ok(_) => taken += 1,
                Err(error) if error.is_permanent() => {
                    let failure = self.failed(&format!("recipient {}", index + 1), &error);
                    tracing::warn!(fault = "mail_recipient_refused", "{failure}; the others get the message");
                    refused = Some(failure);
                }
                Err(error) => return Err(self.failed(&format!("recipient {}", index + 1), &error)),
            }
        }
        match refused {
            Some(failure) if taken == 0 => Err(failure),
            _ => Ok(()),
        }
    }

    /// Whether there is a next step: none once the thread is told to end.
    fn step(&self) -> Result<(), SendFailure> {
        if self.line.is_cut() { Err(self.later("was left")) } else { Ok(()) }
    }

    /// The whole conversation.
    async fn deliver(
        &self,
        mail: &lettre::Message,
        addresses: &[SocketAddr],
        deadline: Deadline,
    ) -> Result<(), SendFailure> {
        let late = |_| Err(self.later("took too long"));
        let connected = tokio::time::timeout(deadline.left(), self.connect(addresses, deadline)).await;
        let mut connection = match connected {
            Ok(connected) => connected?,
            Err(elapsed) => return late(elapsed),
        };
        let sent = tokio::time::timeout(deadline.left(), self.talk(&mut connection, mail)).await;
        // Taken or not is decided: how the farewell goes does not matter, but it may not take long.
        if sent.is_ok() && !connection.has_broken() {
            let _ = tokio::time::timeout(QUIT_WITHIN, connection.quit()).await;
        }
        sent.unwrap_or_else(late)
    }
}

/// What the system, or TLS, said of the connection.
fn cause(error: &smtp::Error) -> Option<ErrorKind> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = inner.source();
    }
    None
}

impl Channel for EmailChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        let mail = letter(message, &self.from, &self.to)
            .map_err(|error| SendFailure::Refused { why: format!("cannot write the mail: {error}") })?;
        let deadline = Deadline(Instant::now() + SEND_WITHIN);
        let addresses = resolving::addresses(&self.host, self.port, &self.line, deadline.left())?;
        // On this very thread: nothing of it goes on when the call returns.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| self.later(&format!("is not asked: {}", error.kind())))?;
        runtime.block_on(self.deliver(&mail, &addresses, deadline))
    }
}

/// When all must be over.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::notify::samples::{message, raised};

    /// A mail server of one connection: after as many good answers as it is told, its next one never ends.
    fn tarpit(good_answers: usize) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let answers = ["220 mail\r\n", "250 mail\r\n", "250 ok\r\n", "250 ok\r\n", "354 go on\r\n"];
            for answer in answers.iter().take(good_answers) {
                stream.write_all(answer.as_bytes()).unwrap();
                let _ = lines.next();
            }
            // A byte now and then: every read gets something.
            while stream.write_all(b"2").is_ok() {
                std::thread::park_timeout(Duration::from_millis(300));
            }
        });
        port
    }

    #[test]
    fn a_mail_server_that_answers_a_byte_now_and_then_holds_the_thread_for_ten_seconds_at_most() {
        let trial = |good_answers| {
            let plan = EmailPlan {
                to: vec!["noc@example.org".to_owned()],
                from: "avwatch@example.org".to_owned(),
                host: "127.0.0.1".to_owned(),
                port: tarpit(good_answers),
                security: MailSecurity::None,
                credentials: None,
                tls_ca: None,
            };
            let mut channel = EmailChannel::new(&plan, &Arc::default()).unwrap();
            let begin = Instant::now();
            let sent = channel.send(&message(vec![raised("lobby", "black")]));
            assert!(matches!(sent, Err(SendFailure::Later { .. })), "{sent:?}");
            let lasted = begin.elapsed();
            assert!(lasted < SEND_WITHIN + Duration::from_secs(2), "{good_answers}: {lasted:?}");
        };
        // At the greeting, at a command, and after the message.
        std::thread::scope(|scope| {
            for good_answers in [0, 2, 5] {
                scope.spawn(move || trial(good_answers));
            }
        });
    }
}
