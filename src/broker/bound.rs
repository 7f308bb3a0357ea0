//! What an existing binding answers, to a bind that is sent again and to whoever waited for it.

use super::{Broker, broken};
use crate::catalog::Given;
use crate::osb::{BindRequest, BindingResponse, Error};
use crate::store::binding::Binding;
use crate::store::place;

impl Broker {
    /// What a ready binding hands out: the same every time.
    pub(super) fn answer(&self, binding: &Binding) -> Result<BindingResponse, Error> {
        let sealed = binding.answer.as_ref().ok_or_else(|| broken("a ready binding has no answer", &binding.uid))?;
        let answer = self.vault().unseal_json(&place::binding_answer(binding.uid), sealed);
        answer.map_err(|error| broken("a stored answer does not open", &error))
    }

    /// Whether a bind asks for just what this binding is.
    pub(super) fn is_same_bind(&self, binding: &Binding, request: &BindRequest) -> Result<bool, Error> {
        let stored: Given = self.open(&place::binding_parameters(binding.uid), &binding.parameters)?;
        let predecessor = request.predecessor_binding_id.as_ref().map(|id| id.as_str());
        if predecessor.is_some() && predecessor == binding.predecessor.as_deref() {
            // A rotation inherits what it does not say.
            return Ok(request.parameters.is_empty() || stored.given == request.parameters.0);
        }
        Ok(predecessor == binding.predecessor.as_deref()
            && request.service_id.as_ref() == Some(&binding.service_id)
            && request.plan_id.as_ref() == Some(&binding.plan_id)
            && request.app() == binding.app_guid.as_deref()
            && request.bind_resource.route() == binding.route.as_deref()
            && stored.given == request.parameters.0)
    }
}
