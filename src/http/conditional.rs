//! Conditional requests (RFC 9110, section 13): whether the client's copy is still good.

use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

static PARSER: DateTimeParser = DateTimeParser::new();
static PRINTER: DateTimePrinter = DateTimePrinter::new();

/// Whether a 304 can be answered. `If-None-Match` decides alone where it is sent; a date that cannot be read is no
/// condition.
pub fn is_fresh(request: &HeaderMap, etag: &str, last_modified: Timestamp) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        return request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .any(|value| value.to_str().is_ok_and(|list| lists(list, etag)));
    }
    request
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|value| PARSER.parse_timestamp(value.as_bytes()).ok())
        .is_some_and(|since| last_modified.as_second() <= since.as_second())
}

/// A time as HTTP writes it; nothing before the year 0.
pub fn http_date(at: Timestamp) -> Option<String> {
    PRINTER.timestamp_to_rfc9110_string(&at).ok()
}

/// Whether a list of entity tags names this one, by weak comparison. Tags may hold commas, so the list is read tag by
/// tag and not split.
fn lists(list: &str, etag: &str) -> bool {
    let wanted = opaque(etag);
    if list.trim() == "*" {
        return true;
    }
    let mut rest = list;
    while let Some((_, tail)) = rest.split_once('"') {
        let Some((tag, tail)) = tail.split_once('"') else { return false };
        if tag == wanted {
            return true;
        }
        rest = tail;
    }
    false
}

/// The text between the quotes of an entity tag.
fn opaque(etag: &str) -> &str {
    etag.trim_start_matches("W/").trim_matches('"')
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn fresh(headers: &[(HeaderName, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        // Sun, 06 Nov 1994 08:49:37 GMT and a half second.
        is_fresh(&map, "\"a,b\"", Timestamp::from_millisecond(784_111_777_500).unwrap())
    }

    #[test]
    fn entity_tags_are_compared_weakly_in_lists_and_lines() {
        for (value, expected) in [
            ("\"a,b\"", true),
            ("W/\"a,b\"", true),
            ("\"x\", W/\"a,b\" , \"y\"", true),
            ("*", true),
            ("\"a\", \"b\"", false),
            ("a,b", false),
            ("\"a,b", false),
            ("", false),
        ] {
            assert_eq!(fresh(&[(header::IF_NONE_MATCH, value)]), expected, "{value}");
        }
        assert!(fresh(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_NONE_MATCH, "\"a,b\"")]));
    }

    #[test]
    fn dates_count_in_seconds_and_only_without_entity_tags() {
        let at = |date| fresh(&[(header::IF_MODIFIED_SINCE, date)]);
        assert!(at("Sun, 06 Nov 1994 08:49:37 GMT") && at("Mon, 07 Nov 1994 08:49:37 GMT"));
        assert!(!at("Sun, 06 Nov 1994 08:49:36 GMT") && !at("yesterday"));
        let both = [(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, "Mon, 07 Nov 1994 08:49:37 GMT")];
        assert!(!fresh(&both));
        assert_eq!(http_date(Timestamp::from_second(784_111_777).unwrap()).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
