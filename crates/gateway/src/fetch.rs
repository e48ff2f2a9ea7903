//! A request of the program's own, to whom else the operator has named: whole, within a time, and with an answer of bounded length. It goes the
//! way that requests to providers go, proxies and forbidden addresses included, and counts for none of them.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::{Instant, timeout};

use crate::Gateway;
use crate::upstream::{Outgoing, SendFault};

impl Gateway {
    /// Sends a request and reads the whole answer. The error is a line for the log.
    ///
    /// # Errors
    /// No connection, none that lasted, nothing in time, or an answer longer than `most` bytes.
    pub async fn fetch(&self, request: Request<Bytes>, within: Duration, most: usize) -> Result<Response<Bytes>, String> {
        let (parts, body) = request.into_parts();
        let mut request = Request::from_parts(parts, Outgoing::new(body, None));
        let fetching = async {
            let answer = self.upstream.send(&mut request, Instant::now() + within).await.map_err(|fault| match fault {
                SendFault::Connect(why) | SendFault::Broke(why) | SendFault::NoTls(why) => format!("no connection, or it broke: {why}"),
                SendFault::TimedOut => late(within),
            })?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, most).collect().await.map_err(|error| format!("its answer could not be read: {error}"))?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        timeout(within, fetching).await.unwrap_or_else(|_| Err(late(within)))
    }
}

fn late(within: Duration) -> String {
    format!("it did not answer within {} s", within.as_secs_f64())
}
