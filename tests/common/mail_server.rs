//! A small mail server (RFC 5321) for tests, with STARTTLS, TLS and a password when asked to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A mail as it was taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    /// Whether it came over TLS.
    pub(crate) is_protected: bool,
    /// What was said at `AUTH PLAIN`.
    pub(crate) credentials: Option<String>,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    None,
    Starttls,
    Tls,
}

/// What the server answers in place of what it should, by the begin of the command.
pub(crate) type Answers = BTreeMap<&'static str, &'static str>;

#[derive(Clone)]
struct Rules {
    protection: Protection,
    answers: Answers,
    tls: Option<Arc<ServerConfig>>,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// The server; it lives as long as the test process.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    /// Its certificate, signed by itself, for `localhost` and 127.0.0.1.
    pub(crate) certificate: PathBuf,
    taken: Arc<Mutex<Vec<Taken>>>,
    _folder: tempfile::TempDir,
}

impl MailServer {
    pub(crate) fn start(protection: Protection, answers: Answers) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let tls = (protection != Protection::None).then(|| {
            make_certificate(&certificate, &key);
            server_config(&certificate, &key)
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let taken = Arc::<Mutex<Vec<Taken>>>::default();
        let rules = Rules { protection, answers, tls, taken: taken.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (rules, stream) = (rules.clone(), stream.expect("a connection"));
                // A client that leaves is no failure of the server.
                std::thread::spawn(move || drop(serve(stream, &rules)));
            }
        });
        Self { port, certificate, taken, _folder: folder }
    }

    /// The mails so far.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().expect("nobody panics with it").clone()
    }
}

fn make_certificate(certificate: &Path, key: &Path) {
    let run = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .output()
        .expect("the tests need the `openssl` program");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

fn server_config(certificate: &Path, key: &Path) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(certificate).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they belong together");
    Arc::new(config)
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn serve(stream: TcpStream, rules: &Rules) -> std::io::Result<()> {
    if rules.protection == Protection::Tls {
        let wire = protect(stream, rules);
        return talk(&mut BufReader::new(wire), rules, Taken { is_protected: true, ..Taken::default() }, true);
    }
    let upgraded = {
        let mut wire = BufReader::new(Box::new(stream.try_clone()?) as Box<dyn Wire>);
        talk(&mut wire, rules, Taken::default(), true).is_err_and(|error| error.kind() == std::io::ErrorKind::Other)
    };
    if !upgraded {
        return Ok(());
    }
    let wire = protect(stream, rules);
    talk(&mut BufReader::new(wire), rules, Taken { is_protected: true, ..Taken::default() }, false)
}

fn protect(stream: TcpStream, rules: &Rules) -> Box<dyn Wire> {
    let config = rules.tls.clone().expect("a server with TLS has a certificate");
    Box::new(StreamOwned::new(ServerConnection::new(config).expect("the settings are valid"), stream))
}

/// One conversation. Ends with `Other` when TLS is to begin.
fn talk(wire: &mut BufReader<Box<dyn Wire>>, rules: &Rules, first: Taken, greets: bool) -> std::io::Result<()> {
    let mut mail = first;
    if greets {
        say(wire, "220 test ESMTP")?;
    }
    let offers_tls = rules.protection == Protection::Starttls && !mail.is_protected;
    let mut line = String::new();
    loop {
        line.clear();
        if wire.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let command = line.trim_end();
        let word = command.to_uppercase();
        if let Some((_, answer)) = rules.answers.iter().find(|(begin, _)| word.starts_with(*begin)) {
            say(wire, answer)?;
            continue;
        }
        if word.starts_with("EHLO") {
            say(wire, if offers_tls { "250-test\r\n250 STARTTLS" } else { "250-test\r\n250 AUTH PLAIN" })?;
        } else if word == "STARTTLS" && offers_tls {
            say(wire, "220 go ahead")?;
            return Err(std::io::Error::other("TLS"));
        } else if word.starts_with("AUTH PLAIN ") {
            mail.credentials = Some(command["AUTH PLAIN ".len()..].to_owned());
            say(wire, "235 welcome")?;
        } else if word.starts_with("MAIL FROM:") {
            mail.from = command["MAIL FROM:".len()..].to_owned();
            say(wire, "250 ok")?;
        } else if word.starts_with("RCPT TO:") {
            mail.to.push(command["RCPT TO:".len()..].to_owned());
            say(wire, "250 ok")?;
        } else if word == "DATA" {
            say(wire, "354 go on")?;
            mail.text = body(wire)?;
            rules.taken.lock().expect("nobody panics with it").push(mail.clone());
            say(wire, "250 taken")?;
        } else if word == "QUIT" {
            return say(wire, "221 bye");
        } else {
            say(wire, "502 not known")?;
        }
    }
}

fn body(wire: &mut BufReader<Box<dyn Wire>>) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line)? == 0 || line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

fn say(wire: &mut BufReader<Box<dyn Wire>>, line: &str) -> std::io::Result<()> {
    wire.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
    wire.get_mut().flush()
}
