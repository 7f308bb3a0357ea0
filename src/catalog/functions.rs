//! The words of the expression language: which filters, tests and functions of minijinja an offering may use, and ours.
//!
//! A name outside these lists is refused when the file is parsed. What is missing is missing on purpose: nothing here reads
//! the clock, chance, a file or the environment, so an expression gives the same value on every replica.

use data_encoding::{BASE64, HEXLOWER};
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::expression::{to_json, without_nulls};

/// Filters: `value | name(…)`.
pub const FILTERS: &[&str] = &[
    // ours
    "base64",
    "compact",
    "hash",
    "json",
    "literal",
    "merge",
    "slugify",
    "truncate",
    "urlencode",
    // minijinja's
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "groupby",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// Tests: `value is name`.
pub const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
];

/// Functions: `name(…)`.
pub const FUNCTIONS: &[&str] = &["dict", "range"];

/// Adds ours to an environment.
pub(super) fn install(env: &mut Environment<'_>) {
    env.add_filter("literal", literal);
    env.add_filter("json", json);
    env.add_filter("base64", |text: &str| BASE64.encode(text.as_bytes()));
    env.add_filter("hash", hash);
    env.add_filter("slugify", slugify);
    env.add_filter("truncate", |text: &str, length: usize| text.chars().take(length).collect::<String>());
    env.add_filter("urlencode", urlencode);
    env.add_filter("merge", merge);
    env.add_filter("compact", compact);
}

/// Text as an IAM policy's resource or condition pattern means it literally: `*`, `?` and `$` lose their meaning
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>). A list: each of its texts.
fn literal(value: Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '*' | '?' | '$' => escaped.extend(['$', '{', c, '}']),
                c => escaped.push(c),
            }
        }
        return Ok(escaped.into());
    }
    match value.kind() {
        ValueKind::Seq => value.try_iter()?.map(literal).collect::<Result<Vec<_>, _>>().map(Value::from),
        ValueKind::None | ValueKind::Number | ValueKind::Bool => Ok(value),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "literal takes a text or a list of texts")),
    }
}

/// Compact JSON, keys sorted, without nulls.
fn json(value: Value) -> Result<String, Error> {
    let value = to_json(&value).map_err(|problem| Error::new(ErrorKind::InvalidOperation, problem))?;
    Ok(without_nulls(value).to_string())
}

/// The first `length` (8) hexadecimal digits of the text's SHA-256.
fn hash(text: &str, length: Option<usize>) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut hex = HEXLOWER.encode(digest.as_ref());
    hex.truncate(length.unwrap_or(8));
    hex
}

/// Lower case, everything but `a-z0-9` as single hyphens, none at the ends.
fn slugify(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// Percent-encoding of everything but RFC 3986's unreserved characters.
fn urlencode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                encoded.push('%');
                encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
                encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    encoded
}

/// `map | merge(other, …, key=value)`: the later wins.
fn merge(first: Value, others: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let mut merged = std::collections::BTreeMap::new();
    for map in std::iter::once(&first).chain(others.iter()) {
        if map.is_none() {
            continue;
        }
        if map.kind() != ValueKind::Map {
            return Err(Error::new(ErrorKind::InvalidOperation, "merge takes maps"));
        }
        for key in map.try_iter()? {
            let value = map.get_item(&key)?;
            merged.insert(key.to_string(), value);
        }
    }
    for key in named.args() {
        merged.insert(key.to_owned(), named.get::<Value>(key)?);
    }
    named.assert_all_used()?;
    Ok(Value::from_pairs(merged))
}

/// A list or map without its nones and empty texts.
fn compact(value: Value) -> Result<Value, Error> {
    let keep = |v: &Value| !v.is_none() && !v.is_undefined() && v.as_str() != Some("");
    match value.kind() {
        ValueKind::Seq => Ok(value.try_iter()?.filter(keep).collect::<Vec<_>>().into()),
        ValueKind::Map => {
            let mut kept = Vec::new();
            for key in value.try_iter()? {
                let item = value.get_item(&key)?;
                if keep(&item) {
                    kept.push((key.to_string(), item));
                }
            }
            Ok(Value::from_pairs(kept))
        }
        _ => Err(Error::new(ErrorKind::InvalidOperation, "compact takes a list or a map")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_takes_the_meaning_from_pattern_characters() {
        assert_eq!(literal("a*b?${aws:username}".into()).unwrap().as_str(), Some("a${*}b${?}${$}{aws:username}"));
        assert_eq!(literal(vec!["*", "b"].into()).unwrap(), Value::from(vec!["${*}", "b"]));
        assert!(literal(Value::from_pairs([("a", "b")])).is_err());
    }

    #[test]
    fn helpers_do_what_the_page_says() {
        assert_eq!(slugify("My Team's  Bucket!"), "my-team-s-bucket");
        assert_eq!(urlencode("p@ss word/ü"), "p%40ss%20word%2F%C3%BC");
        assert_eq!(hash("a", None), "ca978112");
    }

    #[test]
    fn every_word_is_known_to_minijinja_and_documented() {
        let mut env = Environment::new();
        install(&mut env);
        let page = include_str!("../../docs/CATALOG.md");
        for name in FILTERS {
            let result = env.compile_expression(&format!("1|{name}")).unwrap().eval(());
            assert!(result.err().is_none_or(|e| e.kind() != ErrorKind::UnknownFilter), "{name}");
            assert!(page.contains(&format!("`{name}")), "{name} is not in docs/CATALOG.md");
        }
        for name in TESTS {
            let result = env.compile_expression(&format!("1 is {name}")).unwrap().eval(());
            assert!(result.err().is_none_or(|e| e.kind() != ErrorKind::UnknownTest), "{name}");
            assert!(page.contains(&format!("`{name}")), "{name} is not in docs/CATALOG.md");
        }
    }
}
