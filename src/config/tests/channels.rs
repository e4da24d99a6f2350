//! What is refused of receivers and of the heartbeat before anything is sent.

use std::time::Duration;

use super::*;

#[test]
fn addresses_that_are_none_are_told_with_their_place() {
    let bench = Bench::of(concat!(
        "[heartbeat]\nurl = \"ping.example/S3cret\"\nevery = \"1s\"\n",
        "[receivers.mail.email]\nto = [\"noc@example.org\", \"noc\"]\nfrom = \"a b\"\nhost = \"mail\"\n",
        "[receivers.traps.snmp]\nhost = \"192.0.2.1\"\nenterprise_oid = \"1.40.x\"\n",
    ));
    let errors = bench.errors();
    assert_eq!(
        errors,
        [
            "a.toml:3:1: 'heartbeat.every' must be a duration such as \"2s\", \"500ms\" or \"10m\" from 10s to 1h",
            "a.toml:5:26: 'receivers.mail.email.to[1]': must be an address such as noc@example.org or 'Operators <noc@example.org>'",
            "a.toml:6:1: 'receivers.mail.email.from': must be an address such as noc@example.org or 'Operators <noc@example.org>'",
            "a.toml:10:1: 'receivers.traps.snmp.enterprise_oid': must be 2 to 32 whole numbers with dots between, such as 1.3.6.1.4.1.32473",
            "a.toml:2:1: 'heartbeat.url': must be an http or https URL",
        ]
    );
}

#[test]
fn object_identifiers_have_arcs_that_can_be_encoded() {
    for (text, is_one) in [
        ("1.3.6.1.4.1.32473", true),
        ("2.999", true),
        ("2.4294967295.1", true),
        ("1.40", false),
        ("3.1", false),
        ("1", false),
        ("", false),
        ("1.3.4294967296", false),
        (".1.3.6", false),
    ] {
        let bench = Bench::of(&format!("[receivers.a.snmp]\nhost = \"192.0.2.1\"\nenterprise_oid = \"{text}\"\n"));
        assert_eq!(bench.load().is_ok(), is_one, "{text}");
    }
}

#[test]
fn a_heartbeat_is_planned_and_its_address_is_shown_nowhere() {
    let bench = Bench::of("[heartbeat]\nurl = \"https://ping.example/S3cret\"\n");
    let loaded = bench.loaded();
    let plan = loaded.plan.heartbeat.as_ref().expect("it is planned");
    assert_eq!((plan.every, plan.method), (Duration::from_secs(60), HeartbeatMethod::Get));
    assert!(!format!("{plan:?}").contains("S3cret"));
    assert!(!resolved_toml(&loaded).contains("S3cret"));
    assert!(Bench::of("").loaded().plan.heartbeat.is_none());
}

#[test]
fn a_receiver_of_a_detector_that_does_not_exist_is_refused_and_not_silent_for_ever() {
    let bench = Bench::of(
        "[receivers.a]\ndetectors = [\"black\", \"blak\", \"captions*\", \"*loud\", \"monitor_*\", \"log_errors\"]\n\
         [receivers.a.webhook]\nurl = \"https://hook.example/\"\n",
    );
    assert_eq!(
        bench.errors(),
        [
            "a.toml:2:23: 'receivers.a.detectors[1]': is no detector; did you mean 'black'?",
            "a.toml:2:44: 'receivers.a.detectors[3]': fits no detector; 'avwatch detectors' lists them",
        ]
    );
}

#[test]
fn a_receiver_without_an_address_is_told_so_and_not_that_it_has_no_channel() {
    for (channel, missing) in [
        ("alertmanager]\nurls = []", "alertmanager.urls"),
        ("webhook]", "webhook.url"),
        ("exec]\ncommand = []", "exec.command"),
        ("exec]", "exec.command"),
        ("snmp]", "snmp.host"),
    ] {
        let errors = Bench::of(&format!("[receivers.a.{channel}\n")).errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].ends_with(&format!(" 'receivers.a.{missing}' is missing")), "{errors:?}");
    }
}
