//! SNMP traps, version 2c, as `config/snmp/AVWATCH-MIB.txt` describes them.
//!
//! Owned by its receiver's thread. One datagram tells of the newest change of one event or incident. Nobody
//! acknowledges a trap: what the network loses is lost, and only a receiver that is not there at all may
//! show, sometimes. So a receiver of traps is no replacement for one that answers.
//!
//! Nothing is too much for a trap receiver but too fast: after `BURST` traps there is a pause. A message of more than
//! [`ALONE_MAX`] changes tells of all of them in digests, a trap for as many as fit into [`LIST_BYTES_MAX`]: a thousand
//! failures are a dozen traps, and each of them is named.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::event::{Event, EventState};
use avwatch_actors::incident::Incident;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;

use super::ber::{self, tag};
use super::rows;
use super::words::{self, Told};
use super::{Changes, Channel, Content, Links, Message, SEND_WITHIN, SendFailure, SnmpPlan, resolving};

/// Most changes of a message that have a trap each.
pub const ALONE_MAX: usize = 10;

/// Most incidents of a larger message that have a trap each; what is more stands in the digests.
const INCIDENTS_ALONE_MAX: usize = 3;

/// Longest list of a digest, in bytes: below what trap receivers take by far, and some hundred changes.
pub const LIST_BYTES_MAX: usize = 8_000;

/// Traps between pauses: what a receive buffer of common size holds easily.
const BURST: usize = 50;

/// How long the pauses are.
const PAUSE: Duration = Duration::from_millis(20);

/// Longest text in a trap, in bytes: a trap must fit into one packet of a common network.
const TEXT_BYTES_MAX: usize = 255;

/// Between the changes of a digest.
const SEPARATOR: &str = "; ";

/// `sysUpTime.0`.
const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];

/// `snmpTrapOID.0`.
const SNMP_TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// The traps, numbered as in the MIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trap {
    EventRaised = 1,
    EventChanged = 2,
    EventEnded = 3,
    Incident = 4,
    Test = 6,
    Digest = 7,
}

/// The objects, numbered as in the MIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    EventId = 1,
    Fingerprint = 2,
    Stream = 3,
    Program = 4,
    Track = 5,
    Detector = 6,
    Severity = 7,
    State = 8,
    Text = 9,
    StartedAt = 10,
    EndedAt = 11,
    Duration = 12,
    Value = 13,
    Threshold = 14,
    Unit = 15,
    Node = 16,
    IncidentId = 17,
    IncidentStreams = 18,
    IncidentEvents = 19,
    Url = 20,
    Count = 21,
    Changes = 22,
}

/// The channel.
pub struct SnmpChannel {
    plan: SnmpPlan,
    line: Arc<Lifeline>,
    started: Instant,
    request: u16,
}

impl SnmpChannel {
    /// To the plan's trap receiver.
    pub fn new(plan: &SnmpPlan, line: &Arc<Lifeline>) -> Self {
        Self { plan: plan.clone(), line: line.clone(), started: Instant::now(), request: 0 }
    }

    /// One trap as it goes over the network.
    fn packet(&mut self, bindings: Bindings) -> Vec<u8> {
        self.request = self.request.wrapping_add(1);
        // TimeTicks begin anew after 497 days, as RFC 2578 says.
        let ticks = i64::from((self.started.elapsed().as_millis() / 10 % (1 << 32)) as u32);
        let trap = [&self.plan.enterprise_oid[..], &[0, bindings.trap as u32]].concat();
        let mut all =
            vec![binding(SYS_UP_TIME, ber::integer(tag::TIME_TICKS, ticks)), binding(SNMP_TRAP_OID, ber::oid(&trap))];
        for (object, value) in bindings.values {
            let name = [&self.plan.enterprise_oid[..], &[1, object as u32, 0]].concat();
            all.push(binding(&name, value));
        }
        let pdu = [
            ber::integer(tag::INTEGER, i64::from(self.request)),
            ber::integer(tag::INTEGER, 0),
            ber::integer(tag::INTEGER, 0),
            ber::group(tag::SEQUENCE, &all),
        ];
        ber::group(
            tag::SEQUENCE,
            &[
                ber::integer(tag::INTEGER, 1),
                ber::value(tag::OCTET_STRING, self.plan.community.expose().as_bytes()),
                ber::group(tag::TRAP_V2, &pdu),
            ],
        )
    }

