//! Why the API could not be started.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the API could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Another program listens there.
    #[error("cannot listen on {listen}: the port is in use; stop the other program or set server.listen")]
    InUse {
        /// The address.
        listen: SocketAddr,
    },
    /// The address can be reached from other machines, but nothing asks them who they are.
    #[error("cannot listen on {listen}: server.listen is beyond loopback and no token is set; set server.tokens ('avwatch token new' makes one), or use 127.0.0.1:{} or [::1]:{0}", listen.port())]
    Exposed {
        /// The address.
        listen: SocketAddr,
    },
    /// HTTPS cannot be spoken.
    #[error("cannot use {}: {why}; see server.tls_certificate and server.tls_key", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refused.
    #[error("cannot listen on {listen}: {source}; see server.listen")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}
