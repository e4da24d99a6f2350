//! Every endpoint of the document with made-up requests: none of them is an error of the service's
//! own, and no secret that was planted comes back from any of them.

use std::time::Duration;

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
            // The live feed never ends, and a probe asks the network: each has tests of its own.
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
