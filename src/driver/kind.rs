//! What a driver says about its kind, as data: the catalog checks offerings against it and the broker's own IAM policy is
//! generated from it.

use std::time::Duration;

use serde_json::Value;

/// Marks a property of a desired state's schema that names a thing which is there already, with the sort that a parameter's
/// `reference` must have for a user to name it: whatever it names is used with the broker's power.
pub const REFERENCE: &str = "x-reference";

/// The facts of one kind.
#[derive(Clone, Debug)]
pub struct Kind {
    /// `s3/bucket`, `sql/role`, `AWS::SNS::Topic`.
    pub name: &'static str,
    /// One line for `chandlery catalog docs`.
    pub summary: &'static str,
    /// JSON Schema (draft-07) of the desired state: closed, every property with a `description`, [`REFERENCE`] where it names
    /// an existing thing. The keys of a catalog
    /// resource other than the engine's own (`kind`, `name`, `for_each`, `when`, `depends_on`, `serial`) are these.
    pub schema: Value,
    /// Properties of the desired state that can change in place; a change of any other is refused before anything happens.
    pub mutable: &'static [&'static str],
    /// What it gives to other resources and to credentials.
    pub outputs: &'static [Output],
    /// The rules for its names.
    pub naming: Naming,
    /// How long it usually takes until it is ready: for progress and `maximum_polling_duration`.
    pub usual_create: Duration,
    /// How long it usually takes until it is gone.
    pub usual_delete: Duration,
    /// The IAM actions its driver calls, for the broker's own least-privilege policy.
    pub actions: &'static [&'static str],
}

impl Kind {
    /// The output of that name.
    pub fn output(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| output.name == name)
    }
}

/// One output of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Its name in expressions: `${{ queue.url }}`.
    pub name: &'static str,
    /// Sealed at rest, and allowed in credentials only.
    pub secret: bool,
    /// One line for `chandlery catalog docs`.
    pub description: &'static str,
}

/// What AWS accepts as a name of this kind.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    /// The most characters, a suffix such as `.fifo` included.
    pub max_length: usize,
    /// Which characters besides `a-z` and `0-9`.
    pub extra: &'static str,
    /// The name is unique over all of AWS (S3 buckets), so somebody else may hold it.
    pub global: bool,
}
