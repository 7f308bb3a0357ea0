//! `last_operation`: how far an operation is.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::wire::{self, ForVersion};
use super::{Aftermath, ApiVersion};

/// The state of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum State {
    /// Ask again.
    #[serde(rename = "in progress")]
    InProgress,
    /// It has done what it should.
    #[serde(rename = "succeeded")]
    Succeeded,
    /// It has ended otherwise.
    #[serde(rename = "failed")]
    Failed,
}

impl State {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in progress",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The state of that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::InProgress, Self::Succeeded, Self::Failed].into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for State {
    /// A word that nobody knows does not end an operation, so the platform asks again, as Service Catalog does.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Ok(Self::parse(&word).unwrap_or(Self::InProgress))
    }
}

/// The answer to a poll. Only a failed one can say what it left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastOperation {
    state: State,
    #[serde(default, skip_serializing_if = "wire::no_text")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance_usable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    update_repeatable: Option<bool>,
}

impl LastOperation {
    /// Still going on; the sentence is for the user.
    pub fn in_progress(description: impl Into<String>) -> Self {
        Self::new(State::InProgress, description.into(), Aftermath::Unsaid)
    }

    /// The same, in other words.
    #[must_use]
    pub fn saying(mut self, words: impl FnOnce(&str) -> String) -> Self {
        self.description = self.description.map(|said| words(&said));
        self
    }

    /// Done; the sentence may be empty.
    pub fn succeeded(description: impl Into<String>) -> Self {
        Self::new(State::Succeeded, description.into(), Aftermath::Unsaid)
    }

    /// Failed, for the reason in the sentence.
    pub fn failed(description: impl Into<String>, aftermath: Aftermath) -> Self {
        Self::new(State::Failed, description.into(), aftermath)
    }

    fn new(state: State, description: String, aftermath: Aftermath) -> Self {
        Self {
            state,
            description: Some(wire::sentence(&description)).filter(|text| !text.is_empty()),
            instance_usable: aftermath.instance_usable(),
            update_repeatable: aftermath.update_repeatable(),
        }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// A sentence for the user.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Whether the instance can still be used; true unless it was said.
    pub fn instance_usable(&self) -> bool {
        self.instance_usable.unwrap_or(true)
    }

    /// Whether the same update may work another time; true unless it was said.
    pub fn update_repeatable(&self) -> bool {
        self.update_repeatable.unwrap_or(true)
    }
}

impl ForVersion for LastOperation {
    fn for_version(mut self, version: ApiVersion) -> Self {
        if !version.has_usability() {
            (self.instance_usable, self.update_repeatable) = (None, None);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_says_what_it_left() {
        let text = |answer: LastOperation| serde_json::to_string(&answer).unwrap();
        assert_eq!(text(LastOperation::in_progress("")), r#"{"state":"in progress"}"#);
        let left = Aftermath::Update { instance_usable: true, update_repeatable: false };
        let failed = LastOperation::failed("no", left);
        assert_eq!(
            text(failed.clone()),
            r#"{"state":"failed","description":"No.","instance_usable":true,"update_repeatable":false}"#
        );
        assert_eq!(text(failed.for_version(ApiVersion::v2(15))), r#"{"state":"failed","description":"No."}"#);
        let left = Aftermath::Deprovision { instance_usable: false };
        assert_eq!(text(LastOperation::failed("", left)), r#"{"state":"failed","instance_usable":false}"#);
    }

    #[test]
    fn an_unknown_state_is_polled_again() {
        let answer: LastOperation = serde_json::from_str(r#"{"state":"thinking"}"#).unwrap();
        assert_eq!(answer.state(), State::InProgress);
    }
}
