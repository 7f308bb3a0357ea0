//! Where a redirect may lead: the broker's own host, so that neither credentials nor parameters go elsewhere.

use http::{Method, StatusCode};
use reqwest::Url;

/// How many are followed.
pub const MOST: usize = 5;

/// Where the request goes next, if it may. A redirect that would turn a `PUT` into a `GET` is not followed, since its
/// 200 would look like success.
pub fn next(method: &Method, status: StatusCode, from: &Url, location: &str) -> Option<Url> {
    let keeps_method = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    if !keeps_method && method != Method::GET {
        return None;
    }
    let to = from.join(location).ok()?;
    let same_host = from.host() == to.host();
    let same_door = from.scheme() == to.scheme() && from.port_or_known_default() == to.port_or_known_default();
    let safer_door = from.scheme() == "http" && to.scheme() == "https";
    (same_host && (same_door || safer_door)).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_host_and_no_weaker_door() {
        let from = Url::parse("https://broker.example/x/v2/catalog").unwrap();
        let follows = |method: Method, status: u16, to| {
            next(&method, StatusCode::from_u16(status).unwrap(), &from, to).map(String::from)
        };
        assert_eq!(follows(Method::GET, 302, "/y").as_deref(), Some("https://broker.example/y"));
        assert_eq!(follows(Method::PUT, 308, "z").as_deref(), Some("https://broker.example/x/v2/z"));
        assert_eq!(follows(Method::PUT, 302, "/y"), None);
        assert_eq!(follows(Method::GET, 302, "http://broker.example/y"), None);
        assert_eq!(follows(Method::GET, 302, "https://broker.example:8443/y"), None);
        assert_eq!(follows(Method::GET, 302, "//169.254.169.254/y"), None);
        let plain = Url::parse("http://broker.example/").unwrap();
        assert!(next(&Method::PUT, StatusCode::PERMANENT_REDIRECT, &plain, "https://broker.example/").is_some());
    }
}
