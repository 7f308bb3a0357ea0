//! Percent-encoding: ids and operations have no restriction on their characters (spec: "Characters in URLs").

use std::borrow::Cow;
use std::fmt::Write;

/// One segment of a path, decoded; nothing if an escape is broken or what it stands for is not UTF-8.
pub fn decode_segment(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => {
                bytes.push(escaped(rest)?);
                rest = &rest[2..];
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// A name or a value of a query, decoded as forms are: `+` is a space. Tolerant: a broken escape stays as it is, and what
/// is not UTF-8, and a NUL, becomes the replacement character, which equals nothing that we ever gave out.
pub fn decode_query(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match (first, escaped(rest)) {
            (b'+', _) => bytes.push(b' '),
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &rest[2..];
            }
            (other, _) => bytes.push(other),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}"))
}

/// The byte that two hexadecimal digits at the front stand for.
fn escaped(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match text {
        [high, low, ..] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

/// The text as one segment of a path or one value of a query: everything but the unreserved characters is escaped.
/// Beware of the segments `.` and `..`: URL libraries take them away even when their dots are escaped.
pub fn encode_component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => {
                let _ = write!(encoded, "%{other:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_segment_is_decoded_once_and_strictly() {
        assert_eq!(decode_segment("a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(decode_segment("a%252Fb").as_deref(), Some("a%2Fb"));
        assert_eq!(decode_segment("1+1").as_deref(), Some("1+1"));
        assert_eq!(decode_segment("%C3%A9").as_deref(), Some("é"));
        for broken in ["%", "%2", "%zz", "%FF", "a%C3"] {
            assert_eq!(decode_segment(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_query_is_decoded_tolerantly() {
        assert_eq!(decode_query("a+b%20c%2B"), "a b c+");
        assert_eq!(decode_query("100%"), "100%");
        assert_eq!(decode_query("%FF%00"), "\u{fffd}\u{fffd}");
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(text in "[^\\x00]*") {
            let encoded = encode_component(&text);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(decode_segment(&encoded).unwrap(), text.as_str());
            prop_assert_eq!(decode_query(&encoded), text.as_str());
        }
    }
}
