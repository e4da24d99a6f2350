//! Who may ask what: tokens, roles, hosts, HTTPS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::{Feed, ask, ask_json};
use crate::common::service::{Home, Service};

const TOKENS: [(&str, &str); 3] =
    [("viewer", "viewer-token-of-tests"), ("operator", "operator-token-of-tests"), ("admin", "admin-token-of-tests")];

/// A service with a token of each role.
fn with_tokens() -> Home {
    let tokens: String = TOKENS
        .iter()
        .map(|(role, token)| format!("[server.tokens.{role}]\nrole = \"{role}\"\ntoken = \"{token}\"\n"))
        .collect();
    Home::new(&format!("server.requests_per_second = 10000\n{tokens}"))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The status of an answer, which may be one that never ends.
fn status(service: &Service, method: &str, path: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(service.address()).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("is above zero");
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: 0\r\n{headers}\r\n", service.address());
    stream.write_all(request.as_bytes()).expect("the service reads");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("the service answers");
    String::from_utf8_lossy(&head[9..]).parse().expect("is HTTP")
}

/// Every endpoint: method, path and the weakest role that may ask.
fn endpoints(service: &Service, headers: &str) -> Vec<(String, String, Option<String>)> {
    let document = ask(service.address(), "GET", "/api/v1/openapi.json", headers, "").json();
    let paths = document["paths"].as_object().expect("an object").clone();
    let mut all = Vec::new();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("an object") {
            let path = path.replace("{name}", "none").replace("{id}", "none").replace("{file}", "none");
            all.push((method.to_uppercase(), path, operation["x-role"].as_str().map(str::to_owned)));
        }
    }
    all
}

#[test]
fn every_role_may_do_on_every_endpoint_what_the_table_says_and_no_more() {
    let home = with_tokens();
    let service = home.start();
    let endpoints = endpoints(&service, &bearer(TOKENS[2].1));
    assert!(endpoints.len() > 25, "{endpoints:?}");
    let rank = |role: &str| TOKENS.iter().position(|(name, _)| *name == role).expect("a role");
    for (method, path, needed) in &endpoints {
        let status = |headers: &str| status(&service, method, path, headers);
        let Some(needed) = needed else {
            assert_eq!(status(""), 200, "{method} {path}");
            continue;
        };
        assert_eq!(status(""), 401, "{method} {path} without a token");
        assert_eq!(status(&bearer("a-token-that-nobody-made")), 401, "{method} {path} with a wrong token");
        for (role, token) in TOKENS {
            let status = status(&bearer(token));
            let may = rank(role) >= rank(needed);
            assert_eq!(status == 403, !may, "{method} {path} as {role}: {status}");
            assert!(status != 401 && status < 500, "{method} {path} as {role}: {status}");
        }
    }
}

#[test]
fn what_is_not_served_needs_a_token_too_and_a_wrong_method_says_which_are_right() {
    let home = with_tokens();
    let service = home.start();
    for path in ["/", "/assets/0/main.js", "/no/such", "/api/v1/nothing"] {
        assert_eq!(status(&service, "GET", path, ""), 401, "{path}");
    }
    let viewer = bearer(TOKENS[0].1);
    for (_, token) in TOKENS {
        assert_eq!(status(&service, "GET", "/", &bearer(token)), 200, "everyone with a token may see the page");
    }
    assert_eq!(status(&service, "GET", "/no/such", &viewer), 404);
    let wrong = ask(service.address(), "PATCH", "/api/v1/streams/lobby", &viewer, "");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD, PUT, DELETE")));
    let refused = ask(service.address(), "GET", "/metrics", "", "");
    let schemes = refused.head.lines().filter(|line| line.to_lowercase().starts_with("www-authenticate")).count();
    assert_eq!((refused.status, schemes), (401, 2), "{refused:?}");
}

