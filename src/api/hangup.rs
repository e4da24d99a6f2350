//! A way to end a connection from outside of it: for a client that takes nothing of its answer.
//!
//! The server waits for as long as such a client keeps its connection; a second handle to the socket
//! shuts it down, after which the server finds the connection gone.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream as Connection;

/// A second handle to a connection's socket. Lives and ends with the connection.
#[derive(Clone, Debug)]
pub(super) struct Hangup(Arc<TcpStream>);

impl Hangup {
    /// Ends the connection at once.
    pub(super) fn hang_up(&self) {
        if let Err(error) = self.0.shutdown(Shutdown::Both) {
            tracing::debug!("a connection was gone before it was hung up on: {error}");
        }
    }
}

/// Notes the handle of a new connection.
pub(super) fn note(connection: &dyn Any, data: &mut Extensions) {
    let plain = connection.downcast_ref::<Connection>();
    let sealed = || connection.downcast_ref::<TlsStream<Connection>>().map(|stream| stream.get_ref().0);
    let Some(connection) = plain.or_else(sealed) else { return };
    match connection.as_fd().try_clone_to_owned() {
        Ok(socket) => {
            data.insert(Hangup(Arc::new(TcpStream::from(socket))));
        }
        Err(error) => tracing::warn!("a connection has no second handle: {error}"),
    }
}
