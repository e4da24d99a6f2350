//! Every endpoint of the document with made-up requests: none of them is an error of the service's
//! own, and no secret that was planted comes back from any of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::http::{Answer, ask};
use crate::common::sender::free_port;
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);
const CANARY: &str = "Canary4711Canary";
const TOKEN: &str = "admin-Canary4711Canary-token";

/// Requests to each endpoint.
const ROUNDS: u64 = 25;

/// A row of numbers that looks like chance and is the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's multiplier for 64 bit.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

const WORDS: [&str; 22] = [
    "",
    "0",
    "-1",
    "1",
    "999999999999999999999",
    "true",
    "lobby",
    "black",
    "major",
    "open",
    "1h",
    "video:0",
    "2026-11-28T18:00:00Z",
    "9999-12-31T23:59:59Z",
    "-9999-01-01T00:00:00Z",
    "%00",
    "..%2F..%2Fetc",
    "%F0%9F%92%A9",
    "'%3BDROP%20TABLE%20events",
    "%25",
    "*",
    "site%3Dnorth",
];

const VALUES: [&str; 16] = [
    "null",
    "true",
    "0",
    "-1",
    "1e308",
    "\"\"",
    "\"lobby\"",
    "\"1h\"",
    "\"udp://239.1.1.1:5000\"",
    "\"/etc/passwd\"",
    "[]",
    "{}",
    "[[[[[[[[[[]]]]]]]]]]",
    "\"${env:HOME}\"",
    "\"\\u0000\"",
    "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":1}}}}}}}}}",
];

const BODIES: [&str; 9] = [
    "",
    " ",
    "{",
    "[]",
    "null",
    "\"text\"",
    "{\"x\":1}",
    "\u{feff}{}",
    "#EXTM3U\n#EXTINF:-1,x\nudp://239.1.1.1:5000\n",
];

fn send(service: &Service, method: &str, path: &str, more: &str, body: &str) -> Answer {
    let headers = format!("Authorization: Bearer {TOKEN}\r\n{more}");
    ask(service.address(), method, path, &headers, body)
}

/// A body that has some keys of the schema with values of all kinds.
fn made_up(document: &Value, schema: &str, dice: &mut Dice) -> String {
    if dice.roll(3) == 0 {
        return dice.pick(&BODIES).to_owned();
    }
    let properties = document["components"]["schemas"][schema]["properties"].as_object().cloned().unwrap_or_default();
    let keys: Vec<&String> = properties.keys().collect();
    let mut fields = Vec::new();
    for _ in 0..dice.roll(6) {
        if !keys.is_empty() {
            fields.push(format!("{:?}:{}", dice.pick(&keys), dice.pick(&VALUES)));
        }
    }
    format!("{{{}}}", fields.join(","))
}

