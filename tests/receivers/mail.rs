//! Mail to a server that speaks SMTP, in the clear and over TLS.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch::config::MailSecurity;
use avwatch::notify::email::EmailChannel;
use avwatch::notify::{Channel, EmailPlan, SEND_WITHIN, SendFailure};
use avwatch_actors::lifeline::Lifeline;

use crate::mail_server::{Answers, MailServer, Protection};
use crate::samples::{ended, message, raised, test};
use crate::secret;

fn plan(port: u16, security: MailSecurity, tls_ca: Option<PathBuf>) -> EmailPlan {
    EmailPlan {
        to: vec!["Operators <noc@example.org>".to_owned(), "night@example.org".to_owned()],
        from: "avwatch <avwatch@example.org>".to_owned(),
        host: "localhost".to_owned(),
        port,
        security,
        credentials: None,
        tls_ca,
    }
}

fn channel(plan: &EmailPlan) -> EmailChannel {
    EmailChannel::new(plan, &Arc::<Lifeline>::default()).expect("the addresses are valid")
}

fn send(server: &MailServer, security: MailSecurity, trusted: bool) -> Result<(), SendFailure> {
    let tls_ca = trusted.then(|| server.certificate.clone());
    channel(&plan(server.port, security, tls_ca)).send(&message(vec![raised("lobby", "black")]))
}

#[test]
fn a_mail_arrives_with_both_bodies_at_all_recipients() {
    let server = MailServer::start(Protection::None, Answers::new());
    let plan = plan(server.port, MailSecurity::None, None);
    channel(&plan).send(&message(vec![raised("lobby", "black")])).expect("is taken");
    channel(&plan).send(&message(vec![ended("lobby", "black")])).expect("is taken");
    let taken = server.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].from, "<avwatch@example.org>");
    assert_eq!(taken[0].to, ["<noc@example.org>", "<night@example.org>"]);
    for part in [
        "Subject: [avwatch] CRITICAL lobby video:0 black: picture black for 30 s\r\n",
        "Message-ID: <msg-1@example.org>\r\n",
        "In-Reply-To: <event.0193-lobby-black@example.org>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
    ] {
        assert!(taken[0].text.contains(part), "{part} is missing: {}", taken[0].text);
    }
    assert!(taken[1].text.contains("Subject: [avwatch] over: lobby video:0 black after 42 s\r\n"));
}

#[test]
fn a_password_is_said_under_tls_only() {
    for (protection, security) in [(Protection::Starttls, MailSecurity::Starttls), (Protection::Tls, MailSecurity::Tls)]
    {
        let server = MailServer::start(protection, Answers::new());
        let mut plan = plan(server.port, security, Some(server.certificate.clone()));
        plan.credentials = Some(("avwatch".to_owned(), secret("S3cret")));
        channel(&plan).send(&test("anna")).expect("is taken");
        let taken = server.taken();
        assert!(taken[0].is_protected, "{protection:?}");
        // base64 of "\0avwatch\0S3cret".
        assert_eq!(taken[0].credentials.as_deref(), Some("AGF2d2F0Y2gAUzNjcmV0"));
    }
}

#[test]
fn a_server_without_tls_or_with_a_certificate_of_nobody_is_told_nothing() {
    let plain = MailServer::start(Protection::None, Answers::new());
    let failure = send(&plain, MailSecurity::Starttls, false).expect_err("it offers no STARTTLS");
    assert!(matches!(&failure, SendFailure::Later { why, .. } if why.contains("does not offer")), "{failure:?}");
    for (protection, security) in [(Protection::Starttls, MailSecurity::Starttls), (Protection::Tls, MailSecurity::Tls)]
    {
        let server = MailServer::start(protection, Answers::new());
        let failure = send(&server, security, false).expect_err("nobody vouches for it");
        assert!(matches!(&failure, SendFailure::Later { why, .. } if why.contains("cannot be trusted")), "{failure:?}");
        assert!(server.taken().is_empty());
        send(&server, security, true).expect("the file of certificates vouches for it");
    }
    assert!(plain.taken().is_empty());
}

#[test]
fn codes_decide_what_becomes_of_a_mail_and_no_text_of_the_server_is_shown() {
    for (command, answer, is_later) in [
        ("MAIL", "451 S3cret busy", true),
        ("MAIL", "550 S3cret never", false),
        ("RCPT", "450 S3cret greylisted", true),
        ("RCPT", "550 S3cret unknown", false),
        ("DATA", "554 S3cret spam", false),
        ("EHLO", "421 S3cret away", true),
    ] {
        let server = MailServer::start(Protection::None, Answers::from([(command, answer)]));
        let failure = send(&server, MailSecurity::None, false).expect_err(answer);
        assert_eq!(matches!(failure, SendFailure::Later { .. }), is_later, "{answer}: {failure:?}");
        assert!(!failure.to_string().contains("S3cret") && failure.to_string().contains(&answer[..3]), "{failure}");
        assert!(server.taken().is_empty());
    }
}

#[test]
fn a_recipient_whom_the_server_does_not_know_keeps_nobody_else_from_theirs() {
    let server = MailServer::start(Protection::None, Answers::from([("RCPT TO:<NIGHT", "550 unknown")]));
    send(&server, MailSecurity::None, false).expect("somebody is left");
    assert_eq!(server.taken()[0].to, ["<noc@example.org>"]);
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let start = Instant::now();
    let failure = channel(&plan(port, MailSecurity::None, None)).send(&test("anna")).expect_err("nobody speaks");
    assert!(matches!(&failure, SendFailure::Later { why, .. } if why.contains("in time")), "{failure:?}");
    assert!(start.elapsed() < SEND_WITHIN + Duration::from_secs(1), "{:?}", start.elapsed());
}
