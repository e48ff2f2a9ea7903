//! Who the client is: the peer, or what a trusted proxy says of it.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::network::Network;

/// The client's address. `X-Forwarded-For` is read from its end for as long as whoever added an entry is trusted.
pub(crate) fn client(peer: SocketAddr, headers: &HeaderMap, trusted: &[Network]) -> SocketAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
    if trusted.is_empty() || !is_trusted(peer.ip()) {
        return peer;
    }
    let entries = headers.get_all("x-forwarded-for").iter().rev().filter_map(|value| value.to_str().ok());
    let mut client = peer;
    for entry in entries.flat_map(|value| value.rsplit(',')) {
        let Ok(ip) = entry.trim().parse::<IpAddr>() else { break };
        client = SocketAddr::new(ip, 0);
        if !is_trusted(ip) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).ip().to_string()
    }

    #[test]
    fn only_what_trusted_proxies_added_is_believed() {
        assert_eq!(client_of("10.0.0.1:1", &["1.1.1.1"], &[]), "10.0.0.1");
        assert_eq!(client_of("9.9.9.9:1", &["1.1.1.1"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(client_of("10.0.0.1:1", &["6.6.6.6, 1.1.1.1"], &["10.0.0.0/8"]), "1.1.1.1");
        assert_eq!(client_of("10.0.0.1:1", &["6.6.6.6", "1.1.1.1, 10.0.0.2"], &["10.0.0.0/8"]), "1.1.1.1");
        assert_eq!(client_of("10.0.0.1:1", &["nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(client_of("10.0.0.1:1", &["6.6.6.6, nonsense, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
    }
}