#[test]
fn no_request_of_the_document_is_an_error_of_the_service_itself() {
    let home = Home::new(&format!(
        "server.requests_per_second = 100000\nsources.allow = [\"239.0.0.0/8\"]\n[server.tokens.admin]\nrole = \"admin\"\ntoken = \"{TOKEN}\"\n\
         [[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=25&defects=black@1+60&seed=1\"\n"
    ));
    let service = home.start();
    let document = send(&service, "GET", "/api/v1/openapi.json", "", "").json();
    let mut dice = Dice(4711);
    let mut statuses = std::collections::BTreeMap::<u16, u32>::new();
    for (path, operations) in document["paths"].as_object().expect("an object") {
        for (method, operation) in operations.as_object().expect("an object") {
            // The live feed never ends, and a probe asks the network: each has a test of its own below.
            if ["live", "probe"].contains(&operation["operationId"].as_str().expect("has one")) {
                continue;
            }
            for _ in 0..ROUNDS {
                let path = path
                    .replace("{name}", dice.pick(&WORDS[1..]))
                    .replace("{id}", dice.pick(&WORDS[1..]))
                    .replace("{file}", dice.pick(&WORDS[1..]));
                let known: Vec<&str> = operation["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|param| param["in"] == "query")
                    .filter_map(|param| param["name"].as_str())
                    .collect();
                let mut query = Vec::new();
                for _ in 0..dice.roll(4) {
                    let name = if known.is_empty() || dice.roll(8) == 0 { "x" } else { dice.pick(&known) };
                    query.push(format!("{name}={}", dice.pick(&WORDS)));
                }
                let body_of = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
                let schema = body_of.and_then(|reference| reference.rsplit('/').next()).unwrap_or_default();
                let body = if method == "get" { String::new() } else { made_up(&document, schema, &mut dice) };
                let media = dice.pick(&["Content-Type: application/json\r\n", "Content-Type: text/plain\r\n", ""]);
                let tag = dice.pick(&[
                    "",
                    "If-Match: \"r1\"\r\n",
                    "If-Match: *\r\n",
                    "If-None-Match: *\r\n",
                    "If-Match: x\r\n",
                ]);
                let path = format!("{path}?{}", query.join("&"));
                let answer = send(&service, &method.to_uppercase(), &path, &format!("{media}{tag}"), &body);
                assert!(answer.status < 500, "{method} {path} {body}: {answer:?}");
                if answer.status >= 400 && method != "head" {
                    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
                    assert_eq!(answer.json()["status"], answer.status);
                }
                *statuses.entry(answer.status).or_default() += 1;
            }
        }
    }
    // Chance reached more than refusals.
    assert!(statuses.get(&200).is_some_and(|count| *count > 50), "{statuses:?}");
    assert!(statuses.get(&400).is_some_and(|count| *count > 50), "{statuses:?}");
    assert_eq!(send(&service, "GET", "/livez", "", "").status, 200);
}

/// The head of an answer and the first bytes of its body, of which there may be no end; then the connection is let go.
fn first_bytes(service: &Service, path: &str, headers: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(service.address()).expect("the service listens");
    stream.set_read_timeout(Some(15 * SECOND)).expect("is above zero");
    let head = format!("GET {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n", service.address());
    stream.write_all(&[head.as_bytes(), headers, b"\r\n"].concat()).expect("the service reads");
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = answered(&bytes).filter(|answer| answer.body.contains("\n\n")) {
            return answer;
        }
        let mut chunk = [0; 4_096];
        match stream.read(&mut chunk).expect("the service answers in time") {
            0 => return answered(&bytes).expect("is HTTP"),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

/// What has come of an answer, once its head is there.
fn answered(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Live feeds that are asked for: fewer than may listen at the same time.
const FEEDS: usize = 120;

#[test]
fn a_live_feed_that_is_asked_for_in_any_words_begins_or_is_refused() {
    let home = Home::new(&format!(
        "server.requests_per_second = 100000\n[server.tokens.admin]\nrole = \"admin\"\ntoken = \"{TOKEN}\"\n\
         [[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=25&defects=black@1+60&seed=1\"\n"
    ));
    let service = home.start();
    service.wait_for_event("lobby", "black", "raised", 30 * SECOND);
    let (digits, text) = ("9".repeat(6_000), "a".repeat(6_000));
    let ids: [&[u8]; 15] = [
        b"",
        b"0",
        b"1",
        b"-1",
        b"+1",
        b"1e3",
        b"0x10",
        b" 1 ",
        b"1,2",
        b"18446744073709551615",
        b"18446744073709551616",
        b"<script>",
        b"\xff\xfe",
        digits.as_bytes(),
        text.as_bytes(),
    ];
    let topics = [
        "events",
        "meters,streams",
        "%20incidents%20,%20events",
        "events,,streams",
        ",",
        "gossip",
        "EVENTS",
        "events%00",
    ];
    let many = "stream=a&".repeat(800);
    let more = "stream=a&".repeat(1_200);
    let mut dice = Dice(815);
    let mut statuses = std::collections::BTreeMap::<u16, u32>::new();
    for _ in 0..FEEDS {
        let mut query = Vec::new();
        for _ in 0..dice.roll(3) {
            query.push(match dice.roll(6) {
                0 | 1 => format!("topics={}", dice.pick(&topics)),
                2 => format!("stream={}", dice.pick(&WORDS)),
                3 => format!("last_event_id={}", dice.pick(&WORDS)),
                4 => dice.pick(&[&*many, &*more]).to_owned(),
                _ => format!("{}=1", dice.pick(&["x", "topic", "Last-Event-ID"])),
            });
        }
        let mut headers = Vec::new();
        for _ in 0..dice.roll(3) {
            headers.extend_from_slice(&[&b"Last-Event-ID: "[..], dice.pick(&ids), b"\r\n"].concat());
        }
        let answer = first_bytes(&service, &format!("/api/v1/live?{}", query.join("&")), &headers);
        match answer.status {
            200 => {
                assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{answer:?}");
                assert!(answer.body.contains("retry: 2000\n\n"), "{answer:?}");
            }
            400 | 414 => assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}"),
            _ => panic!("{query:?} {}: {answer:?}", String::from_utf8_lossy(&headers)),
        }
        *statuses.entry(answer.status).or_default() += 1;
    }
    for status in [200, 400, 414] {
        assert!(statuses.get(&status).is_some_and(|count| *count > 3), "{statuses:?}");
    }
    assert_eq!(send(&service, "GET", "/livez", "", "").status, 200);
    assert!(send(&service, "GET", "/metrics", "", "").body.contains("avwatch_stream_up"));
}

/// What a probe may not open, or not as it is written.
const TARGETS: [&str; 26] = [
    "",
    "-",
    "/etc/passwd",
    "file:///etc/passwd",
    "synthetic:?size=320x180",
    "concat:a|b",
    "http://",
    "http://127.0.0.1:1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[::1]:9/",
    "http://[::ffff:127.0.0.1]/",
    "http://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/a.m3u8",
    "http://user:Canary4711Canary@192.168.1.1/?token=Canary4711Canary",
    "udp://239.1.1.1:5000",
    "udp://@:5000",
    "rtp://224.0.0.1:5004",
    "tcp://100.64.0.1:22",
    "srt://192.168.1.1:9000?mode=Canary4711Canary",
    "srt://192.168.1.1:9000?maxbw=1",
    "srt://:9000?mode=listener",
    "rtsp://172.16.0.1/1",
    "rtmp://127.0.0.1/app/Canary4711Canary",
    "http://127.0.0.1:99999/",
    "http://a\u{0}b/\r\nX: y",
];

#[test]
fn a_probe_of_what_may_not_be_opened_is_refused_at_once_in_any_words() {
    let home = Home::new(&format!(
        "server.requests_per_second = 100000\n[server.tokens.admin]\nrole = \"admin\"\ntoken = \"{TOKEN}\"\n"
    ));
    let service = home.start();
    let mut dice = Dice(1_234);
    let begun = Instant::now();
    for place in 0..200 {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        // Each of them once as it stands, the rest with other parameters.
        let mut query = vec![format!("target={}", encoded(TARGETS[place % TARGETS.len()]))];
        for _ in 0..if place < TARGETS.len() { 0 } else { dice.roll(4) } {
            let name = dice.pick(&["profile", "seconds", "target", "x"]);
            query.push(format!("{name}={}", dice.pick(&WORDS)));
        }
        let limit = dice.pick(&["", "0", "-1", "1", "NaN", "inf", "1e308", "1e-300", "soon"]);
        let headers = format!("X-Prometheus-Scrape-Timeout-Seconds: {limit}\r\n");
        let answer = send(&service, "GET", &format!("/probe?{}", query.join("&")), &headers, "");
        assert!(matches!(answer.status, 400 | 422), "{query:?} {limit}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        assert!(!answer.body.contains(CANARY), "{answer:?}");
    }
    // Nothing was opened, so nobody waited for anything.
    assert!(begun.elapsed() < 15 * SECOND, "it took {:?}", begun.elapsed());
    // A name is judged when it is resolved, whatever the scraper says of its patience.
    for limit in ["1", "0", "NaN", "1e308"] {
        let headers = format!("X-Prometheus-Scrape-Timeout-Seconds: {limit}\r\n");
        let answer = send(&service, "GET", "/probe?seconds=1&target=http%3A%2F%2Flocalhost%3A1%2F", &headers, "");
        assert!(answer.status == 200 && answer.body.contains("probe_success 0\n"), "{limit}: {answer:?}");
    }
}

/// A service with a canary in every place for a secret, of files and of the API.
fn planted(port: u16) -> Home {
    Home::new(&format!(
        "log.level = \"debug\"\nserver.requests_per_second = 100000\nsources.allow = [\"127.0.0.0/8\"]\n\
         [server.tokens.admin]\nrole = \"admin\"\ntoken = \"{TOKEN}\"\n\
         [[streams]]\nname = \"file\"\nurl = \"http://user:{CANARY}@127.0.0.1:{port}/a?token={CANARY}#{CANARY}\"\n\
         http_headers = {{ Authorization = \"{CANARY}\" }}\n\
         [[streams]]\nname = \"call\"\nurl = \"srt://127.0.0.1:{port}\"\nsrt = {{ passphrase = \"{CANARY}\" }}\n"
    ))
}

#[test]
fn a_secret_planted_in_any_field_comes_back_nowhere() {
    let port = free_port();
    let home = planted(port);
    let mut service = home.start();
    let mut answers = Vec::new();
    let mut post = |method: &str, path: &str, body: Value| {
        let answer = send(&service, method, path, "Content-Type: application/json\r\n", &body.to_string());
        answers.push(answer);
    };
    let url = format!("http://user:{CANARY}@127.0.0.1:{port}/a?token={CANARY}#{CANARY}");
    let good = json!({
        "name": "api", "url": url, "http_headers": { "X-Key": CANARY }, "srt": { "passphrase": CANARY },
    });
    post("POST", "/api/v1/streams", good.clone());
    post("POST", "/api/v1/streams", good.clone());
    post("PUT", "/api/v1/streams/api", json!({ "url": url, "title": "changed" }));
    // What is wrong is told without what was written.
    for key in [
        "url",
        "priority",
        "mode",
        "profile",
        "srt",
        "labels",
        "interface",
        "source",
        "tls_ca",
        "user_agent",
        "detectors",
    ] {
        let mut wrong = good.clone();
        wrong["name"] = json!("wrong");
        wrong[key] = json!(format!("{CANARY}\u{7}"));
        post("POST", "/api/v1/streams", wrong.clone());
        post("POST", "/api/v1/apply", json!({ "streams": [wrong] }));
    }
    post("POST", "/api/v1/streams", json!(CANARY));
    post("POST", "/api/v1/silences", json!({ "matchers": { "track": CANARY }, "until": CANARY }));
    post("POST", "/api/v1/tokens", json!({ "name": format!("{CANARY} "), "role": CANARY }));
    let list = format!("#EXTM3U\n#EXTINF:-1,listed\n{url}\n#EXTINF:-1,listed\nnonsense:{CANARY}\n");
    answers.push(send(&service, "POST", "/api/v1/import", "", &list));
    answers.push(send(&service, "POST", "/api/v1/import?format=csv", "", &format!("{CANARY}\n{CANARY}\n")));
    let encoded: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    answers.push(send(
        &service,
        "GET",
        &format!("/probe?seconds=1&target={encoded}"),
        "X-Prometheus-Scrape-Timeout-Seconds: 3\r\n",
        "",
    ));
    answers.push(send(&service, "GET", &format!("/probe?target=nonsense:{CANARY}"), "", ""));
    answers.push(ask(service.address(), "GET", "/api/v1/status", &format!("Authorization: Bearer {CANARY}\r\n"), ""));
    // What comes from a list is only observed.
    for (stream, state) in [("file", "raised"), ("call", "raised"), ("api", "raised"), ("listed", "suppressed")] {
        service.wait_for_event(stream, "input_down", state, 40 * SECOND);
        answers.push(send(&service, "GET", &format!("/api/v1/streams/{stream}"), "", ""));
    }
    for path in [
        "/metrics",
        "/api/v1/status",
        "/api/v1/streams",
        "/api/v1/events?limit=1000",
        "/api/v1/tokens",
        "/api/v1/silences",
        "/api/v1/openapi.json",
        "/docs/",
    ] {
        answers.push(send(&service, "GET", path, "", ""));
    }
    let feed = crate::common::http::Feed::connect(
        service.address(),
        "/api/v1/live?last_event_id=0",
        &format!("Authorization: Bearer {TOKEN}\r\n"),
    );
    let mut feed = feed;
    feed.wait_for("meters", 10 * SECOND, |message| message.kind == "meters");
    assert_eq!(service.stop().0, Some(0));
    for answer in &answers {
        assert!(!answer.head.contains(CANARY) && !answer.body.contains(CANARY), "{answer:?}");
        assert!(answer.status < 500, "{answer:?}");
    }
    assert!(feed.messages.iter().all(|message| !message.data.to_string().contains(CANARY)));
    let told: Vec<String> = service.lines().into_iter().filter(|line| line.contains(CANARY)).collect();
    assert!(told.is_empty(), "{told:#?}");
    // Streams of the API are kept with their secrets, for the service's own user alone.
    for path in home.files().into_iter().filter(|path| !path.to_string_lossy().contains("desired.db")) {
        let bytes = std::fs::read(&path).expect("it can be read");
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", path.display());
    }
}
