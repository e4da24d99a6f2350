//! An Apprise API server: one post, and about a hundred services behind it.
//!
//! Owned by its receiver's thread. The server keeps the services under a key of the address, or is told
//! their addresses with every message. It says nothing at all when it knows no service to tell, which is
//! a refusal here: the message would reach nobody.

use std::sync::Arc;

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use serde_json::{Value, json};

use super::http::HttpPoster;
use super::words::{self, Told, Tone};
use super::{ApprisePlan, Channel, Content, Message, SendFailure};
use crate::config::Secret;

/// Most lines of one message.
const LINES_MAX: usize = 40;

/// Most bytes of one message: what most services take.
const BYTES_MAX: usize = 3_700;

/// Most bytes that the streams of an incident take in its line.
const STREAMS_BYTES_MAX: usize = 400;

/// The channel.
pub struct AppriseChannel {
    poster: HttpPoster,
    targets: Vec<Secret>,
    tag: Option<String>,
}

impl AppriseChannel {
    /// To the plan's server.
    pub fn new(plan: &ApprisePlan, line: &Arc<Lifeline>) -> Self {
        let poster = HttpPoster::new(&plan.url, plan.tls_ca.as_deref(), line);
        Self { poster, targets: plan.targets.clone(), tag: plan.tag.clone() }
    }

    fn body(&self, message: &Message) -> Value {
        let mut body = json!({
            "title": words::subject(message),
            "body": text(message),
            "type": kind(words::tone(message)),
            "format": "text",
        });
        if !self.targets.is_empty() {
            let targets: Vec<&str> = self.targets.iter().map(Secret::expose).collect();
            body["urls"] = json!(targets.join(","));
        }
        if let Some(tag) = &self.tag {
            body["tag"] = json!(tag);
        }
        body
    }
}

impl Channel for AppriseChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        let body = self.body(message).to_string();
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        let answer = self.poster.post(&headers, body.as_bytes())?;
        if answer.is_empty() {
            let why = format!("{} knows no service under this key or tag", self.poster.shown());
            return Err(SendFailure::Refused { why });
        }
        Ok(())
    }
}

fn text(message: &Message) -> String {
    let here = message.links.base.as_ref().map(ToString::to_string);
    let Content::Changes(records) = &message.content else {
        return [Some(words::head(message)), here].into_iter().flatten().collect::<Vec<_>>().join("\n");
    };
    let told = words::ranked(records);
    let listing = words::listing(&told, LINES_MAX, BYTES_MAX, one);
    let mut lines = listing.lines;
    if listing.omitted > 0 {
        lines.push(format!("… and {} more", listing.omitted));
    }
    lines.extend(match told[..] {
        [Told { record: Record::Event(event), .. }] => message.links.event(&event.id),
        _ => here,
    });
    lines.join("\n")
}

fn one(told: &Told<'_>) -> String {
    match told.record {
        Record::Event(_) => words::line(told),
        Record::Incident(incident) => {
            let names = words::names(incident.streams.iter().map(|name| &**name), STREAMS_BYTES_MAX);
            format!("{}: {names}", words::line(told))
        }
    }
}

/// Apprise's word.
const fn kind(tone: Tone) -> &'static str {
    match tone {
        Tone::Test | Tone::Open(Severity::Info) => "info",
        Tone::Open(Severity::Warning | Severity::Minor) | Tone::Unwatched => "warning",
        Tone::Open(Severity::Major | Severity::Critical) => "failure",
        Tone::Over => "success",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::samples::{ended, message, raised, test};
    use crate::notify::testing::{Reply, Scripted};

    fn send(reply: Reply, targets: &[&str], tag: Option<&str>, message: &Message) -> (Value, Result<(), SendFailure>) {
        let server = Scripted::start(move |_| reply.clone());
        let plan = ApprisePlan {
            url: server.url("/notify/noc").parse().unwrap(),
            targets: targets.iter().map(|target| Secret::for_tests(target)).collect(),
            tag: tag.map(str::to_owned),
            tls_ca: None,
        };
        let sent = AppriseChannel::new(&plan, &Arc::default()).send(message);
        let requests = server.requests();
        assert_eq!((requests.len(), requests[0].path.as_str()), (1, "/notify/noc"));
        (requests[0].json(), sent)
    }

    fn well() -> Reply {
        Reply::status(200).body("{}")
    }

    #[test]
    fn a_message_has_title_body_type_and_tag() {
        let (body, sent) = send(well(), &[], Some("noc"), &message(vec![raised("lobby", "black")]));
        sent.unwrap();
        assert_eq!(
            body,
            json!({
                "title": "[avwatch] CRITICAL lobby video:0 black: picture black for 30 s",
                "body": "CRITICAL lobby video:0 black: picture black for 30 s\n\
                         https://monitor.example/?view=event&id=0193-lobby-black",
                "type": "failure", "format": "text", "tag": "noc",
            })
        );
        let kinds = [(message(vec![ended("lobby", "black")]), "success"), (test("anna"), "info")];
        for (message, kind) in kinds {
            assert_eq!(send(well(), &[], None, &message).0["type"], kind);
        }
    }

    #[test]
    fn a_server_without_stored_services_is_told_theirs() {
        let targets = ["ntfy://noc", "mailto://u:S3cret@example.org"];
        let (body, sent) = send(well(), &targets, None, &test("anna"));
        sent.unwrap();
        assert_eq!(body["urls"], "ntfy://noc,mailto://u:S3cret@example.org");
    }

    #[test]
    fn a_server_that_knows_nobody_to_tell_has_not_taken_it() {
        let (_, sent) = send(Reply::status(204), &[], Some("nobody"), &test("anna"));
        assert!(matches!(sent, Err(SendFailure::Refused { .. })), "{sent:?}");
    }

    #[test]
    fn what_some_service_did_not_take_waits_for_a_person() {
        let (_, sent) = send(Reply::status(424).body("{}"), &[], None, &test("anna"));
        assert!(matches!(sent, Err(SendFailure::Refused { .. })), "telling the others again would be worse: {sent:?}");
    }
}
