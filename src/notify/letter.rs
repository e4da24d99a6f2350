//! What a mail says: its headers and its two bodies, for readers with and without HTML.
//!
//! Pure. Mails about one event or one incident form a thread: all of them refer to one id that is made of
//! that event's, so the order in which they arrive does not matter. A digest of several stands alone.
//! Every event is listed with its id as far as [`LIST_BYTES_MAX`] reaches; the rest is counted.

use std::fmt::Write;

use avwatch_actors::event::Event;
use avwatch_actors::incident::Incident;
use avwatch_actors::record::Record;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};

use super::words::{self, Told};
use super::{Content, Message};

/// Most bytes of the list of changes in each body.
const LIST_BYTES_MAX: usize = 512 * 1024;

/// Most bytes of the streams, and of the events, of one incident.
const NAMES_BYTES_MAX: usize = 32 * 1024;

/// Says that nobody wrote it by hand, so that no absence notice answers it (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The mail for a message.
///
/// # Errors
/// It cannot be put together.
pub(super) fn letter(
    message: &Message,
    from: &Mailbox,
    to: &[Mailbox],
) -> Result<lettre::Message, lettre::error::Error> {
    let domain = from.email.domain();
    let mut builder = lettre::Message::builder()
        .from(from.clone())
        .date(message.created_at.0)
        .message_id(Some(format!("<{}@{domain}>", atom(&message.id))))
        .subject(words::subject(message))
        .header(AutoSubmitted);
    for to in to {
        builder = builder.to(to.clone());
    }
    if let Some(thread) = thread(message) {
        let first = format!("<{thread}@{domain}>");
        builder = builder.in_reply_to(first.clone()).references(first);
    }
    let plain = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(plain(message));
    let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html(message));
    builder.multipart(MultiPart::alternative().singlepart(plain).singlepart(html))
}

/// What all mails about the same are known by; nothing for a digest of several.
fn thread(message: &Message) -> Option<String> {
    let Content::Changes(records) = &message.content else { return None };
    match words::newest(records)[..] {
        [Told { record: Record::Event(event), .. }] => Some(format!("event.{}", atom(&event.id))),
        [Told { record: Record::Incident(incident), .. }] => Some(format!("incident.{}", atom(&incident.id))),
        _ => None,
    }
}

/// Letters that an id of a mail may have.
fn atom(text: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    text.chars().map(|letter| if fits(letter) { letter } else { '-' }).take(128).collect()
}

/// What there is to say of one change beside its line: names and values.
fn details(message: &Message, record: &Record) -> Vec<(&'static str, String)> {
    match record {
        Record::Event(event) => of_event(message, event),
        Record::Incident(incident) => of_incident(incident),
    }
}

fn of_event(message: &Message, event: &Event) -> Vec<(&'static str, String)> {
    let number = |number: Option<f64>| number.map(|number| format!("{number} {}", event.unit)).unwrap_or_default();
    let labels: Vec<String> = event.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    filled([
        ("Stream", event.stream.to_string()),
        ("Track", event.track.to_string()),
        ("Detector", event.detector.to_string()),
        ("Severity", event.severity.name().to_owned()),
        ("Message", event.message.clone()),
        ("Began", event.started_at.to_string()),
        ("Ended", event.ended_at.map(|at| at.to_string()).unwrap_or_default()),
        ("Value", number(event.value)),
        ("Threshold", number(event.threshold)),
        ("Labels", labels.join(", ")),
        ("Taken by", event.acked_by.clone().unwrap_or_default()),
        ("Remark", event.comment.clone().unwrap_or_default()),
        ("Incident", event.incident_id.clone().unwrap_or_default()),
        ("Event", event.id.clone()),
        ("Node", event.node.to_string()),
        ("What to do", event.runbook_url.clone().unwrap_or_default()),
        ("More", message.links.event(&event.id).unwrap_or_default()),
    ])
}

fn of_incident(incident: &Incident) -> Vec<(&'static str, String)> {
    filled([
        ("Causes", incident.causes.join("; ")),
        ("Evidence", incident.evidence.join("; ")),
        ("Began", incident.started_at.to_string()),
        ("Ended", incident.ended_at.map(|at| at.to_string()).unwrap_or_default()),
        ("Streams", words::names(incident.streams.iter().map(|name| &**name), NAMES_BYTES_MAX)),
        ("Events", words::names(incident.events.iter().map(String::as_str), NAMES_BYTES_MAX)),
        ("Incident", incident.id.clone()),
        ("Node", incident.node.to_string()),
    ])
}

fn filled<const COUNT: usize>(all: [(&'static str, String); COUNT]) -> Vec<(&'static str, String)> {
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, words::clean(&value, NAMES_BYTES_MAX)))
        .collect()
}

/// One change: alone with all there is to say, among others with what finds it again.
fn entry(message: &Message, told: &Told<'_>, is_alone: bool) -> Vec<(&'static str, String)> {
    let details = details(message, told.record);
    let is_event = told.record.event().is_some();
    details.into_iter().filter(|(name, _)| is_alone || !is_event || matches!(*name, "Event" | "Labels")).collect()
}

fn plain(message: &Message) -> String {
    let mut text = format!("{}\n", words::head(message));
    if let Content::Changes(records) = &message.content {
        let told = words::ranked(records);
        let is_alone = told.len() == 1;
        let listing = words::listing(&told, usize::MAX, LIST_BYTES_MAX, |told| {
            let mut entry_text = if is_alone { String::new() } else { format!("\n* {}", words::line(told)) };
            for (name, value) in entry(message, told, is_alone) {
                let _ = write!(entry_text, "\n  {name}: {value}");
            }
            entry_text
        });
        text.push_str(&listing.lines.join("\n"));
        if listing.omitted > 0 {
            let _ = write!(text, "\n\n… and {} more", listing.omitted);
        }
        text.push('\n');
    }
    if let Some(base) = &message.links.base {
        let _ = write!(text, "\n{base}\n");
    }
    let _ = write!(text, "\n-- \navwatch, receiver {}\n", message.receiver);
    text
}

