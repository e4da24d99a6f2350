//! The ends of a connection: ending it from outside of it, for a client that takes nothing of its answer, and
//! noticing that the client has ended it.
//!
//! The server waits for as long as a client that does not read keeps its connection; a second handle to the socket
//! shuts it down, after which the server finds the connection gone. And while nothing is to be sent, it does not
//! notice that a client has gone; a handle that is watched does at once.

use std::any::Any;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream as Connection;
use tokio::io::Interest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Live feeds of one connection. Only HTTP/2 has several; there a feed that its client gave up is noticed by its next
/// message alone, so that one connection could otherwise take every place.
const FEEDS_MAX: usize = 16;

/// A second handle to a connection's socket. Lives and ends with the connection.
#[derive(Clone, Debug)]
pub(super) struct Hangup {
    socket: Arc<TcpStream>,
    feeds: Arc<Semaphore>,
}

/// Ends a connection that is still there, and does not keep it.
#[derive(Debug)]
pub(super) struct LaterHangup(Weak<TcpStream>);

impl LaterHangup {
    /// Ends the connection at once, if it has not ended.
    pub(super) fn hang_up(&self) {
        if let Some(socket) = self.0.upgrade() {
            shut_down(&socket);
        }
    }
}

impl Hangup {
    fn new(socket: TcpStream) -> Self {
        Self { socket: Arc::new(socket), feeds: Arc::new(Semaphore::new(FEEDS_MAX)) }
    }

    /// Ends the connection at once.
    pub(super) fn hang_up(&self) {
        shut_down(&self.socket);
    }

    /// A way to do so later, by which time the connection may have ended.
    pub(super) fn downgrade(&self) -> LaterHangup {
        LaterHangup(Arc::downgrade(&self.socket))
    }

    /// The place of one more live feed on the connection; nothing when it has too many.
    pub(super) fn feed(&self) -> Option<OwnedSemaphorePermit> {
        self.feeds.clone().try_acquire_owned().ok()
    }

    /// Ends once the client has: it says that nothing more will come of it, or is gone. Where that cannot be watched it
    /// never ends; then sending shows it.
    pub(super) async fn ended(&self) {
        if let Err(error) = self.watch().await {
            tracing::warn!("the end of a connection cannot be watched: {error}");
            std::future::pending::<()>().await;
        }
    }

    async fn watch(&self) -> io::Result<()> {
        // A handle of its own: one handle can be watched once.
        let watched = Connection::from_std(self.socket.try_clone()?)?;
        while !watched.ready(Interest::READABLE).await?.is_read_closed() {
            // What came is the server's to read. As if that had been tried: we are told again when more comes.
            let untouched = watched.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            debug_assert!(untouched.is_err(), "nothing is read here");
        }
        Ok(())
    }
}

fn shut_down(socket: &TcpStream) {
    if let Err(error) = socket.shutdown(Shutdown::Both) {
        tracing::debug!("a connection was gone before it was hung up on: {error}");
    }
}

/// Notes the handle of a new connection.
pub(super) fn note(connection: &dyn Any, data: &mut Extensions) {
    let plain = connection.downcast_ref::<Connection>();
    let sealed = || connection.downcast_ref::<TlsStream<Connection>>().map(|stream| stream.get_ref().0);
    let Some(connection) = plain.or_else(sealed) else { return };
    match connection.as_fd().try_clone_to_owned() {
        Ok(socket) => {
            data.insert(Hangup::new(TcpStream::from(socket)));
        }
        Err(error) => tracing::warn!("a connection has no second handle: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::Duration;

    /// Both ends of a connection, ours as the server has it.
    fn connection() -> (Hangup, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Hangup::new(ours), client)
    }

    async fn has_ended(hangup: &Hangup, within: Duration) -> bool {
        actix_web::rt::time::timeout(within, hangup.ended()).await.is_ok()
    }

    #[test]
    fn the_end_of_a_client_is_noticed_though_nobody_reads_what_it_sent_before() {
        let (hangup, mut client) = connection();
        actix_rt::System::new().block_on(async {
            client.write_all(b"unread").unwrap();
            assert!(!has_ended(&hangup, Duration::from_millis(50)).await);
            client.shutdown(Shutdown::Write).unwrap();
            assert!(has_ended(&hangup, Duration::from_secs(10)).await);
            assert!(has_ended(&hangup, Duration::from_secs(10)).await, "and by whoever asks later");
        });
        let (hangup, client) = connection();
        drop(client);
        assert!(actix_rt::System::new().block_on(has_ended(&hangup, Duration::from_secs(10))));
    }

    #[test]
    fn one_connection_has_only_so_many_feeds_and_places_of_ended_ones_are_free_again() {
        let (hangup, _client) = connection();
        let mut feeds: Vec<_> = (0..FEEDS_MAX).map(|_| hangup.feed().unwrap()).collect();
        assert!(hangup.clone().feed().is_none());
        feeds.pop();
        assert!(hangup.feed().is_some());
    }
}
