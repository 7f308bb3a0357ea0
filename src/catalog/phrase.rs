//! A JSON Schema in words: what a parameter may be, for refusals, `catalog show` and the generated pages.

use serde_json::{Map, Value};

/// `an integer from 60 to 1209600`, `one of standard, archive`, `a text of 1 to 80 characters matching ^[a-z]+$`.
pub fn phrase(schema: &Value) -> String {
    let Some(schema) = schema.as_object() else { return "nothing".to_owned() };
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        let options: Vec<String> = options.iter().map(plain).collect();
        return match options.as_slice() {
            [one] => one.clone(),
            many => format!("one of {}", many.join(", ")),
        };
    }
    if let Some(value) = schema.get("const") {
        return plain(value);
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(options) = schema.get(keyword).and_then(Value::as_array) {
            return options.iter().map(phrase).collect::<Vec<_>>().join(" or ");
        }
    }
    match schema.get("type") {
        Some(Value::String(one)) => typed(one, schema),
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).map(|one| typed(one, schema)).collect::<Vec<_>>().join(" or ")
        }
        _ => "a value".to_owned(),
    }
}

/// A value as a person writes it.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn typed(kind: &str, schema: &Map<String, Value>) -> String {
    match kind {
        "integer" | "number" => {
            let noun = if kind == "integer" { "an integer" } else { "a number" };
            let mut text =
                format!("{noun}{}", range(schema, "minimum", "maximum", ["from", "of at least", "of at most"], ""));
            if let Some(step) = schema.get("multipleOf") {
                text.push_str(&format!(", a multiple of {step}"));
            }
            text
        }
        "string" => {
            let units = ["of", "of at least", "of at most"];
            let mut text = format!("a text{}", range(schema, "minLength", "maxLength", units, " characters"));
            if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
                text.push_str(&format!(" matching {pattern}"));
            }
            if let Some(format) = schema.get("format").and_then(Value::as_str) {
                text.push_str(&format!(" in the format {format}"));
            }
            text
        }
        "boolean" => "true or false".to_owned(),
        "array" => {
            let units = ["of", "of at least", "of at most"];
            let unique = if schema.get("uniqueItems") == Some(&Value::Bool(true)) { " different" } else { "" };
            let mut text =
                format!("a list{}", range(schema, "minItems", "maxItems", units, &format!("{unique} items")));
            if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
                text.push_str(&format!(", each {}", phrase(items)));
            }
            text
        }
        "object" => match schema.get("properties").and_then(Value::as_object).filter(|p| !p.is_empty()) {
            Some(properties) => format!("an object with {}", properties.keys().cloned().collect::<Vec<_>>().join(", ")),
            None => "an object".to_owned(),
        },
        "null" => "null".to_owned(),
        other => other.to_owned(),
    }
}

fn range(schema: &Map<String, Value>, low: &str, high: &str, words: [&str; 3], unit: &str) -> String {
    match (schema.get(low), schema.get(high)) {
        (Some(low), Some(high)) if low == high => format!(" of {low}{unit}"),
        (Some(low), Some(high)) => format!(" {} {low} to {high}{unit}", words[0]),
        (Some(low), None) => format!(" {} {low}{unit}", words[1]),
        (None, Some(high)) => format!(" {} {high}{unit}", words[2]),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_read_as_sentences() {
        let cases = [
            (json!({"type": "integer", "minimum": 60, "maximum": 99}), "an integer from 60 to 99"),
            (json!({"type": "string", "minLength": 1, "pattern": "^a"}), "a text of at least 1 characters matching ^a"),
            (json!({"enum": ["a", 1]}), "one of a, 1"),
            (json!({"type": ["boolean", "null"]}), "true or false or null"),
            (
                json!({"type": "array", "maxItems": 3, "items": {"type": "string"}}),
                "a list of at most 3 items, each a text",
            ),
        ];
        for (schema, text) in cases {
            assert_eq!(phrase(&schema), text);
        }
    }
}
