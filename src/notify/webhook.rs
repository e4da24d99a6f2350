//! The webhook channel: Standard Webhooks, the body a CloudEvent.
//!
//! Signed over id, time and body with every secret of the receiver, so that a receiver may change from
//! one to the other. The id is the message's own and the same when it is sent again; the time is that of
//! the attempt. Owned by its receiver's thread.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use avwatch_actors::lifeline::Lifeline;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::cloud_event::cloud_event;
use super::{Channel, HttpPoster, Message, SendFailure, WebhookPlan};

/// What secrets begin with.
const PREFIX: &str = "whsec_";

/// Least and most bytes of a secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A webhook.
pub struct WebhookChannel {
    poster: HttpPoster,
    keys: Vec<SigningKey>,
}

impl WebhookChannel {
    /// The webhook of a plan, for the thread of that lifeline.
    ///
    /// # Errors
    /// A secret is none.
    pub fn new(plan: &WebhookPlan, line: &Arc<Lifeline>) -> Result<Self, SecretError> {
        let keys = plan.secrets.iter().map(|secret| SigningKey::parse(secret.expose())).collect::<Result<_, _>>()?;
        let poster = HttpPoster::new(&plan.url, plan.tls_ca.as_deref(), line).with_headers(&plan.headers);
        Ok(Self { poster, keys })
    }
}

impl Channel for WebhookChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        let body = serde_json::to_vec(&cloud_event(message))
            .map_err(|error| SendFailure::Refused { why: format!("it cannot be written as JSON: {error}") })?;
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let signatures: Vec<String> = self.keys.iter().map(|key| key.sign(&message.id, &at, &body)).collect();
        let signatures = signatures.join(" ");
        let mut headers = vec![
            ("content-type", "application/cloudevents+json; charset=utf-8"),
            ("webhook-id", message.id.as_str()),
            ("webhook-timestamp", at.as_str()),
        ];
        if !signatures.is_empty() {
            headers.push(("webhook-signature", signatures.as_str()));
        }
        self.poster.post(&headers, &body).map(|_| ())
    }
}

/// Why a text is no secret; never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not begin as secrets do.
    #[error("a webhook's secret must begin with '{PREFIX}'")]
    Prefix,
    /// What follows is no base64.
    #[error("a webhook's secret must be base64 after '{PREFIX}'")]
    Base64,
    /// It is too short or too long.
    #[error("a webhook's secret must have {} to {} bytes before base64", SECRET_BYTES.start(), SECRET_BYTES.end())]
    Length,
}

/// A secret that signs.
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads a secret as it is written.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let coded = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        let bytes = BASE64_STANDARD.decode(coded).map_err(|_| SecretError::Base64)?;
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(SecretError::Length);
        }
        Ok(Self(bytes))
    }

    fn sign(&self, id: &str, at: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length will do");
        for part in [id.as_bytes(), b".", at.as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::event::EventState;
    use avwatch_actors::record::Record;

    use super::*;
    use crate::config::Secret;
    use crate::notify::testing::{Received, Reply, Scripted};
    use crate::notify::{Content, Links};
    use crate::sinks::samples::{event, wall};

    const SECRETS: [&str; 2] =
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="];

    fn sent(secrets: &[&str]) -> Received {
        let server = Scripted::start(|_| Reply::status(204));
        let plan = WebhookPlan {
            url: server.url("/hook").parse().unwrap(),
            secrets: secrets.iter().map(|text| Secret::for_tests(text)).collect(),
            headers: Vec::new(),
            tls_ca: None,
        };
        let mut channel = WebhookChannel::new(&plan, &Arc::default()).unwrap();
        let message = Message {
            id: "message-7".to_owned(),
            created_at: wall(7),
            receiver: "hook".into(),
            links: Links::default(),
            content: Content::Changes(
                vec![Record::Event(Arc::new(event("e", "lobby", "black", 1, EventState::Raised)))].into(),
            ),
        };
        channel.send(&message).unwrap();
        server.requests().remove(0)
    }

    fn verify(secret: &str, request: &Received) -> bool {
        let mut headers = ureq::http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let value = request.header(name).unwrap_or_default().parse().unwrap();
            headers.insert(ureq::http::HeaderName::from_static(name), value);
        }
        standardwebhooks::Webhook::new(secret).unwrap().verify(&request.body, &headers).is_ok()
    }

    #[test]
    fn an_independent_verifier_accepts_what_is_signed_with_either_secret() {
        let request = sent(&SECRETS);
        assert_eq!(request.header("webhook-id"), Some("message-7"));
        assert_eq!(request.header("webhook-signature").unwrap().split(' ').count(), 2);
        for secret in SECRETS {
            assert!(verify(secret, &request));
        }
        let mut forged = request.clone();
        forged.body.push(b' ');
        assert!(!verify(SECRETS[0], &forged), "another body");
        assert!(!verify(SECRETS[1], &sent(&SECRETS[..1])), "another secret");
    }

    #[test]
    fn without_a_secret_nothing_is_signed() {
        let request = sent(&[]);
        assert_eq!(request.header("webhook-signature"), None);
        assert_eq!(request.header("content-type"), Some("application/cloudevents+json; charset=utf-8"));
        assert_eq!(request.json()["specversion"], "1.0");
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_repeated() {
        for (text, expected) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretError::Prefix),
            ("whsec_!!!", SecretError::Base64),
            ("whsec_AAAA", SecretError::Length),
        ] {
            assert_eq!(SigningKey::parse(text).err(), Some(expected));
        }
    }
}
