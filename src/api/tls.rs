//! HTTPS: certificate and key from files, and new ones when the files change.
//!
//! Each new connection gets the certificate that stands now. Files are looked at no more often than
//! every ten seconds, by the connection that comes first; a pair that does not fit keeps the old one.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::error::ApiError;
use crate::config::TlsPlan;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The times at which two files were changed.
type Changed = (Option<SystemTime>, Option<SystemTime>);

/// Gives out the certificate that stands now.
struct Reloading {
    files: TlsPlan,
    present: ArcSwap<CertifiedKey>,
    looked: Mutex<(Instant, Changed)>,
}

/// The way in which the server speaks HTTPS.
///
/// # Errors
/// A file cannot be read, or the two do not belong together.
pub(super) fn config(files: &TlsPlan) -> Result<ServerConfig, ApiError> {
    let changed = changed(files);
    let present = ArcSwap::from_pointee(load(files)?);
    let looked = Mutex::new((Instant::now(), changed));
    let resolver = Arc::new(Reloading { files: files.clone(), present, looked });
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&versions)
        .map_err(|error| fault(&files.certificate, &error))?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    Ok(config)
}

fn fault(path: &Path, why: &dyn std::fmt::Display) -> ApiError {
    ApiError::Tls { path: path.to_owned(), why: why.to_string() }
}

fn changed(files: &TlsPlan) -> Changed {
    let of = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    (of(&files.certificate), of(&files.key))
}

fn load(files: &TlsPlan) -> Result<CertifiedKey, ApiError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| fault(&files.certificate, &error))?;
    if chain.is_empty() {
        return Err(fault(&files.certificate, &"it holds no certificate"));
    }
    // The error names what is wrong, never the key.
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| fault(&files.key, &error))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| fault(&files.key, &error))
}

impl Reloading {
    fn look(&self) {
        // Somebody else looks already: this connection takes what stands.
        let Ok(mut looked) = self.looked.try_lock() else { return };
        if looked.0.elapsed() < LOOK_EVERY {
            return;
        }
        looked.0 = Instant::now();
        let now = changed(&self.files);
        if now == looked.1 {
            return;
        }
        match load(&self.files) {
            Ok(key) => {
                self.present.store(Arc::new(key));
                looked.1 = now;
                tracing::info!("the certificate for HTTPS was taken over anew");
            }
            // Perhaps only one of the two is written yet: looked at again.
            Err(error) => tracing::warn!("the certificate for HTTPS stays as it was: {error}"),
        }
    }
}

impl std::fmt::Debug for Reloading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloading").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Reloading {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.look();
        Some(self.present.load_full())
    }
}
