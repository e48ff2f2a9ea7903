//! How the control plane reaches others: over the data plane's client, so that there is one way out of the program.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::HttpClient;
use gateway::Gateway;
use http::{Request, Response};

/// The data plane's client.
pub(crate) struct Fetcher(pub(crate) Arc<Gateway>);

impl HttpClient for Fetcher {
    fn send(
        &self,
        request: Request<Bytes>,
        within: Duration,
        most: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send + '_>> {
        Box::pin(self.0.fetch(request, within, most))
    }
}
