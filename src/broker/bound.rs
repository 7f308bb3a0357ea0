//! What an existing binding answers, to a bind that is sent again and to whoever waited for it.

use super::{Broker, broken};
use crate::catalog::Given;
use crate::osb::{BindRequest, BindingResponse, Error, is_same};
use crate::store::binding::Binding;
use crate::store::instance::Instance;
use crate::store::place;

impl Broker {
    /// What a ready binding hands out: the same every time.
    pub(super) fn answer(&self, binding: &Binding) -> Result<BindingResponse, Error> {
        let sealed = binding.answer.as_ref().ok_or_else(|| broken("a ready binding has no answer", &binding.uid))?;
        let answer = self.vault().unseal_json(&place::binding_answer(binding.uid), sealed);
        answer.map_err(|error| broken("a stored answer does not open", &error))
    }

    /// Whether a bind asks for just what this binding is. The plan may also be the one that the instance has by now: platforms
    /// send that one.
    pub(super) fn is_same_bind(
        &self,
        binding: &Binding,
        instance: &Instance,
        request: &BindRequest,
    ) -> Result<bool, Error> {
        let predecessor = request.predecessor_binding_id.as_ref().map(|id| id.as_str());
        // A rotation inherits what it does not say.
        let rotates = predecessor.is_some();
        let stored: Given = self.open(&place::binding_parameters(binding.uid), &binding.parameters)?;
        let same = |asked: Option<&str>, own: Option<&str>| asked == own || rotates && asked.is_none();
        let plan = request.plan_id.as_ref();
        Ok(predecessor == binding.predecessor.as_deref()
            && same(request.service_id.as_ref().map(|id| id.as_str()), Some(binding.service_id.as_str()))
            && (same(plan.map(|id| id.as_str()), Some(binding.plan_id.as_str())) || plan == Some(&instance.plan_id))
            && same(request.app(), binding.app_guid.as_deref())
            && same(request.bind_resource.route(), binding.route.as_deref())
            && (is_same(&stored.given, &request.parameters.0) || rotates && request.parameters.is_empty()))
    }
}
