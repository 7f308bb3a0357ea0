//! A registry of pretended kinds and offerings over them, for tests.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::driver::{Context, Deletion, Driver, Fault, Found, Handle, Kind, Naming, Output, Progress, Registry};

use super::{Names, Revision};

struct Fake(Kind);

#[async_trait]
impl Driver for Fake {
    fn kind(&self) -> &Kind {
        &self.0
    }

    async fn ensure(&self, _: &Context, _: &Value, _: Option<&Handle>) -> Result<Progress, Fault> {
        Err(Fault::bug("pretended"))
    }

    async fn may_delete(&self, _: &Context, _: &Value, _: Option<&Handle>) -> Result<(), Fault> {
        Ok(())
    }

    async fn delete(&self, _: &Context, _: &Value, _: Option<&Handle>) -> Result<Deletion, Fault> {
        Ok(Deletion::Gone)
    }

    async fn inventory(&self, _: &Context, _: &str) -> Result<Vec<Found>, Fault> {
        Ok(Vec::new())
    }
}

const fn output(name: &'static str, secret: bool) -> Output {
    Output { name, secret, description: "pretended" }
}

/// `test/queue`, `test/identity` and `test/group`.
pub(crate) fn registry() -> Registry {
    let kind = |name, schema, mutable, outputs, max_length, extra, seconds| {
        let naming = Naming { max_length, extra, global: false };
        let (usual_create, usual_delete) = (Duration::from_secs(seconds), Duration::from_secs(seconds));
        let summary = "pretended";
        Kind { name, summary, schema, mutable, outputs, naming, usual_create, usual_delete, actions: &[] }
    };
    let queue = kind(
        "test/queue",
        json!({
            "type": "object", "additionalProperties": false, "required": ["fifo"],
            "properties": {
                "fifo": {"type": "boolean", "description": "order"},
                "retention": {"type": "integer", "minimum": 60, "description": "seconds"},
                "key": {"type": "string", "x-reference": "kms-key", "description": "a key"},
                "password": {"type": "string", "description": "a secret"},
                "redrive": {
                    "type": "object", "additionalProperties": false, "description": "dead letters",
                    "properties": {"arn": {"type": "string"}, "count": {"type": "integer"}},
                },
            },
        }),
        &["retention", "password", "redrive"],
        const { &[output("url", false), output("arn", false)] },
        80,
        "-_.",
        5,
    );
    let identity = kind(
        "test/identity",
        json!({
            "type": "object", "additionalProperties": false, "required": ["statements"],
            "properties": {
                "mode": {"type": "string", "enum": ["user", "role"]},
                "statements": {
                    "type": "array",
                    "items": {
                        "type": "object", "additionalProperties": false, "required": ["actions", "resources"],
                        "properties": {
                            "actions": {"type": "array", "items": {"type": "string"}},
                            "resources": {"type": "array", "items": {"type": "string", "x-iam-pattern": true}},
                        },
                    },
                },
            },
        }),
        &["statements"],
        const { &[output("credentials", true), output("user", false)] },
        64,
        "-",
        10,
    );
    let group = kind(
        "test/group",
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {"size": {"type": "integer"}, "queue": {"type": "string"}},
        }),
        &["size"],
        const { &[output("arn", false)] },
        63,
        "-",
        300,
    );
    Registry::new([queue, identity, group].map(|kind| Arc::new(Fake(kind)) as Arc<dyn Driver>))
}

/// A sound offering that uses most of the format.
pub(crate) const QUEUE: &str = include_str!("testdata/test-queue.yaml");

/// The same, parsed.
pub(super) fn queue() -> Revision {
    Revision::parse("test-queue.yaml", QUEUE, &registry()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The static names of an instance with those parameters.
pub(super) fn names(revision: &Revision, plan: &str, params: Value) -> Names {
    Names {
        params,
        plan: revision.plan_named(plan).unwrap().names().clone(),
        instance: json!({"slug": "chn-0123456789abcdef", "uid": "u", "id": "i", "namespace": "team-a"}),
        binding: None,
        target: json!({"name": "main", "account": "123456789012", "region": "eu-central-1", "partition": "aws"}),
    }
}

/// The static names of a binding with those parameters.
pub(super) fn binding_names(revision: &Revision, plan: &str, instance: Value, params: Value) -> Names {
    let mut names = names(revision, plan, params);
    names.instance["params"] = instance;
    names.binding = Some(json!({"slug": "chn-fedcba9876543210", "uid": "b", "id": "b"}));
    names
}
