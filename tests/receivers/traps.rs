//! Traps to Net-SNMP's receiver, which reads them by the MIB that is shipped.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use avwatch::notify::snmp::SnmpChannel;
use avwatch::notify::{Channel, Message, SnmpPlan};

use crate::process::{Process, udp_port};
use crate::samples::{ended, escalated, event, incident, message, raised, test};
use crate::{secret, within};

const LIMIT: Duration = Duration::from_secs(20);
const COMMUNITY: &str = "S3cret";

/// Where the MIB is that is shipped, and what it is made of.
fn mibs() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    format!("{}:{}", root.join("config/snmp").display(), root.join("tests/receivers/mibs").display())
}

struct TrapReceiver {
    process: Process,
    _folder: tempfile::TempDir,
    port: u16,
    tests: Cell<usize>,
}

impl TrapReceiver {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("snmptrapd.conf");
        fs::write(&config, format!("authCommunity log {COMMUNITY}\n")).expect("writes");
        let port = udp_port();
        let mut command = Command::new("/usr/sbin/snmptrapd");
        command.args(["-f", "-Lo", "-n", "-C", "-c"]).arg(&config).args(["-M", &mibs(), "-m", "ALL", "-OQ"]);
        // One line a trap.
        command.args(["-F", "%v\\n"]).arg(format!("udp:127.0.0.1:{port}"));
        command.env("SNMP_PERSISTENT_DIR", folder.path());
        let started = Self { process: Process::start(&mut command), _folder: folder, port, tests: Cell::new(0) };
        within(LIMIT, "snmptrapd receives", || {
            started.send(COMMUNITY, &test("nobody"));
            started.process.line(Duration::from_millis(200), |line| line.contains("avwatchTest"))
        });
        started
    }

    fn send(&self, community: &str, message: &Message) {
        let plan = SnmpPlan {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            community: secret(community),
            enterprise_oid: vec![1, 3, 6, 1, 4, 1, 8_072, 9_999, 9_999, 7_268],
        };
        let sent = SnmpChannel::new(&plan, &Arc::default()).send(message);
        // Nobody may be there yet: the system may say so, or not.
        assert!(sent.is_ok() || self.tests.replace(self.tests.get() + 1) < 1_000, "{sent:?}");
    }

    /// The next trap of that name, as words: `AVWATCH-MIB::avwatchStream.0 = lobby`.
    fn trap(&self, name: &str) -> String {
        let ends = format!("AVWATCH-MIB::{name}");
        let found = self.process.line(LIMIT, |line| line.split('\t').any(|part| part.ends_with(&ends)));
        found.unwrap_or_else(|| panic!("no {name} came"))
    }
}

fn says(trap: &str, object: &str, value: &str) {
    let wanted = format!("AVWATCH-MIB::{object}.0 = {value}");
    assert!(trap.split('\t').any(|part| part == wanted), "'{wanted}' is missing: {trap}");
}

#[test]
fn events_and_incidents_are_read_by_the_names_of_the_mib() {
    let receiver = TrapReceiver::start();
    receiver.send(COMMUNITY, &message(vec![raised("lobby", "black")]));
    let trap = receiver.trap("avwatchEventRaised");
    for (object, value) in [
        ("avwatchStream", "lobby"),
        ("avwatchTrack", "video:0"),
        ("avwatchDetector", "black"),
        ("avwatchSeverity", "critical"),
        ("avwatchState", "raised"),
        ("avwatchEventId", "0193-lobby-black"),
        ("avwatchText", "CRITICAL lobby video:0 black: picture black for 30 s"),
        ("avwatchDuration", "30 seconds"),
        ("avwatchThreshold", "0.98"),
        ("avwatchNode", "monitor-1"),
    ] {
        says(&trap, object, value);
    }
    says(&trap, "avwatchFingerprint", &event("lobby", "black").fingerprint);
    assert!(trap.contains("sysUpTime"), "{trap}");
    receiver.send(COMMUNITY, &message(vec![escalated("lobby", "black")]));
    says(&receiver.trap("avwatchEventChanged"), "avwatchState", "escalated");
    receiver.send(COMMUNITY, &message(vec![ended("lobby", "black")]));
    let over = receiver.trap("avwatchEventEnded");
    says(&over, "avwatchDuration", "42 seconds");
    says(&over, "avwatchText", "over: lobby video:0 black after 42 s");
    receiver.send(COMMUNITY, &message(vec![incident("one", 1_000, true)]));
    let trap = receiver.trap("avwatchIncident");
    says(&trap, "avwatchIncidentId", "one");
    says(&trap, "avwatchIncidentStreams", "1000");
}

#[test]
fn a_storm_of_a_thousand_is_a_dozen_traps_that_name_each_event() {
    let receiver = TrapReceiver::start();
    let records = (0..1_000).map(|index| raised(&format!("s{index}"), "black")).collect();
    receiver.send(COMMUNITY, &message(records));
    let mut missing: Vec<usize> = (0..1_000).collect();
    let mut traps = 0;
    while !missing.is_empty() {
        let trap = receiver.trap("avwatchDigest");
        says(&trap, "avwatchState", "raised");
        says(&trap, "avwatchNode", "monitor-1");
        missing.retain(|index| !trap.contains(&format!("s{index} video:0 black 0193-s{index}-black ")));
        traps += 1;
    }
    assert!(traps <= 12, "{traps}");
}

#[test]
fn another_community_is_not_listened_to() {
    let receiver = TrapReceiver::start();
    receiver.send("public", &message(vec![raised("lobby", "black")]));
    receiver.send(COMMUNITY, &message(vec![raised("hall", "black")]));
    says(&receiver.trap("avwatchEventRaised"), "avwatchStream", "hall");
}

#[test]
fn text_beyond_ascii_arrives_as_it_is() {
    let receiver = TrapReceiver::start();
    let mut sample = event("lobby", "black");
    sample.message = "Bild schwarz – 30 s, größer".to_owned();
    receiver.send(COMMUNITY, &message(vec![avwatch_actors::record::Record::Event(Arc::new(sample))]));
    let trap = receiver.trap("avwatchEventRaised");
    assert!(trap.contains("Bild schwarz – 30 s, größer"), "{trap}");
}

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).env("SMIPATH", mibs()).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}; see setup_receivers in scripts/setup"))
}

#[test]
fn the_mib_is_without_fault_and_gives_the_names_their_numbers() {
    let mib = concat!(env!("CARGO_MANIFEST_DIR"), "/config/snmp/AVWATCH-MIB.txt");
    // Of the warnings only that arcs of others have no name here.
    let output = run("smilint", &["-c", "/dev/null", "-l", "6", "-i", "node-implicit", mib]);
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
    let output = run("snmptranslate", &["-M", &mibs(), "-m", "ALL", "-On", "AVWATCH-MIB::avwatchEventRaised"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), ".1.3.6.1.4.1.8072.9999.9999.7268.0.1");
}