    /// Sends all packets to the first address that a socket takes.
    fn send_all(&self, packets: &[Vec<u8>]) -> Result<(), SendFailure> {
        let shown = format!("{}:{}", self.plan.host, self.plan.port);
        let later = |why: String| SendFailure::Later { why, after: None };
        let until = Instant::now() + SEND_WITHIN;
        let addresses = resolving::addresses(&self.plan.host, self.plan.port, &self.line, SEND_WITHIN)?;
        let address = addresses.first().ok_or_else(|| later(format!("{shown} has no address")))?;
        let socket = open(*address).map_err(|error| later(format!("cannot send to {shown}: {error}")))?;
        for (index, packet) in packets.iter().enumerate() {
            if index > 0 && index % BURST == 0 {
                std::thread::sleep(PAUSE);
            }
            if Instant::now() >= until {
                return Err(later(format!("sending {} traps to {shown} took too long", packets.len())));
            }
            socket.send(packet).map_err(|error| later(format!("cannot send to {shown}: {error}")))?;
        }
        Ok(())
    }
}

fn open(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    socket.connect(address)?;
    Ok(socket)
}

impl Channel for SnmpChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        let all = match &message.content {
            Content::Test { .. } => vec![test(message)],
            Content::Changes(records) => of_changes(records, &message.links),
        };
        let packets: Vec<Vec<u8>> = all.into_iter().map(|bindings| self.packet(bindings)).collect();
        self.send_all(&packets)
    }
}

fn test(message: &Message) -> Bindings {
    let mut bindings = Bindings { trap: Trap::Test, values: Vec::new() };
    bindings.text(Object::Text, &words::head(message));
    bindings
}

/// The traps of a message: one for each change, or digests of many.
fn of_changes(records: &Changes, links: &Links) -> Vec<Bindings> {
    let alone = |told: &Told<'_>| match told.record {
        Record::Event(event) => of_event(event, told, links),
        Record::Incident(incident) => of_incident(incident, told),
    };
    let told = words::newest(records);
    if told.len() <= ALONE_MAX {
        return told.iter().map(alone).collect();
    }
    // Incidents are the first of them.
    let ranked = words::ranked(records);
    let incidents = ranked.iter().take(INCIDENTS_ALONE_MAX).filter(|told| told.record.incident().is_some()).count();
    let (first, rest) = ranked.split_at(incidents);
    first.iter().map(alone).chain(digests(rest)).collect()
}

