//! The one way in which the control plane reaches others over the network. It knows nobody.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

/// Whoever can send a request and wait for the whole answer. The binary hands one over, since the control plane has no network.
pub trait HttpClient: Send + Sync {
    /// Sends it. An answer that is longer than `most` bytes or takes longer than `within` is a fault: a line for the log.
    fn send(
        &self,
        request: Request<Bytes>,
        within: Duration,
        most: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send + '_>>;
}
