//! Whose request it is, when proxies stand between.
//!
//! Each proxy appends the address it was called from to `X-Forwarded-For`. Only what a trusted proxy
//! wrote is believed: we walk from the right and stop at the first address that is not one.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, header::HeaderName};
use ipnet::IpNet;

/// The header, as nearly every proxy spells it. `Forwarded` (RFC 7239) is not read.
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address. Without `trusted` proxies it is the `peer`, whatever the headers say.
///
/// An entry that is no address ends the walk: the answer is then the trusted proxy that passed it on.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        if !is_among(client, trusted) {
            break;
        }
        let Some(address) = std::str::from_utf8(hop).ok().and_then(parse) else { break };
        client = address;
    }
    client
}

/// Whether `address` lies in one of the `nets`.
pub fn is_among(address: IpAddr, nets: &[IpNet]) -> bool {
    let address = address.to_canonical();
    nets.iter().any(|net| net.contains(&address))
}

/// An address, with or without brackets and port.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|a| a.ip()));
    Some(address.ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn seen(peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn stranger_cannot_say_who_he_is() {
        for forged in ["1.2.3.4", "127.0.0.1", "10.0.0.1", "10.0.0.1, 10.0.0.2", "::1", "garbage"] {
            assert_eq!(seen("203.0.113.9", &[forged]), "203.0.113.9", "{forged}");
        }
    }

    #[test]
    fn client_is_the_first_untrusted_hop_from_the_right() {
        for (lines, client) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            (&["127.0.0.1, 198.51.100.7"], "198.51.100.7"),
            (&["6.6.6.6, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
            (&["6.6.6.6", "198.51.100.7,10.9.9.9"], "198.51.100.7"),
            (&["198.51.100.7", ""], PROXY),
            (&["198.51.100.7, unknown"], PROXY),
            (&["198.51.100.7, unknown, 10.2.2.2"], "10.2.2.2"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
            (&["198.51.100.7, fd00::5"], "198.51.100.7"),
            (&["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
            (&["198.51.100.7\t"], "198.51.100.7"),
            (&["198.51.100.7;x"], PROXY),
            (&["0x7f.1"], PROXY),
            (&["1.2.3.4, 198.51.100.7 1.2.3.4"], PROXY),
            (&[], PROXY),
        ] {
            assert_eq!(seen(PROXY, lines), client, "{lines:?}");
        }
    }

    #[test]
    fn mapped_address_of_a_proxy_is_the_proxy() {
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
    }
}
