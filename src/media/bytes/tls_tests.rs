//! HTTPS against a real TLS server with a certificate authority of its own.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::source::SourceError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::testing::patience;
use super::{ByteRange, ByteSource, HttpClient, Reach};
use crate::media::spec::Transport;

/// A certificate for `localhost` that signs itself, and its key.
fn certificate(folder: &tempfile::TempDir) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let run = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("the tests need the `openssl` program");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    (certificate, key)
}

/// Answers every request with `sealed`; returns the port.
fn serve(certificate: &PathBuf, key: &PathBuf) -> u16 {
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(session, stream.unwrap());
            // A client that refuses the certificate leaves here.
            if stream.read(&mut [0; 4_096]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsealed");
            }
        }
    });
    port
}

fn fetch(url: &str, tls_ca: Option<PathBuf>) -> Result<Vec<u8>, SourceError> {
    let transport = Transport { tls_ca, ..Transport::default() };
    let url = url.parse().unwrap();
    let client = HttpClient::new(&transport, &url, &Reach::Trusted, &patience(3_000))?;
    let mut source = client.get(&url, ByteRange::default())?;
    let mut buffer = [0; 64];
    let count = source.read(&mut buffer)?;
    Ok(buffer[..count].to_vec())
}

#[test]
fn a_server_of_the_configured_authority_is_trusted_and_any_other_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(&folder);
    let port = serve(&certificate, &key);
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{port}/");
        assert_eq!(fetch(&url, Some(certificate.clone())).unwrap(), b"sealed");
        let error = fetch(&url, None).unwrap_err();
        assert!(matches!(error, SourceError::Connect { .. }), "{error}");
        assert!(error.to_string().contains("TLS: invalid peer certificate"), "{error}");
    }
}

#[test]
fn a_server_that_never_finishes_its_handshake_is_left_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let url = url.parse().unwrap();
    let client = HttpClient::new(&Transport::default(), &url, &Reach::Trusted, &patience(400)).unwrap();
    let start = Instant::now();
    let error = client.get(&url, ByteRange::default()).err().unwrap();
    assert!(matches!(error, SourceError::OpenLimit { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_millis(650));
}