fn html(message: &Message) -> String {
    let mut text = format!(
        "<!DOCTYPE html><html><body style=\"font-family:sans-serif\"><p><b>{}</b></p>",
        escape(&words::head(message))
    );
    if let Content::Changes(records) = &message.content {
        let told = words::ranked(records);
        let is_alone = told.len() == 1;
        let listing = words::listing(&told, usize::MAX, LIST_BYTES_MAX, |told| {
            let line = if is_alone { String::new() } else { format!("<p>{}</p>", escape(&words::line(told))) };
            format!("{line}{}", table(&entry(message, told, is_alone)))
        });
        text.push_str(&listing.lines.join("\n"));
        if listing.omitted > 0 {
            let _ = write!(text, "<p>… and {} more</p>", listing.omitted);
        }
    }
    if let Some(base) = &message.links.base {
        let base = escape(base.as_str());
        let _ = write!(text, "<p><a href=\"{base}\">{base}</a></p>");
    }
    let _ = write!(text, "<p style=\"color:#666\">avwatch, receiver {}</p></body></html>", escape(&message.receiver));
    text
}

fn table(rows: &[(&str, String)]) -> String {
    let mut text = "<table>".to_owned();
    for (name, value) in rows {
        let value = escape(value);
        // Links of our own and of the configuration only.
        let is_link =
            matches!(*name, "More" | "What to do") && (value.starts_with("https://") || value.starts_with("http://"));
        let shown = if is_link { format!("<a href=\"{value}\">{value}</a>") } else { value };
        let _ = write!(text, "<tr><td style=\"color:#666\">{name}</td><td>{shown}</td></tr>");
    }
    text.push_str("</table>");
    text
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::notify::samples::{ended, event, incident, message, raised, test};

    fn formatted(message: &Message) -> String {
        let from: Mailbox = "avwatch <avwatch@example.org>".parse().unwrap();
        let to: Mailbox = "Operators <noc@example.org>".parse().unwrap();
        String::from_utf8(letter(message, &from, &[to]).unwrap().formatted()).unwrap()
    }

    fn header(mail: &str, name: &str) -> String {
        let start = format!("{name}: ");
        let found = mail.lines().filter_map(|line| line.strip_prefix(&start)).collect::<Vec<_>>();
        assert!(found.len() <= 1, "{name} stands twice");
        found.first().map_or_else(String::new, |value| (*value).to_owned())
    }

    #[test]
    fn mails_of_one_event_form_a_thread_and_repetitions_have_the_same_id() {
        let (first, last) =
            (formatted(&message(vec![raised("lobby", "black")])), formatted(&message(vec![ended("lobby", "black")])));
        for mail in [&first, &last] {
            assert_eq!(header(mail, "Message-ID"), "<msg-1@example.org>");
            assert_eq!(header(mail, "In-Reply-To"), "<event.0193-lobby-black@example.org>");
            assert_eq!(header(mail, "References"), header(mail, "In-Reply-To"));
            assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
        }
        assert_eq!(header(&first, "Subject"), "[avwatch] CRITICAL lobby video:0 black: picture black for 30 s");
        assert_eq!(header(&last, "Subject"), "[avwatch] over: lobby video:0 black after 42 s");
        assert_eq!(header(&formatted(&test("anna")), "In-Reply-To"), "");
    }

    #[test]
    fn no_text_of_a_stream_makes_a_header_or_a_tag() {
        let mut nasty = event("lobby", "black");
        nasty.message = "x\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script> ä".to_owned();
        let record = Record::Event(Arc::new(nasty));
        let mail = formatted(&message(vec![record.clone()]));
        assert!(!mail.lines().any(|line| line.starts_with("Bcc")), "{mail}");
        assert!(!html(&message(vec![record])).contains("<script"));
        assert_eq!(atom("a b>\r\n@c"), "a-b----c");
    }

    #[test]
    fn a_digest_lists_the_id_of_every_event_of_a_storm() {
        let mut records: Vec<Record> = (0..1_000).map(|index| raised(&format!("s{index}"), "black")).collect();
        records.push(incident("one", 1_000, true));
        let message = message(records);
        for body in [plain(&message), html(&message)] {
            assert!((0..1_000).all(|index| body.contains(&format!("0193-s{index}-black"))));
            assert!(body.len() < LIST_BYTES_MAX * 2, "{}", body.len());
        }
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let records: Vec<Record> = (0..9_000).map(|index| raised(&format!("s{index}"), "black")).collect();
        let body = plain(&message(records));
        let listed = body.matches("\n* ").count();
        assert!(listed < 9_000 && body.contains(&format!("… and {} more", 9_000 - listed)), "{listed}");
    }

    #[test]
    fn a_mail_about_one_event_tells_all_of_it() {
        let body = plain(&message(vec![raised("lobby", "black")]));
        for part in
            ["Stream: lobby", "Value: 1 ratio", "Labels: site=north", "https://wiki.example/black", "view=event"]
        {
            assert!(body.contains(part), "{part}: {body}");
        }
        assert!(html(&message(vec![raised("lobby", "black")])).contains("<a href=\"https://wiki.example/black\">"));
    }
}
