//! The addresses under which the API may be served.

use std::net::{IpAddr, SocketAddr};

use axum::http::Uri;

/// The exposure of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// The name by which clients reach it, besides the loopback names.
    host: Option<String>,
    /// Clients reach it by TLS.
    is_secure: bool,
}

impl Exposure {
    /// Decides if a server on `listen` serves the API. Returns `None` if others reach the address and nobody said that
    /// TLS stands in front of it.
    ///
    /// # Errors
    /// When `public_url` is no address, or has no TLS although others reach it and `plain_http` was not said.
    pub fn of(listen: SocketAddr, public_url: Option<&str>, plain_http: bool) -> Result<Option<Self>, String> {
        let local = listen.ip().is_loopback();
        let Some(url) = public_url else {
            return Ok(local.then_some(Self { host: None, is_secure: false }));
        };
        let fault = || format!("--public-url `{url}` is no address as in `https://relance.example.com`");
        let uri: Uri = url.parse().map_err(|_| fault())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(fault)?;
        if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(format!("--public-url `{url}` has a path: the API is always at the top of its host"));
        }
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(fault()),
        };
        if !(is_secure || plain_http || local && is_loopback(host)) {
            return Err(format!(
                "--public-url `{url}` sends tokens in plain text: put TLS in front and say `https://`, or add \
                 --allow-plain-http"
            ));
        }
        Ok(Some(Self { host: Some(host.to_ascii_lowercase()), is_secure }))
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Returns true if `host`, a header with or without a port, names this server.
    pub(crate) fn is_ours(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
        let name = authority.host();
        is_loopback(name) || self.host.as_deref().is_some_and(|ours| ours.eq_ignore_ascii_case(name))
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::Exposure;

    fn of(listen: &str, url: Option<&str>, plain: bool) -> Result<Option<Exposure>, String> {
        Exposure::of(listen.parse().unwrap(), url, plain)
    }

    #[test]
    fn tokens_never_cross_a_network_in_plain_text_unless_somebody_says_so() {
        for local in ["127.0.0.1:8080", "[::1]:8080", "127.9.9.9:1"] {
            assert!(of(local, None, false).unwrap().is_some(), "{local}");
            assert!(of(local, Some("https://relance.example.com"), false).unwrap().unwrap().is_secure());
            assert!(of(local, Some("http://localhost:8080"), false).unwrap().is_some());
            assert!(of(local, Some("http://relance.example.com"), false).is_err());
        }
        for open in ["0.0.0.0:8080", "[::]:8080", "10.0.0.5:80"] {
            assert_eq!(of(open, None, false), Ok(None), "{open}");
            assert_eq!(of(open, None, true), Ok(None), "{open}");
            assert!(of(open, Some("https://relance.example.com/"), false).unwrap().is_some());
            assert!(of(open, Some("http://10.0.0.5"), false).unwrap_err().contains("plain text"));
            assert!(of(open, Some("http://localhost"), false).is_err());
            assert!(!of(open, Some("http://10.0.0.5"), true).unwrap().unwrap().is_secure());
        }
        for url in ["", "relance.example.com", "ftp://x", "https://", "https://x/api", "https://x?y", "https://a b"] {
            assert!(of("127.0.0.1:1", Some(url), true).is_err(), "{url}");
        }
    }

    #[test]
    fn a_page_elsewhere_cannot_reach_the_api_by_a_name_of_its_own() {
        let ours = of("0.0.0.0:1", Some("https://Relance.example.com"), false).unwrap().unwrap();
        for host in ["relance.example.com", "RELANCE.example.com:443", "localhost:8080", "127.0.0.1", "[::1]:8080"] {
            assert!(ours.is_ours(host), "{host}");
        }
        for host in
            ["", "evil.example", "relance.example.com.evil", "10.0.0.5", "localhost.evil", "a b", "[::2]", "::1"]
        {
            assert!(!ours.is_ours(host), "{host}");
        }
    }
}
