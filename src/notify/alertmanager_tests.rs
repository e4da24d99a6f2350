//! What Alertmanager is told. How the real one takes it is tested in `tests/receivers`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::*;
use crate::notify::samples::{ended, escalated, event, incident, message, raised, test, unwatched};
use crate::notify::testing::{Received, Reply, Scripted};

fn plan(urls: &[String], severity: SeverityPlace) -> AlertmanagerPlan {
    AlertmanagerPlan {
        urls: urls.iter().map(|url| url.parse().unwrap()).collect(),
        labels: BTreeMap::from([("team".to_owned(), "video".to_owned())]),
        severity,
        resend_every: Duration::from_secs(60),
        headers: Vec::new(),
        tls_ca: None,
    }
}

fn channel(servers: &[&Scripted], severity: SeverityPlace) -> AlertmanagerChannel {
    let urls: Vec<String> = servers.iter().map(|server| server.url("/am/")).collect();
    AlertmanagerChannel::new(&plan(&urls, severity), &message(Vec::new()).links, &Arc::default())
}

fn told(records: Vec<Record>, severity: SeverityPlace) -> Vec<Value> {
    let server = Scripted::start(|_| Reply::status(200));
    channel(&[&server], severity).send(&message(records)).unwrap();
    let requests = server.requests();
    assert_eq!((requests.len(), requests[0].path.as_str()), (1, "/am/api/v2/alerts"));
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    requests[0].json().as_array().unwrap().clone()
}

/// Seconds from now on until an alert ends.
fn ends_in(alert: &Value) -> f64 {
    let ends: Wall = serde_json::from_value(alert["endsAt"].clone()).unwrap();
    match ends.0.duration_since(SystemTime::now()) {
        Ok(ahead) => ahead.as_secs_f64(),
        Err(error) => -error.duration().as_secs_f64(),
    }
}

#[test]
fn an_alert_that_nobody_watches_any_more_is_not_resolved_but_runs_out() {
    let alerts = told(vec![unwatched("lobby", "black")], SeverityPlace::Annotation);
    assert!((239.0..=240.0).contains(&ends_in(&alerts[0])), "four re-sendings ahead");
    let summary = alerts[0]["annotations"]["summary"].as_str().unwrap();
    assert!(summary.starts_with("no longer watched, not known to be over: "), "{summary}");
}

#[test]
fn an_alert_is_known_by_what_does_not_change_and_says_the_rest_beside() {
    let alerts = told(vec![raised("lobby", "black")], SeverityPlace::Annotation);
    let sample = event("lobby", "black");
    assert_eq!(
        alerts[0]["labels"],
        json!({"alertname": "black", "stream": "lobby", "track": "video:0", "fingerprint": sample.fingerprint,
               "site": "north", "team": "video"})
    );
    let annotations = &alerts[0]["annotations"];
    assert_eq!(annotations["summary"], "CRITICAL lobby video:0 black: picture black for 30 s");
    assert_eq!(annotations["severity"], "critical");
    assert_eq!((&annotations["value"], &annotations["threshold"]), (&json!("1"), &json!("0.98")));
    assert_eq!(annotations["runbook_url"], "https://wiki.example/black");
    assert_eq!(alerts[0]["generatorURL"], "https://monitor.example/?view=event&id=0193-lobby-black");
    assert!((239.0..=240.0).contains(&ends_in(&alerts[0])), "four re-sendings ahead");
    let over = told(vec![ended("lobby", "black")], SeverityPlace::Annotation);
    assert_eq!(over[0]["labels"], alerts[0]["labels"]);
    assert!(ends_in(&over[0]) < 0.0);
}

#[test]
fn a_rise_of_severity_resolves_the_lower_alerts_where_severity_is_a_label() {
    let alerts = told(vec![escalated("lobby", "black")], SeverityPlace::Label);
    let ends: Vec<(&str, bool)> =
        alerts.iter().map(|alert| (alert["labels"]["severity"].as_str().unwrap(), ends_in(alert) > 0.0)).collect();
    let expected = [("info", false), ("warning", false), ("minor", false), ("major", false), ("critical", true)];
    assert_eq!(ends, expected);
}

