//! What a plain connection runs over: the system's network, or what stands in for it. It knows no HTTP.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

/// Stands in for the system's network: plain connections to providers are made by it.
pub trait Network: Send + Sync {
    /// A connection to this host.
    fn connect(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<DuplexStream>> + Send>>;
}

/// One connection.
pub(super) enum Wire {
    Tcp(TcpStream),
    Memory(DuplexStream),
}

impl Wire {
    /// Whether it is open, and nothing has come.
    pub(super) fn is_quiet(&mut self) -> bool {
        match self {
            Self::Tcp(wire) => matches!(wire.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock),
            Self::Memory(wire) => {
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(wire).poll_read(&mut cx, &mut ReadBuf::new(&mut [0])).is_pending()
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(wire) => Pin::new(wire).poll_read(cx, buf),
            Self::Memory(wire) => Pin::new(wire).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(wire) => Pin::new(wire).poll_write(cx, buf),
            Self::Memory(wire) => Pin::new(wire).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(wire) => Pin::new(wire).poll_flush(cx),
            Self::Memory(wire) => Pin::new(wire).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(wire) => Pin::new(wire).poll_shutdown(cx),
            Self::Memory(wire) => Pin::new(wire).poll_shutdown(cx),
        }
    }
}
