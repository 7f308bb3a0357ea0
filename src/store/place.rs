//! Where sealed values stand: the vault binds each to its place.

use crate::osb::{OperationId, Uid};
use crate::vault::Place;

/// An instance's parameters.
pub fn instance_parameters(uid: Uid) -> Place {
    Place::new("instance", uid, "parameters")
}

/// A binding's parameters.
pub fn binding_parameters(uid: Uid) -> Place {
    Place::new("binding", uid, "parameters")
}

/// What a binding's platform gets.
pub fn binding_answer(uid: Uid) -> Place {
    Place::new("binding", uid, "answer")
}

/// The parameters an update aims at.
pub fn operation_parameters(id: OperationId) -> Place {
    Place::new("operation", id.uuid().into(), "parameters")
}

/// The secret leaves of a resource's desired state.
pub fn desired_secrets(uid: Uid) -> Place {
    Place::new("resource", uid, "desired_secrets")
}

/// The secret outputs of a resource.
pub fn output_secrets(uid: Uid) -> Place {
    Place::new("resource", uid, "output_secrets")
}
