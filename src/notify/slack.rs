//! Slack's incoming webhooks, which Mattermost and Rocket.Chat take as well.
//!
//! Owned by its receiver's thread. One post per message, whatever it holds: a digest lists the newest
//! change of each event, as far as [`LINES_MAX`] and [`BYTES_MAX`] reach, and names all others below, by stream and id, in
//! attachments of [`PAGE_BYTES_MAX`]; what is more than [`PAGES_MAX`] of these goes into further posts. Texts of streams and labels can neither format nor link nor call anybody.

use std::sync::Arc;

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use serde_json::{Value, json};

use super::calls::Calls;
use super::http::HttpPoster;
use super::rows;
use super::words::{self, Told, Tone};
use super::{Changes, Channel, Content, Message, SendFailure, SlackPlan};
use crate::secret_url::UrlError;

/// Most lines of one message.
pub const LINES_MAX: usize = 40;

/// Most bytes of the lines of one message: Slack cuts texts at 4,000 characters.
pub const BYTES_MAX: usize = 3_700;

/// Most bytes of a further attachment: Slack takes 3,000 characters in a section.
pub const PAGE_BYTES_MAX: usize = 2_900;

/// Most attachments of a post: together they stay below the 40,000 characters at which Slack cuts a message.
pub const PAGES_MAX: usize = 12;

/// Most bytes that the streams of an incident take in its line.
const STREAMS_BYTES_MAX: usize = 400;

/// The channel.
pub struct SlackChannel {
    poster: HttpPoster,
    calls: Calls,
}

impl SlackChannel {
    /// To the plan's webhook.
    ///
    /// # Errors
    /// Its address is none.
    pub fn new(plan: &SlackPlan, line: &Arc<Lifeline>) -> Result<Self, UrlError> {
        Ok(Self { poster: HttpPoster::hidden(&plan.url, plan.tls_ca.as_deref(), line)?, calls: Calls::default() })
    }
}

impl Channel for SlackChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        let (bodies, poster) = (bodies(message), &self.poster);
        self.calls.make(&message.id, bodies.len(), |index, left| {
            let body = bodies[index].to_string();
            poster.within(left).post(&[("content-type", "application/json")], body.as_bytes()).map(drop)
        })
    }
}

/// What is posted: the head as text, which notifications on phones show, and the lines beside a bar of colour.
fn bodies(message: &Message) -> Vec<Value> {
    let texts = match &message.content {
        Content::Test { .. } => vec![link(message.links.base.as_ref().map(ToString::to_string), "avwatch")],
        Content::Changes(records) => texts(message, records),
    };
    let (head, posts) = (escape(&words::head(message)), texts.len().div_ceil(PAGES_MAX));
    let body = |(index, texts): (usize, &[String])| {
        let head = if posts > 1 { format!("{head} ({} of {posts})", index + 1) } else { head.clone() };
        let attachments: Vec<Value> = texts.iter().map(|text| attachment(message, &head, text)).collect();
        json!({ "text": head, "attachments": attachments })
    };
    texts.chunks(PAGES_MAX).enumerate().map(body).collect()
}

fn attachment(message: &Message, head: &str, text: &str) -> Value {
    json!({
        "color": colour(words::tone(message)),
        "fallback": head,
        "text": text,
        "mrkdwn_in": ["text"],
        "footer": "avwatch",
        "ts": message.created_at.0.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs(),
    })
}

/// The lines that people read first, then the rows of everything else.
fn texts(message: &Message, records: &Changes) -> Vec<String> {
    let told = words::ranked(records);
    if let [only] = &told[..] {
        return vec![alone(message, only)];
    }
    let listing = words::listing(&told, LINES_MAX, BYTES_MAX, |told| one(message, told));
    let mut text = listing.lines.join("\n");
    if listing.omitted > 0 {
        let here = link(message.links.base.as_ref().map(ToString::to_string), "see avwatch");
        text.push_str(&format!("\n… and {} more, by stream and id: {here}", listing.omitted));
    }
    let pages = rows::pages(&told[listing.lines.len()..], PAGE_BYTES_MAX, escape);
    std::iter::once(text).chain(pages).collect()
}

