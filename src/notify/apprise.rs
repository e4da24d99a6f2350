//! An Apprise API server: one post, and about a hundred services behind it.
//!
//! A storm is more than one: what finds no room in the first names its streams and ids in further ones.
//!
//! Owned by its receiver's thread. The server keeps the services under a key of the address, or is told
//! their addresses with every message. It says nothing at all when it knows no service to tell, which is
//! a refusal here: the message would reach nobody.

use std::sync::Arc;

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use serde_json::{Value, json};

use super::calls::Calls;
use super::http::HttpPoster;
use super::rows;
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
    calls: Calls,
}

impl AppriseChannel {
    /// To the plan's server.
    pub fn new(plan: &ApprisePlan, line: &Arc<Lifeline>) -> Self {
        let poster = HttpPoster::new(&plan.url, plan.tls_ca.as_deref(), line);
        Self { poster, targets: plan.targets.clone(), tag: plan.tag.clone(), calls: Calls::default() }
    }

    /// One body after the other: the lines that people read first, then the rows of everything else.
    fn bodies(&self, message: &Message) -> Vec<Value> {
        let texts = texts(message);
        let (subject, all) = (words::subject(message), texts.len());
        let body = |(index, text): (usize, &String)| {
            let title = if all > 1 { format!("{subject} ({} of {all})", index + 1) } else { subject.clone() };
            let mut body =
                json!({ "title": title, "body": text, "type": kind(words::tone(message)), "format": "text" });
            if !self.targets.is_empty() {
                let targets: Vec<&str> = self.targets.iter().map(Secret::expose).collect();
                body["urls"] = json!(targets.join(","));
            }
            if let Some(tag) = &self.tag {
                body["tag"] = json!(tag);
            }
            body
        };
        texts.iter().enumerate().map(body).collect()
    }
}

impl Channel for AppriseChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        let (bodies, poster) = (self.bodies(message), &self.poster);
        self.calls.make(&message.id, bodies.len(), |index, left| {
            let headers = [("content-type", "application/json"), ("accept", "application/json")];
            let answer = poster.within(left).post(&headers, bodies[index].to_string().as_bytes())?;
            if answer.is_empty() {
                let why = format!("{} knows no service under this key or tag", poster.shown());
                return Err(SendFailure::Refused { why });
            }
            Ok(())
        })
    }
}

fn texts(message: &Message) -> Vec<String> {
    let here = message.links.base.as_ref().map(ToString::to_string);
    let Content::Changes(records) = &message.content else {
        return vec![[Some(words::head(message)), here].into_iter().flatten().collect::<Vec<_>>().join("\n")];
    };
    let told = words::ranked(records);
    if let [only @ Told { record: Record::Event(event), .. }] = &told[..] {
        let line = [Some(words::line(only)), message.links.event(&event.id)];
        return vec![line.into_iter().flatten().collect::<Vec<_>>().join("\n")];
    }
    let listing = words::listing(&told, LINES_MAX, BYTES_MAX, one);
    let rest = &told[listing.lines.len()..];
    let mut lines = listing.lines;
    if !rest.is_empty() {
        lines.push(format!("… and {} more, by stream and id in what follows", rest.len()));
    }
    lines.extend(here);
    std::iter::once(lines.join("\n")).chain(rows::pages(rest, BYTES_MAX, str::to_owned)).collect()
}

fn one(told: &Told<'_>) -> String {
    match told.record {
        Record::Event(event) => format!("{} ({})", words::line(told), event.id),
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
    use avwatch_actors::event::Event;

    use super::*;
    use crate::notify::samples::{ended, event, message, raised, test};
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
    fn a_storm_of_a_thousand_names_every_event_in_at_most_twenty_posts() {
        let id = |index: usize| format!("01939e2a-7b1c-7d4e-8f00-{index:012}");
        let sample = |index: usize| {
            Record::Event(Arc::new(Event { id: id(index), ..event(&format!("channel-{index}"), "black") }))
        };
        let texts = texts(&message((0..1_000).map(sample).collect()));
        assert!(texts.len() <= 17, "{} posts: three messages of a storm are to stay below twenty", texts.len());
        assert!(texts.iter().all(|text| text.len() <= BYTES_MAX + 100));
        let all = texts.join("\n");
        assert!((0..1_000).all(|index| all.contains(&id(index))));
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