/// Digests of changes: those of a state together, each list as long as may be.
fn digests(told: &[Told<'_>]) -> Vec<Bindings> {
    let mut by_state: BTreeMap<i64, Vec<&Told<'_>>> = BTreeMap::new();
    for one in told {
        by_state.entry(state_of(one.record)).or_default().push(one);
    }
    let mut all = Vec::new();
    for (state, told) in by_state {
        let rows: Vec<String> = told.iter().map(|told| row(told)).collect();
        let mut begin = 0;
        while begin < rows.len() {
            let mut bytes = 0;
            let fits = |row: &&String| {
                bytes += row.len() + SEPARATOR.len();
                bytes <= LIST_BYTES_MAX
            };
            // A row alone is far shorter than a list may be.
            let end = begin + rows[begin..].iter().take_while(fits).count().max(1);
            all.push(digest(state, &told[begin..end], &rows[begin..end], (begin + 1, rows.len())));
            begin = end;
        }
    }
    all
}

/// One digest; `place` is the number of its first change among how many of that state.
fn digest(state: i64, told: &[&Told<'_>], rows: &[String], place: (usize, usize)) -> Bindings {
    let severity_of = |record: &Record| match record {
        Record::Event(event) => event.severity,
        Record::Incident(incident) => incident.severity,
    };
    let worst = told.iter().map(|told| severity_of(told.record)).max().unwrap_or(Severity::Info);
    let node = told.first().map(|told| match told.record {
        Record::Event(event) => event.node.clone(),
        Record::Incident(incident) => incident.node.clone(),
    });
    let (first, all) = place;
    let what = told.first().map(|told| rows::heading(told)).unwrap_or_default();
    let text = format!("{what} and others: {first} to {} of {all} changes at once", first + rows.len() - 1);
    let mut bindings = Bindings { trap: Trap::Digest, values: Vec::new() };
    bindings.word(Object::State, state);
    bindings.word(Object::Severity, severity(worst));
    bindings.text(Object::Text, &text);
    bindings.number(Object::Count, u32::try_from(rows.len()).ok());
    bindings.list(Object::Changes, rows);
    bindings.text(Object::Node, node.as_deref().unwrap_or_default());
    bindings
}

/// A change in a digest: stream, track, detector, id and fingerprint; of an incident the word and its id.
fn row(told: &Told<'_>) -> String {
    match told.record {
        Record::Event(event) => {
            let stream = words::clean(&event.stream, 128);
            format!("{stream} {} {} {} {}", event.track, event.detector, event.id, event.fingerprint)
        }
        Record::Incident(incident) => format!("incident {}", incident.id),
    }
}

/// Where a change stands, by the numbers of the MIB.
fn state_of(record: &Record) -> i64 {
    match record {
        Record::Event(event) if words::is_unwatched(event) => UNWATCHED,
        Record::Event(event) => state(event.state),
        Record::Incident(incident) if incident.is_open() => state(EventState::Raised),
        Record::Incident(_) => state(EventState::Ended),
    }
}

fn of_event(event: &Event, told: &Told<'_>, links: &Links) -> Bindings {
    let trap = match event.state {
        EventState::Raised => Trap::EventRaised,
        EventState::Escalated | EventState::Acked | EventState::Suppressed => Trap::EventChanged,
        // It is not known to be over: nothing may clear it.
        EventState::Ended if words::is_unwatched(event) => Trap::EventChanged,
        EventState::Ended => Trap::EventEnded,
    };
    let mut bindings = Bindings { trap, values: Vec::new() };
    bindings.text(Object::EventId, &event.id);
    bindings.text(Object::Fingerprint, &event.fingerprint);
    bindings.text(Object::Stream, &event.stream);
    bindings.number(Object::Program, event.program);
    bindings.text(Object::Track, &event.track.to_string());
    bindings.text(Object::Detector, &event.detector);
    bindings.word(Object::Severity, severity(event.severity));
    bindings.word(Object::State, state_of(told.record));
    bindings.text(Object::Text, &words::line(told));
    bindings.text(Object::StartedAt, &event.started_at.to_string());
    if let Some(ended) = event.ended_at {
        bindings.text(Object::EndedAt, &ended.to_string());
    }
    let lasted = words::lasted(event.started_at, event.changed_at, event.ended_at);
    bindings.number(Object::Duration, Some(u32::try_from(lasted.as_secs()).unwrap_or(u32::MAX)));
    for (object, number) in [(Object::Value, event.value), (Object::Threshold, event.threshold)] {
        bindings.text(object, &number.map(|number| number.to_string()).unwrap_or_default());
    }
    bindings.text(Object::Unit, &event.unit);
    bindings.text(Object::Node, &event.node);
    bindings.text(Object::IncidentId, event.incident_id.as_deref().unwrap_or_default());
    bindings.text(Object::Url, &links.event(&event.id).unwrap_or_default());
    bindings
}

fn of_incident(incident: &Incident, told: &Told<'_>) -> Bindings {
    let mut bindings = Bindings { trap: Trap::Incident, values: Vec::new() };
    bindings.text(Object::IncidentId, &incident.id);
    bindings.word(Object::Severity, severity(incident.severity));
    bindings.word(Object::State, state_of(told.record));
    bindings.text(Object::Text, &words::line(told));
    bindings.text(Object::StartedAt, &incident.started_at.to_string());
    if let Some(ended) = incident.ended_at {
        bindings.text(Object::EndedAt, &ended.to_string());
    }
    bindings.number(Object::IncidentStreams, u32::try_from(incident.streams.len()).ok());
    bindings.number(Object::IncidentEvents, u32::try_from(incident.events_total).ok());
    bindings.text(Object::Node, &incident.node);
    bindings
}

/// The numbers of the MIB's textual convention.
const fn severity(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 1,
        Severity::Warning => 2,
        Severity::Minor => 3,
        Severity::Major => 4,
        Severity::Critical => 5,
    }
}

/// That nobody looks any more, as the MIB has it.
const UNWATCHED: i64 = 6;

/// The numbers of the MIB's textual convention.
const fn state(state: EventState) -> i64 {
    match state {
        EventState::Raised => 1,
        EventState::Escalated => 2,
        EventState::Acked => 3,
        EventState::Suppressed => 4,
        EventState::Ended => 5,
    }
}

/// A trap and what it says.
struct Bindings {
    trap: Trap,
    values: Vec<(Object, Vec<u8>)>,
}

impl Bindings {
    /// A text; none when it is empty.
    fn text(&mut self, object: Object, text: &str) {
        let text = words::clean(text, TEXT_BYTES_MAX);
        if !text.is_empty() {
            self.values.push((object, ber::value(tag::OCTET_STRING, text.as_bytes())));
        }
    }

    /// Rows, which a digest keeps below [`LIST_BYTES_MAX`].
    fn list(&mut self, object: Object, rows: &[String]) {
        self.values.push((object, ber::value(tag::OCTET_STRING, rows.join(SEPARATOR).as_bytes())));
    }

    fn number(&mut self, object: Object, number: Option<u32>) {
        if let Some(number) = number {
            self.values.push((object, ber::integer(tag::GAUGE, i64::from(number))));
        }
    }

    fn word(&mut self, object: Object, number: i64) {
        self.values.push((object, ber::integer(tag::INTEGER, number)));
    }
}

fn binding(name: &[u32], value: Vec<u8>) -> Vec<u8> {
    ber::group(tag::SEQUENCE, &[ber::oid(name), value])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::notify::samples::{ended, event, incident, message, raised, test};

    fn received(message: &Message, count: usize) -> Vec<Vec<u8>> {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let plan = SnmpPlan {
            host: "127.0.0.1".to_owned(),
            port: receiver.local_addr().unwrap().port(),
            community: Secret::for_tests("public"),
            enterprise_oid: vec![1, 3, 6, 1, 4, 1, 8_072, 9_999, 9_999],
        };
        let message = message.clone();
        let sender = std::thread::spawn(move || SnmpChannel::new(&plan, &Arc::default()).send(&message));
        let mut packet = [0; 2_048];
        let packets =
            (0..count).map(|_| receiver.recv(&mut packet).map(|size| packet[..size].to_vec()).unwrap()).collect();
        sender.join().unwrap().unwrap();
        packets
    }

    #[test]
    fn a_trap_is_one_packet_of_version_2c_with_the_community() {
        let packets = received(&message(vec![raised("lobby", "black")]), 1);
        let packet = &packets[0];
        assert!(packet.len() < 1_400, "{} bytes", packet.len());
        let has = |part: &[u8]| packet.windows(part.len()).any(|window| window == part);
        // Version 1 stands for 2c; then the community.
        assert!(has(&[2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa7]));
        assert!(has(b"lobby") && has(b"0193-lobby-black"));
        assert_eq!(packet[0], tag::SEQUENCE);
    }

    /// What the digests among traps list, and how many digests there are.
    fn listed(all: &[Bindings]) -> (Vec<String>, usize) {
        let digests: Vec<&Bindings> = all.iter().filter(|bindings| bindings.trap == Trap::Digest).collect();
        let list = |bindings: &&&Bindings| {
            let (_, value) = bindings.values.iter().find(|(object, _)| *object == Object::Changes).unwrap();
            // Tag and three bytes of length.
            String::from_utf8(value[4..].to_vec()).unwrap()
        };
        let lists: Vec<String> = digests.iter().map(|one| list(&one)).collect();
        assert!(lists.iter().all(|list| list.len() <= LIST_BYTES_MAX));
        (lists.iter().flat_map(|list| list.split(SEPARATOR)).map(str::to_owned).collect(), digests.len())
    }

    #[test]
    fn a_storm_of_a_thousand_failures_is_at_most_twenty_traps_that_name_them_all() {
        let id = |index: usize| format!("01939e2a-7b1c-7d4e-8f00-{index:012}");
        let sample = |index: usize| {
            Record::Event(Arc::new(Event { id: id(index), ..event(&format!("channel-{index:04}"), "black") }))
        };
        let mut records: Vec<Record> = (0..1_000).map(sample).collect();
        records.push(incident("one", 1_000, true));
        let all = of_changes(&records.clone().into(), &Links::default());
        assert_eq!(all[0].trap, Trap::Incident);
        let (rows, digests) = listed(&all);
        assert!(
            all.len() == digests + 1 && all.len() <= 14,
            "{} traps, of which three messages may be made",
            all.len()
        );
        assert_eq!(rows.len(), 1_000);
        let fingerprint = event("channel-0007", "black").fingerprint;
        assert_eq!(rows[7], format!("channel-0007 video:0 black {} {fingerprint}", id(7)));
    }

    #[test]
    fn digests_tell_apart_what_is_there_and_what_is_over() {
        let mut records: Vec<Record> = (0..20).map(|index| raised(&format!("a{index}"), "black")).collect();
        records.extend((0..30).map(|index| ended(&format!("b{index}"), "black")));
        let all = of_changes(&records.clone().into(), &Links::default());
        let says = |bindings: &Bindings, object, number| {
            bindings.values.contains(&(object, ber::integer(tag::INTEGER, number)))
        };
        assert_eq!(all.len(), 2);
        assert!(says(&all[0], Object::State, 1) && says(&all[1], Object::State, 5));
        assert!(all[1].values.contains(&(Object::Count, ber::integer(tag::GAUGE, 30))));
        assert_eq!(
            of_changes(&records[..ALONE_MAX].to_vec().into(), &Links::default()).len(),
            ALONE_MAX,
            "few have a trap each"
        );
    }

    #[test]
    fn incidents_and_tests_have_traps_of_their_own() {
        assert_eq!(of_changes(&vec![incident("one", 3, true)].into(), &Links::default())[0].trap, Trap::Incident);
        assert_eq!(received(&test("anna"), 1).len(), 1);
    }
}