/// What there is to say of a message's only change beside its line, which is the head.
fn alone(message: &Message, told: &Told<'_>) -> String {
    match told.record {
        Record::Event(event) => {
            let number =
                |name: &str, number: Option<f64>| number.map(|number| format!("{name} {number} {}", event.unit));
            let labels = event.labels.iter().map(|(name, value)| format!("{name}={value}"));
            let facts: Vec<String> = [Some(format!("since {}", event.started_at))]
                .into_iter()
                .chain([number("value", event.value), number("threshold", event.threshold)])
                .flatten()
                .chain(labels)
                .collect();
            let facts = escape(&words::clean(&facts.join(" · "), BYTES_MAX / 2));
            let details = message.links.event(&event.id).map(|url| link(Some(url), "details"));
            let runbook = event.runbook_url.clone().map(|url| link(Some(words::clean(&url, 1_000)), "what to do"));
            let links: Vec<String> = details.into_iter().chain(runbook).collect();
            format!("{facts}\n{}", links.join(" · ")).trim_end().to_owned()
        }
        Record::Incident(incident) => {
            let causes = incident.causes.iter().chain(&incident.evidence).map(String::as_str);
            let facts = words::clean(&causes.collect::<Vec<_>>().join(" · "), BYTES_MAX / 2);
            let names = words::names(incident.streams.iter().map(|name| &**name), BYTES_MAX / 4);
            format!("{}\n{}", escape(&facts), escape(&names))
        }
    }
}

/// One change, with a link on an event and the streams of an incident.
fn one(message: &Message, told: &Told<'_>) -> String {
    let line = escape(&words::line(told));
    match told.record {
        Record::Event(event) => match message.links.event(&event.id) {
            Some(url) => format!("{line} <{}|details>", escape(&url)),
            None => format!("{line} ({})", escape(&event.id)),
        },
        Record::Incident(incident) => {
            let names = words::names(incident.streams.iter().map(|name| &**name), STREAMS_BYTES_MAX);
            format!("{line}: {}", escape(&names))
        }
    }
}

fn link(url: Option<String>, text: &str) -> String {
    url.map_or_else(|| text.to_owned(), |url| format!("<{}|{text}>", escape(&url)))
}

