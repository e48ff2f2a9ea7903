//! Addresses of providers' names. A name that leads to a link-local address leads to nowhere, since that is where machines
//! keep their own credentials. Numbers in an address are judged where it is configured.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

/// The system's resolver without link-local addresses.
#[derive(Clone)]
pub(crate) struct Addresses(GaiResolver);

impl Addresses {
    pub(crate) fn new() -> Self {
        Self(GaiResolver::new())
    }
}

impl Service<Name> for Addresses {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.0.call(name);
        Box::pin(async move { allowed(resolving.await?) })
    }
}

fn allowed(found: impl Iterator<Item = SocketAddr>) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    let allowed: Vec<_> = found.filter(|address| !domain::is_link_local(address.ip())).collect();
    if allowed.is_empty() {
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "its name leads to no address, or to link-local ones only"));
    }
    Ok(allowed.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_link_local_address() {
        let of = |texts: &[&str]| allowed(texts.iter().map(|text| text.parse().unwrap())).map(Iterator::collect::<Vec<_>>);
        assert_eq!(of(&["169.254.169.254:80", "10.0.0.1:80"]).unwrap(), ["10.0.0.1:80".parse().unwrap()]);
        for only in ["169.254.169.254:80", "[fe80::1]:80", "[::ffff:169.254.169.254]:80"] {
            assert_eq!(of(&[only]).unwrap_err().kind(), io::ErrorKind::AddrNotAvailable, "{only}");
        }
        assert!(of(&[]).is_err());
    }
}
