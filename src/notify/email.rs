//! E-mail over SMTP.
//!
//! Owned by its receiver's thread, which talks to the mail server itself: one connection per message,
//! [`SEND_WITHIN`] at most for all of it. With `starttls` or `tls` nothing but the greeting is said before
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
use lettre::transport::smtp::client::{Certificate, CertificateStore, SmtpConnection, TlsParameters};
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
    fn connect(&self, deadline: Deadline) -> Result<SmtpConnection, SendFailure> {
        let addresses = resolving::addresses(&self.host, self.port, &self.line, deadline.left())?;
        let tls = if self.security == MailSecurity::None { None } else { Some(self.tls()?) };
        let mut failure = self.later("has no address");
        for (index, address) in addresses.iter().enumerate() {
            let share = deadline.left() / u32::try_from(addresses.len() - index).unwrap_or(1);
            match self.try_address(*address, share.max(STEP_LEAST), tls.as_ref()) {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = self.failed("the connection", &error),
            }
        }
        Err(failure)
    }

    fn try_address(
        &self,
        address: SocketAddr,
        within: Duration,
        tls: Option<&TlsParameters>,
    ) -> Result<SmtpConnection, smtp::Error> {
        let at_once = tls.filter(|_| self.security == MailSecurity::Tls);
        let mut connection = SmtpConnection::connect(address, Some(within), &ClientId::default(), at_once, None)?;
        if let Some(tls) = tls.filter(|_| self.security == MailSecurity::Starttls) {
            connection.starttls(tls, &ClientId::default())?;
        }
        Ok(connection)
    }

    fn talk(
        &self,
        connection: &mut SmtpConnection,
        mail: &lettre::Message,
        deadline: Deadline,
    ) -> Result<(), SendFailure> {
        if let Some((user, password)) = &self.credentials {
            self.step(connection, deadline)?;
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            connection.auth(&MECHANISMS, &credentials).map_err(|error| self.failed("user and password", &error))?;
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
        self.step(connection, deadline)?;
        let sent = connection.command(Mail::new(envelope.from().cloned(), parameters));
        sent.map_err(|error| self.failed("the sender", &error))?;
        self.name_recipients(connection, envelope.to(), deadline)?;
        self.step(connection, deadline)?;
        connection.command(Data).map_err(|error| self.failed("the message", &error))?;
        self.step(connection, deadline)?;
        connection.message(&mail.formatted()).map_err(|error| self.failed("the message", &error))?;
        Ok(())
    }

    /// Names all recipients. One who may be taken later makes the whole message wait, so that nobody gets
    /// it twice; one who is refused for good is left out.
    fn name_recipients(
        &self,
        connection: &mut SmtpConnection,
        to: &[Address],
        deadline: Deadline,
    ) -> Result<(), SendFailure> {
        let mut refused = None;
        let mut taken = 0;
        for (index, address) in to.iter().enumerate() {
            self.step(connection, deadline)?;
            match connection.command(Rcpt::new(address.clone(), Vec::new())) {
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

    /// Gives the next step what is left of the time.
    fn step(&self, connection: &mut SmtpConnection, deadline: Deadline) -> Result<(), SendFailure> {
        if deadline.left().is_zero() || self.line.is_cut() {
            return Err(self.later("took too long"));
        }
        let limited = connection.set_timeout(Some(deadline.left().max(STEP_LEAST)));
        limited.map_err(|error| self.later(&format!("cannot be limited in time: {}", error.kind())))
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
        let mut connection = self.connect(deadline)?;
        let sent = self.talk(&mut connection, &mail, deadline);
        // Taken or not is decided: how the farewell goes does not matter, but it may not take long.
        if connection.set_timeout(Some(QUIT_WITHIN)).is_ok() && !connection.has_broken() {
            let _ = connection.quit();
        }
        sent
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
