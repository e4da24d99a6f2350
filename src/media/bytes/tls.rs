//! TLS settings: which certificates are trusted, and nothing weaker than TLS 1.2.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use avwatch_actors::source::SourceError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Most certificates in a file of trusted ones.
const CERTIFICATES_MAX: usize = 1_000;

/// The settings for a connection: the built-in roots, or those of a PEM file instead.
pub(super) fn settings(tls_ca: Option<&Path>) -> Result<Arc<ClientConfig>, SourceError> {
    static BUILT_IN: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let Some(path) = tls_ca else {
        return Ok(BUILT_IN
            .get_or_init(|| {
                let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                with_roots(roots)
            })
            .clone());
    };
    let refused = |why: String| SourceError::File { what: path.display().to_string(), why };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates.take(CERTIFICATES_MAX) {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("it holds no PEM certificate".to_owned()));
    }
    Ok(with_roots(roots))
}

fn with_roots(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, b"nothing here").unwrap();
        let error = settings(Some(&path)).unwrap_err().to_string();
        assert!(error.ends_with("ca.pem: it holds no PEM certificate"), "{error}");
        assert!(settings(Some(&folder.path().join("missing.pem"))).is_err());
        assert!(settings(None).is_ok());
    }
}