/// As Slack's reference asks; and, since Mattermost reads Markdown, what links or calls people there loses its
/// meaning by a space of no width behind it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' | '!' | '[' | ']' => escaped.extend([letter, '\u{200b}']),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// The colour of the bar.
const fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Open(Severity::Critical) => "#a30200",
        Tone::Open(Severity::Major) => "#d9480f",
        Tone::Open(Severity::Minor) => "#e8a317",
        Tone::Open(Severity::Warning) => "#f2c744",
        Tone::Open(Severity::Info) | Tone::Test => "#439fe0",
        Tone::Over => "#2eb886",
        Tone::Unwatched => "#868e96",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::notify::samples::{ended, event, incident, message, raised, test};
    use crate::notify::testing::{Reply, Scripted};

    fn posted(message: &Message) -> Value {
        let server = Scripted::start(|_| Reply::status(200).body("ok"));
        let plan = SlackPlan { url: Secret::for_tests(&server.url("/services/T0/B0/S3cret")), tls_ca: None };
        SlackChannel::new(&plan, &Arc::default()).unwrap().send(message).unwrap();
        let requests = server.requests();
        assert_eq!((requests.len(), requests[0].path.as_str()), (1, "/services/T0/B0/S3cret"));
        assert_eq!(requests[0].header("content-type"), Some("application/json"));
        requests[0].json()
    }

    #[test]
    fn a_message_has_the_shape_of_slacks_reference() {
        let body = posted(&message(vec![raised("lobby", "black")]));
        assert_eq!(body["text"], "CRITICAL lobby video:0 black: picture black for 30 s");
        let attachment = &body["attachments"][0];
        assert_eq!(attachment["color"], "#a30200");
        let text = attachment["text"].as_str().unwrap();
        let (facts, links) = text.split_once('\n').unwrap();
        assert!(
            facts.starts_with("since 20") && facts.ends_with(" · value 1 ratio · threshold 0.98 ratio · site=north")
        );
        assert_eq!(
            links,
            "<https://monitor.example/?view=event&amp;id=0193-lobby-black|details> · <https://wiki.example/black|what to do>"
        );
        assert!(attachment["ts"].is_u64());
        let over = posted(&message(vec![ended("lobby", "black")]));
        assert_eq!(over["attachments"][0]["color"], "#2eb886");
        assert_eq!(posted(&test("anna"))["text"], "test: anna tries whether messages arrive here");
    }

    #[test]
    fn a_storm_names_every_event_within_slacks_limits() {
        let mut records: Vec<Record> = (0..1_000).map(|index| raised(&format!("s{index}"), "black")).collect();
        records.push(incident("one", 1_000, true));
        let bodies = bodies(&message(records));
        assert!(bodies.len() <= 2, "{} posts", bodies.len());
        let head = bodies[0]["text"].as_str().unwrap();
        assert!(head.starts_with("CRITICAL incident: "), "{head}");
        let attachments = bodies.iter().flat_map(|body| body["attachments"].as_array().unwrap());
        let texts: Vec<&str> = attachments.map(|attachment| attachment["text"].as_str().unwrap()).collect();
        assert!(texts[0].chars().count() <= 3_900 && texts[0].lines().count() <= LINES_MAX + 1, "{}", texts[0]);
        assert!(texts[0].lines().next().unwrap().contains("s0, s1, s2"));
        let more = 1_001 - (texts[0].lines().count() - 1);
        let said = format!("… and {more} more, by stream and id: <https://monitor.example/|see avwatch>");
        assert!(texts[0].ends_with(&said), "{}", texts[0]);
        assert!(texts[1..].iter().all(|text| text.chars().count() <= 3_000));
        for body in &bodies {
            assert!(body["attachments"].as_array().unwrap().len() <= 20 && body.to_string().chars().count() < 40_000);
        }
        let all = texts.join("\n");
        for index in 0..1_000 {
            let id = format!("0193-s{index}-black");
            assert!(all.contains(&format!("id={id}|")) || all.contains(&format!("s{index} {id}\n")), "{id} is missing");
        }
    }

    #[test]
    fn a_storm_that_slack_takes_in_part_goes_on_with_the_rest() {
        let server = Scripted::start(|before| match before {
            1 => Reply::status(429).header("retry-after", "1"),
            _ => Reply::status(200).body("ok"),
        });
        let plan = SlackPlan { url: Secret::for_tests(&server.url("/services/T0/B0/S3cret")), tls_ca: None };
        let mut channel = SlackChannel::new(&plan, &Arc::default()).unwrap();
        let storm = message((0..2_000).map(|index| raised(&format!("s{index}"), "black")).collect());
        assert!(matches!(channel.send(&storm), Err(SendFailure::Later { after: Some(_), .. })));
        channel.send(&storm).unwrap();
        let all = bodies(&storm).len();
        assert_eq!(server.requests().len(), all + 1, "none but the one that was not taken came twice");
    }

    #[test]
    fn texts_of_streams_neither_format_nor_link_nor_call_anybody() {
        let mut nasty = event("lobby", "black");
        nasty.message = "<!channel> @all [x](http://evil.example) & <http://evil.example|y>\nnew".to_owned();
        let body = posted(&message(vec![Record::Event(Arc::new(nasty))]));
        let text = body["text"].as_str().unwrap();
        for bad in ["<", "@all", "](", "\n"] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
        let mut nasty = event("lobby", "black");
        nasty.labels.insert("site".to_owned(), "<!here> @all".to_owned());
        let body = posted(&message(vec![Record::Event(Arc::new(nasty))]));
        let text = body["attachments"][0]["text"].as_str().unwrap();
        assert!(!text.contains("<!here>") && !text.contains("@all"), "{text}");
    }
}
