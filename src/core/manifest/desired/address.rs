//! Addresses: checks that traffic to them cannot be read on the way.

use core::net::IpAddr;

use super::channel::Channel;

impl Channel {
    /// Returns true if the channel sends to a server on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Sandbox { .. } => true,
            Self::WhatsappCloud(spec) => is_loopback(host(&spec.base_url)),
            Self::Http(spec) => spec.url.plain().is_some_and(|url| is_loopback(host(url))),
            Self::Smtp(spec) => is_loopback(&spec.host),
        }
    }
}

/// Returns true if the URL uses TLS or a loopback host. Text that is no URL passes, since another check reports it.
pub(in crate::core::manifest) fn is_loopback_or_tls(url: &str) -> bool {
    !is_plain(url) || is_loopback(host(url))
}

/// Returns true if the URL uses TLS or a host in the local network: loopback, a private address, or a name without a
/// dot. Containers reach each other by such names.
pub fn is_near_or_tls(url: &str) -> bool {
    if !is_plain(url) {
        return true;
    }
    let host = host(url);
    // A host that begins with a digit could be an IP address in an unusual notation.
    let is_name = host.starts_with(|first: char| first.is_ascii_alphabetic())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match address(host) {
        Some(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Some(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        None => is_name,
    }
}

/// Returns true if the host is this machine.
pub(in crate::core::manifest) fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Returns the authority of a URL: host, port and credentials.
pub(in crate::core::manifest) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

fn is_plain(url: &str) -> bool {
    url.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"))
}

fn host(url: &str) -> &str {
    let authority = authority(url);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn address(host: &str) -> Option<IpAddr> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{is_loopback_or_tls, is_near_or_tls};

    #[test]
    fn only_loopback_urls_may_skip_tls() {
        for url in ["https://graph.facebook.com", "http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8080"] {
            assert!(is_loopback_or_tls(url) && is_near_or_tls(url), "{url}");
        }
        for url in ["http://graph.facebook.com", "http://127.0.0.1@evil.example", "http://localhost.evil.example:80"] {
            assert!(!is_loopback_or_tls(url) && !is_near_or_tls(url), "{url}");
        }
    }

    #[test]
    fn gateway_urls_on_private_networks_may_skip_tls() {
        for url in ["http://waha:3000/api", "http://10.0.0.7", "http://192.168.1.1:80/", "http://[fd00::1]/"] {
            assert!(is_near_or_tls(url) && !is_loopback_or_tls(url), "{url}");
        }
        for url in
            ["http://8.8.8.8", "http://0x08080808/", "http://", "HTTP://gateway.example/", "http://waha@evil.example/"]
        {
            assert!(!is_near_or_tls(url), "{url}");
        }
    }
}
