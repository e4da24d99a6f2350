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

#[test]
fn a_mistyped_channel_of_a_receiver_is_one_error_and_not_two() {
    for (text, expected) in [
        (
            "[receivers.a.slak]\nurl = \"https://x.example/\"",
            "1:14: unknown key 'receivers.a.slak' (did you mean 'slack'?)",
        ),
        (
            "[receivers.a]\nslak.url = \"https://x.example/\"",
            "2:1: unknown key 'receivers.a.slak' (did you mean 'slack'?)",
        ),
        (
            "[receivers.a]\nkind = \"slack\"",
            "2:1: unknown key 'receivers.a.kind' (did you mean '[receivers.a.slack]'?)",
        ),
        (
            "[receivers.a]\ntype = \"emial\"",
            "2:1: unknown key 'receivers.a.type' (did you mean '[receivers.a.email]'?)",
        ),
    ] {
        assert_eq!(Bench::of(&format!("{text}\n")).errors(), [format!("a.toml:{expected}")], "{text}");
    }
    let errors = Bench::of("[receivers.a.telegram]\nurl = \"https://x.example/\"\n").errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].starts_with("a.toml:1:14: unknown key 'receivers.a.telegram' (there are alertmanager, "),
        "{errors:?}"
    );
}

#[test]
fn a_receiver_without_a_channel_is_told_so_whatever_else_is_mistyped() {
    for (text, unknown) in [
        ("[receivers.a]\nfrmo = \"major\"", "unknown key 'receivers.a.frmo' (did you mean 'from'?)"),
        ("[receivers.a]\nwebhook_url = \"https://x.example/\"", "unknown key 'receivers.a.webhook_url' (there are "),
    ] {
        let errors = Bench::of(&format!("{text}\n")).errors();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with(&format!("a.toml:2:1: {unknown}")), "{errors:?}");
        assert!(errors[1].starts_with("a.toml:1:12: 'receivers.a': does not say how it is reached"), "{errors:?}");
    }
}
