//! Rounds of probes on a made-up system: files in a temporary folder, servers on the loopback.

use std::fs;
use std::net::TcpListener;

use super::*;

const ROUTE: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
    eth7\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n";

struct System(tempfile::TempDir);

impl System {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// With a link that is up and a gateway that answers.
    fn well() -> Self {
        let system = Self::new();
        // On the loopback's own byte order the address is 192.0.2.1.
        system.write("proc/net/route", ROUTE);
        system.write("sys/class/net/eth7/operstate", "up\n");
        system.arp("0x2");
        system
    }

    fn arp(&self, flags: &str) {
        let head = "IP address       HW type     Flags       HW address            Mask     Device\n";
        self.write("proc/net/arp", &format!("{head}192.0.2.1 0x1 {flags} 00:00:00:00:00:00 * eth7\n"));
    }

    fn prober(&self, plan: &ProbePlan) -> Prober {
        prober_in(self.0.path(), plan, Arc::default()).1
    }
}

fn says(report: &ProbeReport, outcome: ProbeOutcome, text: &str) -> bool {
    report.texts(outcome).any(|said| said == text)
}

#[test]
fn a_system_that_is_well_fails_nothing() {
    let report = System::well().prober(&ProbePlan::default()).round();
    assert!(!report.is_failing(), "{report:?}");
    assert!(says(&report, ProbeOutcome::Fine, "link eth7 is up"));
    assert!(says(&report, ProbeOutcome::Fine, "default gateway 192.0.2.1 answers"));
}

#[test]
fn a_container_without_a_default_route_fails_nothing() {
    let report = System::new().prober(&ProbePlan::default()).round();
    assert!(report.findings.iter().all(|finding| finding.outcome == ProbeOutcome::Unknown), "{report:?}");
}

#[test]
fn a_link_that_is_down_and_a_route_that_has_gone_fail() {
    let system = System::well();
    let prober = system.prober(&ProbePlan::default());
    system.write("sys/class/net/eth7/operstate", "down\n");
    system.write("proc/net/route", "Iface\tDestination\n");
    let report = prober.round();
    assert!(says(&report, ProbeOutcome::Failing, "link eth7 is down"), "{report:?}");
    assert!(says(&report, ProbeOutcome::Failing, "the default route through eth7 is gone"), "{report:?}");
}

#[test]
fn a_gateway_without_an_address_fails_within_the_limit() {
    let system = System::well();
    system.arp("0x0");
    let begin = Instant::now();
    let report = system.prober(&ProbePlan::default()).round();
    let text = "default gateway 192.0.2.1 does not answer (ARP incomplete)";
    assert!(says(&report, ProbeOutcome::Failing, text), "{report:?}");
    assert!(begin.elapsed() < LIMIT + Duration::from_secs(1));
}

#[test]
fn a_reference_that_takes_no_connection_fails_and_shows_no_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reference = ReferencePlan::new(format!("tcp://user:S3cret@127.0.0.1:{port}").parse().unwrap()).unwrap();
    let prober = System::new().prober(&ProbePlan { dns_name: None, references: vec![reference] });
    assert!(says(&prober.round(), ProbeOutcome::Fine, &format!("reference 127.0.0.1:{port} answers")));
    drop(listener);
    let report = prober.round();
    let text = format!("reference 127.0.0.1:{port}: connection refused");
    assert!(says(&report, ProbeOutcome::Failing, &text), "{report:?}");
    assert!(!format!("{report:?}").contains("S3cret"));
}

#[test]
fn a_question_that_hangs_is_late_once_and_then_still_asked_by_one_thread_only() {
    let (_ask, mut prober) = prober_in(System::new().0.path(), &ProbePlan::default(), Arc::default());
    let (release, held) = bounded::<()>(0);
    let asked = Arc::<std::sync::atomic::AtomicUsize>::default();
    let counted = asked.clone();
    prober.probes = vec![probe("reference x:1", move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let _ = held.recv();
        finding(ProbeOutcome::Fine, "too late".to_owned())
    })];
    for _ in 0..2 {
        assert!(says(&prober.round(), ProbeOutcome::Failing, "reference x:1: no answer in 3 s"));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    drop(release);
}
