//! The labels of classes and plans: svcat looks objects up by them, and by nothing else.

use std::collections::BTreeMap;

use crate::kubernetes::names::{label_key, label_value};
use crate::kubernetes::scope::{ClassObject, PlanObject, Scope};

type Labels = BTreeMap<String, String>;

/// The labels that a class must have.
pub fn class_labels<S: Scope>(class: &S::Class) -> Labels {
    let common = class.common();
    labels([
        ("spec.externalName", &common.external_name),
        ("spec.externalID", &common.external_id),
        (S::BROKER_FIELD, class.broker()),
    ])
}

/// The labels that a plan must have.
pub fn plan_labels<S: Scope>(plan: &S::Plan) -> Labels {
    let common = plan.common();
    labels([
        ("spec.externalName", &common.external_name),
        ("spec.externalID", &common.external_id),
        (S::BROKER_FIELD, plan.broker()),
        (S::CLASS_FIELD, plan.class()),
    ])
}

fn labels<const N: usize>(fields: [(&str, &str); N]) -> Labels {
    fields.into_iter().map(|(field, value)| (label_key(field), label_value(value))).collect()
}
