//! A secret in an address stays there.

use std::net::TcpListener;
use std::time::Duration;

use crate::common::sender::{Web, free_port, respond};
use crate::common::service::Home;

const SECOND: Duration = Duration::from_secs(1);
const CANARY: &str = "Canary4711Canary";

#[test]
fn a_password_in_any_form_of_address_is_nowhere_to_be_read() {
    let (nobody, quiet) = (free_port(), free_port());
    let web = Web::start(|path, stream| match path {
        "/master.m3u8" => respond(stream, "403 Forbidden", b"no"),
        _ => respond(stream, "404 Not Found", b"no"),
    });
    let silent = TcpListener::bind("127.0.0.1:0").expect("the loopback has free ports");
    let (host, silent) = (web.address(), silent.local_addr().expect("it is bound"));
    let home_of_secrets = tempfile::tempdir().expect("a temporary folder");
    let fetched = home_of_secrets.path().join("token");
    std::fs::write(&fetched, CANARY).expect("it can be written");
    let fetched = format!("${{file:{}}}", fetched.display());
    let urls = [
        format!("http://{host}/{fetched}/1.ts"),
        format!("rtmp://127.0.0.1:{nobody}/{fetched}/stream"),
        format!("http://{host}/live/user/{CANARY}/77.ts"),
        format!("http://user:{CANARY}@{host}/a.ts"),
        format!("http://{host}/a.ts?token={CANARY}"),
        format!("http://{host}/master.m3u8?token={CANARY}"),
        format!("http://user:{CANARY}@{silent}/stall.ts"),
        format!("tcp://user:{CANARY}@127.0.0.1:{nobody}"),
        format!("rtmp://user:{CANARY}@127.0.0.1:{nobody}/app/{CANARY}"),
        format!("rtsp://user:{CANARY}@127.0.0.1:{nobody}/live?key={CANARY}"),
        format!("srt://127.0.0.1:{nobody}?passphrase={CANARY}"),
        format!("srt://127.0.0.1:{nobody}?streamid={CANARY}"),
        format!("udp://127.0.0.1:{quiet}?key={CANARY}"),
        format!("http://{CANARY}.invalid:{CANARY}@nowhere.invalid/a.ts#{CANARY}"),
    ];
    let mut config = String::from("log.level = \"debug\"\n");
    for (number, url) in urls.iter().enumerate() {
        config.push_str(&format!("[[streams]]\nname = \"s{number}\"\nurl = \"{url}\"\n"));
    }
    let home = Home::new(&config);
    let mut service = home.start();
    for number in 0..urls.len() {
        service.wait_for_event(&format!("s{number}"), "input_down", "raised", 40 * SECOND);
    }
    let (_, page) = service.get("/metrics");
    for path in ["/api/v1/streams?limit=100", "/api/v1/streams/s0", "/api/v1/events?limit=100"] {
        assert!(!service.get(path).1.contains(CANARY), "{path}");
    }
    assert_eq!(service.stop().0, Some(0));
    let told: Vec<String> = service.lines().into_iter().filter(|line| line.contains(CANARY)).collect();
    assert!(told.is_empty(), "{told:#?}");
    assert!(!page.contains(CANARY));
    for path in home.files() {
        let bytes = std::fs::read(&path).expect("it can be read");
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", path.display());
    }
}