#[test]
fn labels_that_clash_get_a_prefix_and_none_is_lost() {
    let mut sample = event("lobby", "black");
    sample.labels.extend([("program", "7"), ("team", "x")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    sample.program = Some(1);
    let alerts = told(vec![Record::Event(Arc::new(sample))], SeverityPlace::Annotation);
    let labels = &alerts[0]["labels"];
    assert_eq!((&labels["program"], &labels["label_program"]), (&json!("1"), &json!("7")));
    assert_eq!((&labels["team"], &labels["label_team"]), (&json!("video"), &json!("x")));
}

#[test]
fn what_happened_at_one_moment_fires_for_a_while() {
    let mut sample = event("lobby", "format_change");
    sample.state = EventState::Ended;
    sample.ended_at = Some(sample.started_at);
    let alerts = told(vec![Record::Event(Arc::new(sample))], SeverityPlace::Annotation);
    assert!(ends_in(&alerts[0]) > 200.0);
}

#[test]
fn several_changes_of_one_condition_are_one_alert() {
    let records = vec![raised("lobby", "black"), escalated("lobby", "black"), ended("lobby", "black")];
    let alerts = told(records, SeverityPlace::Annotation);
    assert_eq!(alerts.len(), 1);
    assert!(ends_in(&alerts[0]) < 0.0);
}

#[test]
fn all_that_is_open_is_told_again_in_parts_and_incidents_with_it() {
    let server = Scripted::start(|_| Reply::status(200));
    let mut channel = channel(&[&server], SeverityPlace::Annotation);
    channel.send(&message(vec![incident("one", 3, true)])).unwrap();
    let open: Vec<Arc<Event>> = (0..600).map(|index| Arc::new(event(&format!("s{index}"), "black"))).collect();
    channel.resend(&open).unwrap();
    let sizes: Vec<usize> = server.requests().iter().map(|request| request.json().as_array().unwrap().len()).collect();
    assert_eq!(sizes, [1, 500, 101]);
    let incident_alert = server.requests()[2].json()[100].clone();
    assert_eq!(incident_alert["labels"], json!({"alertname": "incident", "incident": "one", "team": "video"}));
    channel.send(&message(vec![incident("one", 3, false)])).unwrap();
    channel.resend(&[]).unwrap();
    assert_eq!(server.requests().len(), 4, "with nothing open nothing is told again");
}

fn names_of(request: &Received) -> Vec<String> {
    let alerts = request.json();
    alerts.as_array().unwrap().iter().map(|alert| alert["labels"]["stream"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_dead_member_of_a_cluster_does_not_hold_alerts_back_and_is_told_what_it_missed() {
    let well = Scripted::start(|_| Reply::status(200));
    let back = Arc::new(AtomicBool::new(false));
    let is_back = back.clone();
    let broken = Scripted::start(move |_| Reply::status(if is_back.load(Ordering::Relaxed) { 200 } else { 503 }));
    let mut channel = channel(&[&broken, &well], SeverityPlace::Annotation);
    channel.send(&message(vec![raised("a", "black")])).unwrap();
    channel.send(&message(vec![ended("a", "black")])).unwrap();
    assert_eq!(well.requests().len(), 2, "the other one is told of everything");
    let failure = channel.send(&test("anna")).unwrap_err();
    assert!(matches!(failure, SendFailure::Later { .. }), "who tries hears of the dead one: {failure:?}");
    let failure = channel.resend(&[Arc::new(event("b", "black"))]).unwrap_err();
    assert!(matches!(failure, SendFailure::Later { .. }), "and so does the board, with every re-sending: {failure:?}");
    back.store(true, Ordering::Relaxed);
    let before = broken.requests().len();
    channel.resend(&[Arc::new(event("b", "black"))]).unwrap();
    let told: Vec<String> = broken.requests()[before..].iter().flat_map(names_of).collect();
    assert_eq!(told, ["a", "a", "b"], "in the order in which it happened");
    assert!(ends_in(&broken.requests()[before].json()[1]) < 0.0);
    let before = broken.requests().len();
    channel.send(&message(vec![raised("c", "black")])).unwrap();
    assert_eq!(broken.requests()[before..].iter().flat_map(names_of).collect::<Vec<_>>(), ["c"], "and only once");
}

#[test]
fn what_no_member_takes_was_not_taken() {
    let broken = [Scripted::start(|_| Reply::status(503)), Scripted::start(|_| Reply::status(400))];
    let mut channel = channel(&[&broken[0], &broken[1]], SeverityPlace::Annotation);
    let failure = channel.send(&message(vec![raised("lobby", "black")])).unwrap_err();
    assert!(matches!(failure, SendFailure::Later { .. }), "{failure:?}");
}

#[test]
fn members_that_do_not_answer_share_the_time_of_one_call() {
    let silent = [Scripted::start(|_| Reply::never()), Scripted::start(|_| Reply::never())];
    let mut channel = channel(&[&silent[0], &silent[1]], SeverityPlace::Annotation);
    let start = Instant::now();
    channel.send(&test("anna")).unwrap_err();
    assert!(start.elapsed() < SEND_WITHIN + Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(silent[1].requests().len(), 1);
}
