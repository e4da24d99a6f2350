//! SIGHUP: a new configuration without a restart.

use std::time::Duration;

use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);
const TAKEN: &str = "avwatch_config_last_reload_successful";

fn stream(name: &str, more: &str) -> String {
    let recipe = "synthetic:?size=320x180&fps=25&defects=black@4+60&seed=1";
    format!("[[streams]]\nname = \"{name}\"\nurl = \"{recipe}\"\n{more}\n")
}

/// Reloads and waits until that many reloads were told of; gives the last word on it.
fn reload(service: &Service, number: usize) -> String {
    service.signal(libc::SIGHUP);
    let is_word = |text: &&str| text.contains("reloaded");
    crate::common::sender::wait("the reload", 5 * SECOND, || {
        let log = service.log();
        let words: Vec<&str> = log.iter().filter_map(|line| line["message"].as_str()).filter(is_word).collect();
        (words.len() >= number).then(|| words[number - 1].to_owned())
    })
}

#[test]
fn a_changed_hold_time_takes_effect_without_a_new_session() {
    let hold = |seconds: u32| format!("[detectors.black]\nseverities = {{ info = \"{seconds}s\" }}\n");
    let home = Home::new(&format!("{}{}", hold(600), stream("lobby", "")));
    let service = home.start();
    service.wait_for_metric("avwatch_frames_total{stream=\"lobby\",track=\"video:0\"}", 15 * SECOND, |frames| {
        frames > 150.0
    });
    assert!(service.events_of("lobby", "black", "raised").is_empty());
    home.configure(&format!("{}{}", hold(1), stream("lobby", "")));
    assert_eq!(reload(&service, 1), "configuration reloaded: 0 added, 0 removed, 0 restarted, 1 retuned");
    let raised = service.wait_for_event("lobby", "black", "raised", 5 * SECOND);
    assert_eq!(raised["session"], 1);
    service.wait_for_metric(TAKEN, 3 * SECOND, |taken| taken == 1.0);
}

#[test]
fn streams_are_added_changed_and_removed_and_the_others_go_on() {
    let home = Home::new(&format!("{}{}", stream("stays", ""), stream("goes", "")));
    let service = home.start();
    service.wait_for_session("stays", 1, 10 * SECOND);
    service.wait_for_session("goes", 1, 10 * SECOND);
    let changed = stream("comes", "").replace("seed=1", "seed=2");
    home.configure(&format!("{}{changed}", stream("stays", "")));
    assert_eq!(reload(&service, 1), "configuration reloaded: 1 added, 1 removed, 0 restarted, 0 retuned");
    service.wait_for_session("comes", 1, 10 * SECOND);
    crate::common::sender::wait("the series of the removed stream to go", 5 * SECOND, || {
        (!service.get("/metrics").1.contains("stream=\"goes\"")).then_some(())
    });
    home.configure(&format!("{}{}", stream("stays", ""), stream("comes", "")));
    assert_eq!(reload(&service, 2), "configuration reloaded: 0 added, 0 removed, 1 restarted, 0 retuned");
    service.wait_for_line("black in session 2 of comes", 20 * SECOND, |line| {
        (line["event"]["stream"] == "comes" && line["event"]["session"] == 2).then_some(())
    });
    let sessions =
        service.log().iter().filter(|line| line["message"] == "session open" && line["stream"] == "stays").count();
    assert_eq!(sessions, 1);
}

#[test]
fn a_removed_stream_ends_its_events() {
    let hold = "[detectors.black]\nseverities = { info = \"1s\" }\n";
    let home = Home::new(&format!("{hold}{}", stream("lobby", "")));
    let service = home.start();
    let raised = service.wait_for_event("lobby", "black", "raised", 20 * SECOND);
    home.configure(hold);
    reload(&service, 1);
    let ended = service.wait_for_event("lobby", "black", "ended", 5 * SECOND);
    assert_eq!((&ended["id"], ended["end_reason"].as_str()), (&raised["id"], Some("stream_removed")));
}

#[test]
fn another_address_to_listen_on_is_refused_by_its_key() {
    let home = Home::new(&stream("lobby", ""));
    let service = home.start();
    home.write(&format!(
        "data_dir = \"{}\"\nserver.listen = \"127.0.0.1:1\"\n{}",
        home.data().display(),
        stream("other", "")
    ));
    let said = reload(&service, 1);
    assert!(said.contains("not reloaded") && said.contains("server.listen"), "{said}");
    service.wait_for_metric(TAKEN, 3 * SECOND, |taken| taken == 0.0);
    assert!(!service.get("/metrics").1.contains("stream=\"other\""));
}

#[test]
fn a_bad_file_keeps_the_old_configuration_until_it_is_mended() {
    let home = Home::new(&stream("lobby", ""));
    let service = home.start();
    service.wait_for_session("lobby", 1, 10 * SECOND);
    home.configure("[detectors.blakc]\nenabled = false\n");
    let said = reload(&service, 1);
    assert!(said.contains("not reloaded") && said.contains("blakc"), "{said}");
    service.wait_for_metric(TAKEN, 3 * SECOND, |taken| taken == 0.0);
    assert_eq!((service.get("/livez").0, service.get("/readyz").0), (200, 200));
    assert!(service.get("/metrics").1.contains("stream=\"lobby\""));
    home.configure(&stream("lobby", ""));
    reload(&service, 2);
    service.wait_for_metric(TAKEN, 3 * SECOND, |taken| taken == 1.0);
}
