//! Where a broker may be. A URL that an ordinary user may write must not make us reach, with our network, what the user
//! cannot: this pod's own ports (loopback), the node's and the cloud's credentials (link-local, metadata).
//!
//! The check is made on the addresses that the name resolves to, and the connection goes to those very addresses: a name
//! that changes between check and use gains nothing. A proxy would resolve the name itself, so a guarded client uses none.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{ClientBuilder, Url};

use super::error::Error;

/// Which addresses a broker may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// All.
    #[default]
    Any,
    /// None that only this machine reaches.
    NotLocal,
}

/// Arms a client.
pub(super) fn apply(guard: Guard, url: &Url, builder: ClientBuilder) -> Result<ClientBuilder, Error> {
    if guard == Guard::Any {
        return Ok(builder);
    }
    // An address that is written out is not resolved; redirects stay on it.
    let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
    if literal.is_some_and(is_local) {
        return Err(Error::Forbidden);
    }
    Ok(builder.no_proxy().dns_resolver(Arc::new(Resolver)))
}

/// Whether a call failed because of the guard.
pub(super) fn refused(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.is::<Refused>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[derive(Debug, thiserror::Error)]
#[error("the address is local")]
struct Refused;

struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            // One local address among others is no accident: the name is refused as a whole.
            if found.iter().any(|address| is_local(address.ip())) {
                return Err(Refused.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_local_v4(v4),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_local_v4(v4),
            None => is_local_v6(v6),
        },
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    // 0.0.0.0/8 is "this host"; Linux connects it to loopback.
    address.octets()[0] == 0
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    // fd00:ec2::/32 holds the metadata service and the credentials of EKS pods.
    let metadata = address.segments()[..2] == [0xfd00, 0x0ec2];
    address.is_unspecified()
        || address.is_loopback()
        || address.is_unicast_link_local()
        || address.is_multicast()
        || metadata
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, or by way of NAT64 (RFC 6052) and 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let last = Ipv4Addr::from(u32::from(segments[6]) << 16 | u32::from(segments[7]));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(last),
        [0x2002, high, low, ..] => Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::osb_client::{Client, Headers, Options};

    #[test]
    fn local_addresses_are_known_in_every_dress() {
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.170.23",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
        ] {
            assert!(is_local(text.parse().unwrap()), "{text}");
        }
        for text in
            ["10.0.0.1", "172.20.0.1", "192.168.1.1", "8.8.8.8", "fd12:3456::1", "2606:4700::1", "::ffff:10.0.0.1"]
        {
            assert!(!is_local(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_guarded_client_reaches_nothing_local_by_whatever_name() {
        let client = |url: &str| Client::new(Options { guard: Guard::NotLocal, ..Options::new(url) });
        for url in
            ["http://127.0.0.1:1", "http://[::1]:1", "http://0x7f.1:1", "http://2130706433/", "http://[::ffff:7f00:1]"]
        {
            assert!(matches!(client(url), Err(Error::Forbidden)), "{url}");
        }
        let error = client("http://localhost:1").unwrap().catalog(Headers::default(), None).await.unwrap_err();
        assert!(matches!(error, Error::Forbidden) && !error.may_leave_an_orphan(), "{error:?}");
    }
}
