//! Label selectors over the properties of classes and plans: `catalogRestrictions`.
//!
//! The grammar is that of Kubernetes (`a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a`), the values may hold
//! any character but those of the grammar. The texts of a list are joined by commas **before** they are read: svcat splits
//! `'a in (x, y)'` at the comma, so that each half alone is none.

use std::collections::BTreeMap;

/// What a selector is held against.
pub type Properties<'a> = BTreeMap<&'static str, &'a str>;

/// Requirements, all of which must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Lacks,
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The grammar.
    #[error("{text:?} is not a selector: {reason}")]
    Grammar {
        /// The whole of it.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A property that is none.
    #[error("there is no property {key:?}; there are {known}")]
    Property {
        /// What was named.
        key: String,
        /// What could be named.
        known: String,
    },
}

impl Selector {
    /// Reads a list of texts; only these properties may be named.
    pub fn parse(texts: &[String], known: &[&str]) -> Result<Self, Error> {
        let text = texts.join(",");
        let mut parser = Parser { rest: &text };
        let requirements = parser.all().map_err(|reason| Error::Grammar { text: text.clone(), reason })?;
        for Requirement { key, .. } in &requirements {
            if !known.contains(&key.as_str()) {
                return Err(Error::Property { key: key.clone(), known: known.join(", ") });
            }
        }
        Ok(Self(requirements))
    }

    /// Whether all requirements are met.
    pub fn matches(&self, properties: &Properties<'_>) -> bool {
        self.0.iter().all(|Requirement { key, test }| {
            let value = properties.get(key.as_str());
            let is_one_of = |values: &[String]| value.is_some_and(|value| values.iter().any(|one| one == value));
            match test {
                Test::In(values) => is_one_of(values),
                Test::NotIn(values) => !is_one_of(values),
                Test::Exists => value.is_some(),
                Test::Lacks => value.is_none(),
            }
        })
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn all(&mut self) -> Result<Vec<Requirement>, &'static str> {
        let mut found = Vec::new();
        self.space();
        while !self.rest.is_empty() {
            found.push(self.one()?);
            if !self.take(",") && !self.rest.is_empty() {
                return Err("a comma is missing between two requirements");
            }
        }
        Ok(found)
    }

    fn one(&mut self) -> Result<Requirement, &'static str> {
        if self.take("!") {
            return Ok(Requirement { key: self.word().ok_or("a property is missing after `!`")?, test: Test::Lacks });
        }
        let key = self.word().ok_or("a property is missing")?;
        let test = if self.take("!=") {
            Test::NotIn(vec![self.word().unwrap_or_default()])
        } else if self.take("==") || self.take("=") {
            Test::In(vec![self.word().unwrap_or_default()])
        } else if self.take_word("notin") {
            Test::NotIn(self.list()?)
        } else if self.take_word("in") {
            Test::In(self.list()?)
        } else {
            Test::Exists
        };
        Ok(Requirement { key, test })
    }

    fn list(&mut self) -> Result<Vec<String>, &'static str> {
        if !self.take("(") {
            return Err("`(` is missing after `in` or `notin`");
        }
        let mut values = Vec::new();
        loop {
            values.push(self.word().unwrap_or_default());
            if self.take(")") {
                return Ok(values);
            }
            if !self.take(",") {
                return Err("`)` is missing after the values");
            }
        }
    }

    fn word(&mut self) -> Option<String> {
        let end = |c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '=' | '!');
        let (word, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = rest;
        self.space();
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn take(&mut self, token: &str) -> bool {
        let taken = self.rest.strip_prefix(token);
        self.rest = taken.unwrap_or(self.rest);
        self.space();
        taken.is_some()
    }

    fn take_word(&mut self, word: &str) -> bool {
        let whole =
            self.rest.strip_prefix(word).is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || c == '('));
        whole && self.take(word)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 2] = ["spec.externalName", "spec.free"];

    fn matches(texts: &[&str], name: &str) -> bool {
        let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
        let selector = Selector::parse(&texts, &KNOWN).unwrap_or_else(|error| panic!("{error}"));
        selector.matches(&Properties::from([("spec.externalName", name)]))
    }

    #[test]
    fn the_grammar_is_that_of_kubernetes() {
        for (text, yes, no) in [
            ("spec.externalName=a", "a", "b"),
            ("spec.externalName == a", "a", "b"),
            ("spec.externalName!=a", "b", "a"),
            ("spec.externalName in (a,b)", "b", "c"),
            ("spec.externalName in(a , b )", "a", "c"),
            ("spec.externalName notin (a, b),spec.externalName!=d", "c", "d"),
            ("!spec.free, spec.externalName = c", "c", "a"),
        ] {
            assert!(matches(&[text], yes) && !matches(&[text], no), "{text}");
        }
        assert!(matches(&[], "a"));
    }

    #[test]
    fn a_list_that_svcat_split_at_its_comma_is_whole_again() {
        assert!(matches(&["spec.externalName in (a", " b)"], "b"));
        assert!(matches(&["spec.externalName in (a, b)", "spec.externalName!=a"], "b"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| Selector::parse(&[text.to_owned()], &KNOWN).unwrap_err().to_string();
        assert!(error("spec.externalName in a").contains("`(` is missing"));
        assert!(error("spec.externalName in (a").contains("`)` is missing"));
        assert!(error("=a").contains("a property is missing"));
        assert!(error("spec.externalName=x y").contains("a comma is missing"));
        assert_eq!(
            error("spec.price=1"),
            r#"there is no property "spec.price"; there are spec.externalName, spec.free"#
        );
    }
}