#[test]
fn beyond_loopback_the_start_is_refused_without_a_token_and_not_with_one() {
    let home = Home::new("");
    let config =
        |more: &str| format!("data_dir = \"{}\"\nserver.listen = \"0.0.0.0:0\"\n{more}", home.data().display());
    home.write(&config(""));
    let (status, said) = home.refused();
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("beyond loopback") && said.contains("server.tokens"), "{said}");
    home.write(&config("[server.tokens.desk]\nrole = \"viewer\"\ntoken = \"a-token-of-good-length\"\n"));
    let service = home.start();
    let port = service.address().rsplit(':').next().expect("has a port").to_owned();
    let address = format!("127.0.0.1:{port}");
    assert_eq!(ask(&address, "GET", "/livez", "", "").status, 200);
    assert_eq!(ask(&address, "GET", "/api/v1/status", "", "").status, 401, "loopback is not exempt");
    assert_eq!(ask(&address, "GET", "/api/v1/status", &bearer("a-token-of-good-length"), "").status, 200);
}

#[test]
fn pages_of_other_hosts_and_other_names_are_refused() {
    let home = Home::new("");
    let service = home.start();
    let status = |headers: &str| status(&service, "POST", "/-/reload", headers);
    assert_eq!(status("Origin: https://evil.example\r\n"), 403);
    assert_eq!(status("Origin: null\r\n"), 403);
    assert_eq!(status("Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(status(&format!("Origin: http://{}\r\n", service.address())), 200);
    let answer = ask("127.0.0.1:0".replace("127.0.0.1:0", service.address()).as_str(), "GET", "/livez", "", "");
    assert_eq!(answer.status, 200);
    let policy = answer.header("content-security-policy").expect("has one");
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
}

#[test]
fn tokens_are_made_over_the_api_shown_once_and_count_at_once() {
    let home = Home::new("");
    let mut service = home.start();
    let make = |service: &Service, headers: &str, name: &str, role: &str| {
        ask_json(service.address(), "POST", "/api/v1/tokens", headers, &json!({ "name": name, "role": role }))
    };
    assert_eq!(make(&service, "", "first", "viewer").status, 409, "somebody must be able to make others");
    let made = make(&service, "", "first", "admin");
    assert_eq!(made.status, 201, "{made:?}");
    let admin = bearer(made.json()["token"].as_str().expect("is shown"));
    assert_eq!(status(&service, "GET", "/api/v1/status", ""), 401, "from now on");
    let viewer = make(&service, &admin, "second", "viewer").json()["token"].as_str().expect("is shown").to_owned();
    assert_eq!(status(&service, "GET", "/api/v1/status", &bearer(&viewer)), 200);
    assert_eq!(status(&service, "GET", "/api/v1/tokens", &bearer(&viewer)), 403);
    assert_eq!(make(&service, &admin, "second", "viewer").status, 409);
    assert_eq!(make(&service, &admin, "..", "viewer").status, 400, "no address would lead to it");
    let list = ask(service.address(), "GET", "/api/v1/tokens", &admin, "");
    assert!(list.body.contains("second") && !list.body.contains(&viewer), "{list:?}");
    assert_eq!(status(&service, "DELETE", "/api/v1/tokens/first", &admin), 409, "the last administrator");
    service.stop();
    let service = home.start();
    assert_eq!(status(&service, "GET", "/api/v1/status", &bearer(&viewer)), 200, "it outlives a restart");
    assert_eq!(status(&service, "DELETE", "/api/v1/tokens/second", &admin), 204);
    assert_eq!(status(&service, "GET", "/api/v1/status", &bearer(&viewer)), 401);
}

#[test]
fn a_live_feed_ends_with_the_token_that_it_was_opened_with() {
    let home = Home::new("[[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180\"\n");
    let service = home.start();
    let make = |headers: &str, name: &str, role: &str| {
        let made =
            ask_json(service.address(), "POST", "/api/v1/tokens", headers, &json!({ "name": name, "role": role }));
        bearer(made.json()["token"].as_str().expect("is shown"))
    };
    let admin = make("", "first", "admin");
    let viewer = make(&admin, "second", "viewer");
    let limit = Duration::from_secs(30);
    let mut feed = Feed::connect(service.address(), "/api/v1/live", &viewer);
    feed.wait_for("meters", limit, |message| message.kind == "meters");
    assert_eq!(status(&service, "DELETE", "/api/v1/tokens/second", &admin), 204);
    let last = feed.wait_for("the end", limit, |message| message.kind == "dropped");
    assert_eq!(last.data["reason"], "the token is not known any more");
}

#[test]
fn an_acknowledgement_carries_the_name_that_a_trusted_proxy_vouches_for() {
    let home = Home::new("server.user_header = \"X-Remote-User\"\nserver.trusted_proxies = [\"127.0.0.1/32\"]\n");
    let service = home.start();
    let body = json!({ "matchers": { "stream": "*" }, "until": "1h", "author": "mallory" });
    let twice = "X-Remote-User: anna\r\nX-Remote-User: mallory\r\n";
    let refused = ask_json(service.address(), "POST", "/api/v1/silences", twice, &body);
    assert_eq!(refused.status, 400, "a proxy that adds to what the client sends: {refused:?}");
    let made = ask_json(service.address(), "POST", "/api/v1/silences", "X-Remote-User: anna\r\n", &body);
    assert_eq!((made.status, &made.json()["author"]), (201, &json!("anna")));
    let made = ask_json(service.address(), "POST", "/api/v1/silences", "", &body);
    assert_eq!(made.json()["author"], "mallory (local)", "nobody vouches, and it shows");
}

#[test]
fn too_many_requests_of_one_address_are_refused_and_health_is_not() {
    let home = Home::new("server.requests_per_second = 2\n");
    let service = home.start();
    let refused =
        (0..20).map(|_| ask(service.address(), "GET", "/api/v1/status", "", "")).find(|answer| answer.status == 429);
    assert_eq!(refused.expect("it comes to that").header("retry-after"), Some("1"));
    assert_eq!(status(&service, "GET", "/livez", ""), 200);
}

#[test]
fn a_body_that_is_too_large_is_refused_in_the_form_of_all_errors() {
    let home = Home::new("");
    let service = home.start();
    // A list of streams may be large, anything else not.
    for (path, bytes) in [("/api/v1/import", 99_999_999), ("/api/v1/silences", 600_000)] {
        let mut stream = TcpStream::connect(service.address()).expect("the service listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("is above zero");
        let host = service.address();
        let head = format!("POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {bytes}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("the service reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the service answers");
        assert!(answer.contains(" 413 ") && answer.contains("application/problem+json"), "{path}: {answer}");
    }
}

/// A certificate for `localhost` that signs itself.
fn certificate(home: &Home, name: &str) {
    let run = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .arg("-keyout")
        .arg(home.path().join("key.pem"))
        .arg("-out")
        .arg(home.path().join("cert.pem"))
        .output()
        .expect("the tests need the `openssl` program");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// What `openssl` says of the certificate that the service shows.
fn shown_name(service: &Service) -> String {
    let run = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "openssl s_client -connect {} </dev/null 2>/dev/null | openssl x509 -noout -subject",
            service.address()
        ))
        .output()
        .expect("the tests need the `openssl` program");
    String::from_utf8_lossy(&run.stdout).trim().to_owned()
}

#[test]
fn https_is_spoken_and_a_new_certificate_is_taken_over_without_a_restart() {
    let home = Home::new("");
    certificate(&home, "first");
    let folder = home.path().display();
    home.configure(&format!("server.tls_certificate = \"{folder}/cert.pem\"\nserver.tls_key = \"{folder}/key.pem\"\n"));
    let service = home.start();
    assert!(shown_name(&service).ends_with("first"), "{}", shown_name(&service));
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_avwatch"));
        command.args(arguments).arg("--config").arg(home.config());
        command.arg("--set").arg(format!("server.listen={}", service.address())).output().expect("it starts")
    };
    let health = command(&["health"]);
    assert!(health.status.success(), "{}", String::from_utf8_lossy(&health.stderr));
    let events = command(&["events", "--format", "json"]);
    let list: Value = serde_json::from_slice(&events.stdout).expect("is JSON");
    assert!(list.is_array(), "{list}");
    certificate(&home, "second");
    crate::common::sender::wait("the new certificate", Duration::from_secs(30), || {
        shown_name(&service).ends_with("second").then_some(())
    });
}

#[test]
fn a_certificate_that_cannot_be_read_ends_the_start_with_two_and_names_the_file() {
    let home = Home::new("server.tls_certificate = \"/nonexistent.pem\"\nserver.tls_key = \"/nonexistent.key\"\n");
    let (status, said) = home.refused();
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("/nonexistent.pem") && said.contains("tls_certificate"), "{said}");
}
