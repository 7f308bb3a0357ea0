//! From the bytes of a body to a request that passed its checks, or to a sentence that names the place and no value
//! (a value may be a secret).

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Error, wire};

/// The body of a request: read leniently, then checked.
pub trait Request: DeserializeOwned {
    /// Whether everything mandatory is there; a 400 that names the field if not.
    fn check(&self) -> Result<(), Error>;
}

/// Reads a body. Its `Content-Type` does not matter, its being a JSON object does.
pub fn decode<T: Request>(body: &[u8]) -> Result<T, Error> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(Error::bad_request("The body is missing; send a JSON object.")),
        // A derived struct would also be read from an array.
        Some(b'[') => return Err(Error::bad_request("The body must be a JSON object.")),
        Some(_) => {}
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let request: T = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Error::BadRequest(sentence(&error.path().to_string(), error.inner())))?;
    deserializer.end().map_err(|error| Error::BadRequest(sentence(".", &error)))?;
    request.check()?;
    Ok(request)
}

/// What an id may have, in bytes: the 255 characters that the specification recommends fit in any language; a text much
/// longer fits no index of the database.
const LONGEST_ID: usize = 1024;

/// A mandatory text must be there, must not be empty, and must be storable.
pub(super) fn present(name: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::bad_request(format!("{name} is missing")));
    }
    storable_id(name, text)
}

/// A text by which rows are found must fit an index, and PostgreSQL's text. `name` is what the sentence calls it.
pub fn storable_id(name: &str, text: &str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::bad_request(format!("{name} holds a NUL character")));
    }
    if text.len() > LONGEST_ID {
        return Err(Error::bad_request(format!("{name} is longer than {LONGEST_ID} bytes")));
    }
    Ok(())
}

/// Parameters become parts of rows; the sentence names the one.
pub(super) fn storable_parameters(parameters: &Map<String, Value>) -> Result<(), Error> {
    for (name, value) in parameters {
        if name.contains('\0') {
            return Err(Error::bad_request("The name of a parameter holds a NUL character"));
        }
        if wire::has_nul(value) {
            return Err(Error::bad_request(format!("The parameter {name} holds a NUL character")));
        }
    }
    Ok(())
}

/// An object that is kept as it came must be storable.
pub(super) fn storable(name: &str, object: &Map<String, Value>) -> Result<(), Error> {
    if wire::holds_nul(object) { Err(Error::bad_request(format!("{name} holds a NUL character"))) } else { Ok(()) }
}

/// What is wrong and where. Serde's own message quotes the value it met in front of `, expected `; what stands behind
/// the last of these words is a text of the type's, so only that is kept.
fn sentence(path: &str, error: &serde_json::Error) -> String {
    if !error.is_data() {
        return format!("The body is not valid JSON (line {}, column {})", error.line(), error.column());
    }
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    let place = if path == "." { "The body" } else { path };
    match message.rsplit_once(", expected ") {
        Some((_, "a map")) => format!("{place} must be an object"),
        Some((_, wanted)) if wanted.starts_with("struct ") => format!("{place} must be a JSON object."),
        Some((_, wanted)) => format!("{place} must be {wanted}"),
        None if message.starts_with("duplicate field") => format!("{place} holds a {message}"),
        None => format!("{place} has the wrong form"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::osb::{BindRequest, ProvisionRequest, UpdateRequest};

    fn refusal<T: Request + std::fmt::Debug>(body: &str) -> String {
        decode::<T>(body.as_bytes()).unwrap_err().description().into_owned()
    }

    #[test]
    fn a_missing_field_is_named() {
        let all = [("service_id", "s"), ("plan_id", "p"), ("organization_guid", "o"), ("space_guid", "g")];
        for (left_out, _) in all {
            for odd in [None, Some(serde_json::Value::Null), Some("".into())] {
                let mut body: serde_json::Map<_, _> =
                    all.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
                body.remove(left_out);
                body.extend(odd.map(|value| (left_out.to_owned(), value)));
                let body = serde_json::Value::from(body).to_string();
                assert_eq!(refusal::<ProvisionRequest>(&body), format!("{left_out} is missing"));
            }
        }
    }

    #[test]
    fn a_wrong_type_is_located_and_its_value_is_not_shown() {
        for (body, text) in [
            (r#"{"service_id":"s","parameters":"hunter2, expected hunter2"}"#, "parameters must be an object"),
            (r#"{"service_id":"s","parameters":["hunter2"]}"#, "parameters must be an object"),
            (r#"{"service_id":{"hunter2":1}}"#, "service_id must be a string"),
            (r#"{"service_id":"s","plan_id":4711}"#, "plan_id must be a string"),
            (r#"{"service_id":"s","context":true}"#, "context must be an object"),
            (r#"{"service_id":"s","previous_values":1}"#, "previous_values must be an object"),
            (
                r#"{"service_id":"s","maintenance_info":{"version":4711}}"#,
                "maintenance_info must be an object whose version is a string",
            ),
            (r#"{"service_id":"s","service_id":"t"}"#, "The body holds a duplicate field `service_id`"),
        ] {
            assert_eq!(refusal::<UpdateRequest>(body), text);
        }
        for (field, body) in [
            ("service_id", r#"{"service_id":"a\u0000"}"#),
            ("context", r#"{"service_id":"s","context":{"a":[{"b":"\u0000"}]}}"#),
            ("The parameter p", r#"{"service_id":"s","parameters":{"o":1,"p":[{"\u0000":1}]}}"#),
            ("The name of a parameter", r#"{"service_id":"s","parameters":{"\u0000":1}}"#),
        ] {
            assert_eq!(refusal::<UpdateRequest>(body), format!("{field} holds a NUL character"));
        }
        assert_eq!(refusal::<BindRequest>(r#"{"bind_resource":["hunter2"]}"#), "bind_resource must be an object");
        let long = format!(r#"{{"service_id":"{}"}}"#, "é".repeat(513));
        assert_eq!(refusal::<UpdateRequest>(&long), "service_id is longer than 1024 bytes");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for (body, text) in [
            ("", "The body is missing; send a JSON object."),
            (" \n", "The body is missing; send a JSON object."),
            ("[]", "The body must be a JSON object."),
            (" [\"s\"]", "The body must be a JSON object."),
            ("\"hunter2\"", "The body must be a JSON object."),
            ("null", "The body must be a JSON object."),
            ("4711", "The body must be a JSON object."),
            (r#"{"service_id":"hunter2"#, "The body is not valid JSON (line 1, column 22)"),
            (r#"{"service_id":"s"} x"#, "The body is not valid JSON (line 1, column 20)"),
            ("\u{feff}{}", "The body is not valid JSON (line 1, column 1)"),
        ] {
            assert_eq!(refusal::<UpdateRequest>(body), text, "{body}");
        }
        assert!(decode::<UpdateRequest>(b"{\"service_id\":\"\xff\"}").is_err());
        let deep = format!(r#"{{"service_id":"s","parameters":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
        assert!(decode::<UpdateRequest>(deep.as_bytes()).is_err());
    }
}
