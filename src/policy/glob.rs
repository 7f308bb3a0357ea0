//! Patterns: `*` stands for any text, also the empty one, `?` for any one character, everything else for itself.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// One pattern. Letters match in their own case; `*` also stands for `/` and `:`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// Takes the text as a pattern.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole text fits. Time is at worst the product of the two lengths.
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.as_str(), text);
        // Where to go on if what follows the last `*` does not fit: that `*` takes one character more.
        let mut retry: Option<(&str, &str)> = None;
        loop {
            let mut wanted = pattern.chars();
            let mut given = rest.chars();
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    pattern = wanted.as_str();
                    retry = Some((pattern, rest));
                    continue;
                }
                (Some(want), Some(have)) if want == '?' || want == have => {
                    (pattern, rest) = (wanted.as_str(), given.as_str());
                    continue;
                }
                _ => {}
            }
            let Some((after, mut from)) = retry.map(|(after, from)| (after, from.chars())) else { return false };
            if from.next().is_none() {
                return false;
            }
            (pattern, rest) = (after, from.as_str());
            retry = Some((after, from.as_str()));
        }
    }

    /// The same pattern for SQL's `LIKE` with its usual escape character.
    pub fn as_like(&self) -> String {
        let mut like = String::with_capacity(self.0.len() + 4);
        for character in self.0.chars() {
            match character {
                '*' => like.push('%'),
                '?' => like.push('_'),
                '%' | '_' | '\\' => like.extend(['\\', character]),
                other => like.push(other),
            }
        }
        like
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A pattern or a list of patterns: fits if one of them does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Globs(pub Vec<Glob>);

impl Globs {
    /// Whether one of them fits.
    pub fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(text))
    }

    /// Each for SQL's `LIKE ANY`.
    pub fn as_like(&self) -> Vec<String> {
        self.0.iter().map(Glob::as_like).collect()
    }
}

impl fmt::Display for Globs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.0.iter().map(Glob::as_str).collect();
        f.write_str(&texts.join(" or "))
    }
}

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMore {
            One(Glob),
            More(Vec<Glob>),
        }
        Ok(Self(match OneOrMore::deserialize(deserializer)? {
            OneOrMore::One(glob) => vec![glob],
            OneOrMore::More(globs) => globs,
        }))
    }
}

impl JsonSchema for Globs {
    fn schema_name() -> Cow<'static, str> {
        "Globs".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A pattern (`*` any text, `?` any one character) or a list of patterns, of which one must fit.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_fit_whole_texts() {
        for (pattern, text, fits) in [
            ("main", "main", true),
            ("main", "Main", false),
            ("team-*", "team-", true),
            ("team-*", "my-team-a", false),
            ("*-?", "a-b", true),
            ("*-?", "a-", false),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXbYcd", false),
            ("arn:aws:iam::123456789012:role/app-*", "arn:aws:iam::123456789012:role/app-x/y", true),
            ("?", "ü", true),
            ("[ab]", "a", false),
            ("", "", true),
            ("**", "", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_becomes_a_like_pattern() {
        assert_eq!(Glob::new(r"a*_?%\").as_like(), r"a%\__\%\\");
    }

    /// The textbook definition, too slow for use.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', after)), rest) => naive(after, text) || rest.is_some_and(|(_, rest)| naive(pattern, rest)),
            (Some((want, after)), Some((have, rest))) => (*want == '?' || want == have) && naive(after, rest),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in "[ab*?ü]{0,8}", text in "[abü]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(Glob::new(&*pattern).matches(&text), naive(&chars(&pattern), &chars(&text)));
        }
    }
}
