//! Debian's Alertmanager, asked with its own tool.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch::config::SeverityPlace;
use avwatch::notify::alertmanager::{AlertmanagerChannel, SILENCE_PERIODS};
use avwatch::notify::{AlertmanagerPlan, Channel};
use avwatch_actors::record::Record;
use serde_json::Value;

use crate::process::{Process, tcp_port};
use crate::samples::{ended, event, incident, message, raised, test};
use crate::within;

const LIMIT: Duration = Duration::from_secs(20);

struct Alertmanager {
    _process: Process,
    _folder: tempfile::TempDir,
    url: String,
}

impl Alertmanager {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config.yml");
        fs::write(&config, "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n").expect("writes");
        let listen = format!("127.0.0.1:{}", tcp_port());
        let mut command = Command::new("prometheus-alertmanager");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address={listen}")).arg("--cluster.listen-address=");
        let started = Self { _process: Process::start(&mut command), _folder: folder, url: format!("http://{listen}") };
        within(LIMIT, "Alertmanager answers", || started.query().map(drop));
        started
    }

    /// The alerts that fire, as its own tool tells; nothing when it does not answer.
    fn query(&self) -> Option<Vec<Value>> {
        let mut command = Command::new("amtool");
        command.args(["alert", "query", "-o", "json", "--alertmanager.url"]).arg(&self.url);
        let output = command.output().expect("amtool starts; see setup_receivers in scripts/setup");
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("amtool writes JSON"))
    }

    fn firing(&self) -> Vec<Value> {
        self.query().expect("Alertmanager answers")
    }

    fn channel(&self, resend_every: Duration, severity: SeverityPlace) -> AlertmanagerChannel {
        let plan = AlertmanagerPlan {
            urls: vec![self.url.parse().expect("a URL")],
            labels: BTreeMap::from([("team".to_owned(), "video".to_owned())]),
            severity,
            resend_every,
            headers: Vec::new(),
            tls_ca: None,
        };
        AlertmanagerChannel::new(&plan, &message(Vec::new()).links, &Arc::default())
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn an_alert_fires_without_a_label_of_severity_and_resolves() {
    let alertmanager = Alertmanager::start();
    let mut channel = alertmanager.channel(MINUTE, SeverityPlace::Annotation);
    channel.send(&message(vec![raised("lobby", "black"), raised("hall", "silence")])).expect("is taken");
    let alerts = within(LIMIT, "both fire", || Some(alertmanager.firing()).filter(|alerts| alerts.len() == 2));
    let lobby = alerts.iter().find(|alert| alert["labels"]["stream"] == "lobby").expect("it is there");
    assert_eq!(
        lobby["labels"],
        serde_json::json!({
            "alertname": "black", "stream": "lobby", "track": "video:0", "site": "north", "team": "video",
            "fingerprint": event("lobby", "black").fingerprint,
        })
    );
    assert_eq!(lobby["annotations"]["severity"], "critical");
    assert_eq!(lobby["generatorURL"], "https://monitor.example/?view=event&id=0193-lobby-black");
    channel.send(&message(vec![ended("lobby", "black")])).expect("is taken");
    let alerts = within(LIMIT, "one resolves", || Some(alertmanager.firing()).filter(|alerts| alerts.len() == 1));
    assert_eq!(alerts[0]["labels"]["stream"], "hall");
}

#[test]
fn open_events_stay_alive_by_being_told_again_and_end_by_themselves_when_nobody_tells() {
    let alertmanager = Alertmanager::start();
    let resend_every = Duration::from_millis(500);
    let expiry = resend_every * SILENCE_PERIODS;
    let mut channel = alertmanager.channel(resend_every, SeverityPlace::Annotation);
    channel.send(&message(vec![raised("lobby", "black"), incident("one", 3, true)])).expect("is taken");
    within(LIMIT, "both fire", || (alertmanager.firing().len() == 2).then_some(()));
    let open = [Arc::new(event("lobby", "black"))];
    let began = Instant::now();
    while began.elapsed() < expiry * 2 {
        channel.resend(&open).expect("is taken");
        let (asked, alerts) = (Instant::now(), alertmanager.firing());
        // A machine that stood still for longer than the expiry proves nothing.
        assert!(alerts.len() == 2 || asked.elapsed() > expiry / 2, "one of two ended: {alerts:?}");
        std::thread::sleep(resend_every / 4);
    }
    within(expiry + LIMIT, "both end", || alertmanager.firing().is_empty().then_some(()));
}

#[test]
fn a_severity_that_is_a_label_leaves_no_alert_behind_when_it_rises() {
    let alertmanager = Alertmanager::start();
    let mut channel = alertmanager.channel(MINUTE, SeverityPlace::Label);
    let mut mild = event("lobby", "black");
    mild.severity = avwatch_actors::severity::Severity::Warning;
    channel.send(&message(vec![Record::Event(Arc::new(mild))])).expect("is taken");
    channel.send(&message(vec![crate::samples::escalated("lobby", "black")])).expect("is taken");
    let severities =
        || -> Vec<Value> { alertmanager.firing().iter().map(|alert| alert["labels"]["severity"].clone()).collect() };
    within(LIMIT, "the critical one alone fires", || (severities() == ["critical"]).then_some(()));
    channel.send(&message(vec![ended("lobby", "black")])).expect("is taken");
    within(LIMIT, "nothing fires", || severities().is_empty().then_some(()));
}

#[test]
fn an_incident_and_a_test_are_alerts_as_well() {
    let alertmanager = Alertmanager::start();
    let mut channel = alertmanager.channel(MINUTE, SeverityPlace::Annotation);
    channel.send(&message(vec![incident("one", 1_000, true)])).expect("is taken");
    channel.send(&test("anna")).expect("is taken");
    let names = || -> Vec<String> {
        let alerts = alertmanager.firing();
        alerts.iter().map(|alert| alert["labels"]["alertname"].as_str().unwrap_or_default().to_owned()).collect()
    };
    within(LIMIT, "both fire", || {
        let mut names = names();
        names.sort();
        (names == ["incident", "test"]).then_some(())
    });
    channel.send(&message(vec![incident("one", 1_000, false)])).expect("is taken");
    within(LIMIT, "the incident ends", || (names() == ["test"]).then_some(()));
}

#[test]
fn ten_thousand_open_events_are_told_again_in_one_call() {
    let alertmanager = Alertmanager::start();
    let mut channel = alertmanager.channel(MINUTE, SeverityPlace::Annotation);
    let open: Vec<_> = (0..10_000).map(|index| Arc::new(event(&format!("s{index}"), "black"))).collect();
    channel.resend(&open).expect("is taken");
    within(LIMIT, "all fire", || (alertmanager.firing().len() == 10_000).then_some(()));
}
