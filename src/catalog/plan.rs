//! One plan of a revision.

use serde_json::{Map, Value};

use crate::osb::PlanId;

use super::document::PlanDocument;
use super::validator::Validator;

/// One plan of a revision.
#[derive(Debug)]
pub struct Plan {
    id: PlanId,
    document: PlanDocument,
    names: Value,
    validator: Validator,
}

impl Plan {
    pub(super) fn new(document: PlanDocument, validator: Validator) -> Self {
        let mut names: Map<String, Value> = document.fixed.clone();
        names.insert("id".to_owned(), document.id.as_str().into());
        names.insert("name".to_owned(), document.name.as_str().into());
        Self { id: PlanId::from(document.id.as_str()), names: Value::Object(names), document, validator }
    }

    /// Its OSB id.
    pub fn id(&self) -> &PlanId {
        &self.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.document.name
    }

    /// As the file has it.
    pub fn document(&self) -> &PlanDocument {
        &self.document
    }

    /// `plan` in expressions: what it fixes, its `id` and `name`.
    pub fn names(&self) -> &Value {
        &self.names
    }

    /// Checks what a user sets on an instance in total.
    pub(super) fn validator(&self) -> &Validator {
        &self.validator
    }
}
