//! Streams that come over the API reach only where they may.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::{Answer, ask, ask_json};
use crate::common::sender::wait;
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

fn post(service: &Service, url: &str) -> Answer {
    ask_json(service.address(), "POST", "/api/v1/streams", "", &json!({ "name": "door", "url": url }))
}

/// A listener that is asked without waiting.
fn ear() -> (TcpListener, u16) {
    let ear = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    ear.set_nonblocking(true).expect("it can be set");
    let port = ear.local_addr().expect("it listens").port();
    (ear, port)
}

#[test]
fn an_address_inside_is_refused_at_the_door_with_the_key_that_opens_it() {
    let home = Home::new("sources.allow = [\"127.0.0.0/8\"]\n");
    let service = home.start();
    for (url, words) in [
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254: it is a link-local address of cloud metadata"),
        ("http://user:S3cret@10.0.0.5/a?token=S3cret", "10.0.0.5: it is a private address"),
        ("https://[::ffff:10.0.0.5]/a", "a private address"),
        ("http://0xa000005/a", "10.0.0.5: it is a private address"),
        ("udp://239.1.1.1:5000", "239.1.1.1: it is a multicast address"),
        ("srt://:9000?mode=listener", "0.0.0.0: it is the unspecified address"),
        (&format!("http://{}/metrics", service.address()), "this service itself"),
    ] {
        let refused = post(&service, url);
        let error = &refused.json()["errors"][0];
        assert_eq!((refused.status, &error["pointer"]), (422, &json!("/url")), "{refused:?}");
        let detail = error["detail"].as_str().expect("a text");
        assert!(detail.contains(words) && detail.contains("sources.allow"), "{url}: {detail}");
        assert!(!refused.body.contains("S3cret"), "{refused:?}");
        let target: String = url.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let probed = ask(service.address(), "GET", &format!("/probe?target={target}"), "", "");
        assert!(probed.status == 422 && probed.body.contains("sources.allow"), "{probed:?}");
    }
    let datagrams = json!({ "name": "door", "url": "rtsp://camera.example/1", "rtsp_transport": "udp" });
    let refused = ask_json(service.address(), "POST", "/api/v1/streams", "", &datagrams);
    assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!("/rtsp_transport")));
    assert_eq!(ask(service.address(), "GET", "/api/v1/streams", "", "").json()["total"], 0);
}

#[test]
fn a_name_that_leads_inside_reaches_nobody_until_the_key_opens_its_address() {
    let (ear, port) = ear();
    let home = Home::new("sources.allow = []\n");
    let service = home.start();
    // A name passes at the door: what it leads to is judged where it is connected to.
    assert_eq!(post(&service, &format!("http://localhost:{port}/a.ts")).status, 201);
    let told = service.wait_for_line("the refusal", 20 * SECOND, |line: &Value| {
        let text = line.to_string();
        (line["stream"] == "door" && text.contains("sources.allow")).then_some(text)
    });
    assert!(told.contains("127.0.0.1, a loopback address") || told.contains("::1, a loopback address"), "{told}");
    assert!(ear.accept().is_err(), "somebody connected");
    home.configure("sources.allow = [\"127.0.0.0/8\"]\n");
    let reloaded = ask(service.address(), "POST", "/-/reload", "", "");
    assert!(reloaded.status == 200 && reloaded.body.contains("1 restarted"), "{reloaded:?}");
    wait("the stream to be opened", 20 * SECOND, || ear.accept().ok());
}

#[test]
fn streams_of_a_file_are_trusted() {
    let (ear, port) = ear();
    let home = Home::new(&format!("[[streams]]\nname = \"door\"\nurl = \"http://127.0.0.1:{port}/a.ts\"\n"));
    let _service = home.start();
    wait("the stream to be opened", 20 * SECOND, || ear.accept().ok());
}
