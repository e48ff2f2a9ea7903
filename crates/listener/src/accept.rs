//! Accepting connections within their bounds, until told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Builders};
use super::connections::{Connections, Patience};
use super::dispatch::{Routes, Site};
use super::socket::Stream;
use crate::caps::ACCEPT_PAUSE;

/// What connections are bound by.
pub struct ConnectionBounds {
    /// How long each state may last.
    pub patience: Patience,
    /// How many may be open.
    pub places: Arc<Semaphore>,
}

/// A listener with what its connections need.
pub struct Acceptor {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
    pub site: Site,
    pub routes: Arc<Routes>,
    pub connections: Arc<Connections>,
    pub bounds: ConnectionBounds,
    pub tasks: TaskTracker,
    /// Ends accepting.
    pub stop: CancellationToken,
    /// Ends handshakes.
    pub cut: CancellationToken,
}

impl Acceptor {
    /// Accepts until stopped.
    pub async fn run(self) {
        let builders = Arc::new(Builders::new(self.tasks.clone()));
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = self.accept() => accepted,
            };
            if let Some((stream, peer, place)) = accepted {
                self.begin(stream, peer, place, Arc::clone(&builders));
            }
        }
    }

    async fn accept(&self) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        if self.bounds.places.available_permits() == 0 {
            tracing::warn!("all places for connections are taken: further clients wait; raise the limit of open files (ulimit -n)");
        }
        let place = Arc::clone(&self.bounds.places).acquire_owned().await.ok()?;
        match self.listener.accept().await {
            Ok((stream, peer)) => Some((stream, peer, place)),
            Err(error) => {
                // A client that left before it was accepted is nobody's trouble; running out of files is.
                if error.kind() != std::io::ErrorKind::ConnectionAborted {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                None
            }
        }
    }

    fn begin(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit, builders: Arc<Builders>) {
        // Without it an event waits for the client's acknowledgement of the one before.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let registered = self.connections.register();
        let (routes, site, tls) = (Arc::clone(&self.routes), self.site, self.tls.clone());
        let (cut, head) = (self.cut.clone(), self.bounds.patience.head);
        self.tasks.spawn(async move {
            let stream = match tls {
                None => Some(Stream::Plain(stream)),
                Some(tls) => handshake(tls, stream, head, cut).await,
            };
            if let Some(stream) = stream {
                connection::serve(builders, stream, peer, routes, site, registered).await;
            }
            drop(place);
        });
    }
}

async fn handshake(tls: TlsAcceptor, stream: TcpStream, patience: Duration, cut: CancellationToken) -> Option<Stream> {
    let shaken = tokio::select! {
        () = cut.cancelled() => return None,
        shaken = tokio::time::timeout(patience, tls.accept(stream)) => shaken,
    };
    match shaken {
        Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}
