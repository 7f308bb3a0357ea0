//! Which class and plan a user chose: by one of three sorts of name, in one of two scopes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The class and the plan, as the user named them: exactly one of the class fields, and at most one plan field, which is
/// of the same sort.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanChoice {
    /// The class's name in its broker's catalog (cluster).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cluster_service_class_external_name: Option<String>,
    /// The plan's name in its broker's catalog (cluster).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cluster_service_plan_external_name: Option<String>,
    /// The class's id in its broker's catalog (cluster).
    #[serde(rename = "clusterServiceClassExternalID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cluster_service_class_external_id: Option<String>,
    /// The plan's id in its broker's catalog (cluster).
    #[serde(rename = "clusterServicePlanExternalID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cluster_service_plan_external_id: Option<String>,
    /// The name of the ClusterServiceClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cluster_service_class_name: Option<String>,
    /// The name of the ClusterServicePlan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cluster_service_plan_name: Option<String>,
    /// The class's name in its broker's catalog (namespace).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_class_external_name: Option<String>,
    /// The plan's name in its broker's catalog (namespace).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_plan_external_name: Option<String>,
    /// The class's id in its broker's catalog (namespace).
    #[serde(rename = "serviceClassExternalID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_class_external_id: Option<String>,
    /// The plan's id in its broker's catalog (namespace).
    #[serde(rename = "servicePlanExternalID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_plan_external_id: Option<String>,
    /// The name of the ServiceClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_class_name: Option<String>,
    /// The name of the ServicePlan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_plan_name: Option<String>,
}

/// A name of one of the three sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// By the name in the broker's catalog.
    ExternalName(&'a str),
    /// By the id in the broker's catalog.
    ExternalId(&'a str),
    /// By the name of the Kubernetes object.
    Name(&'a str),
}

impl<'a> Named<'a> {
    /// The name, of whatever sort.
    pub fn text(self) -> &'a str {
        match self {
            Self::ExternalName(text) | Self::ExternalId(text) | Self::Name(text) => text,
        }
    }
}

/// What a choice says, read. An empty text is a field that was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// The class is one of the cluster.
    pub cluster: bool,
    /// The class.
    pub class: Named<'a>,
    /// The plan; without one, the only plan of the class is meant.
    pub plan: Option<Named<'a>>,
}

impl PlanChoice {
    /// What was chosen; `None` if no class is named, which the schema's rules refuse.
    pub fn read(&self) -> Option<Chosen<'_>> {
        let [c, n] = [
            [
                (&self.cluster_service_class_external_name, &self.cluster_service_plan_external_name),
                (&self.cluster_service_class_external_id, &self.cluster_service_plan_external_id),
                (&self.cluster_service_class_name, &self.cluster_service_plan_name),
            ],
            [
                (&self.service_class_external_name, &self.service_plan_external_name),
                (&self.service_class_external_id, &self.service_plan_external_id),
                (&self.service_class_name, &self.service_plan_name),
            ],
        ];
        let sorts = [Named::ExternalName as fn(_) -> _, Named::ExternalId, Named::Name];
        [(true, c), (false, n)].into_iter().find_map(|(cluster, fields)| {
            fields.into_iter().zip(sorts).find_map(|((class, plan), sort)| {
                let class = sort(given(class)?);
                Some(Chosen { cluster, class, plan: given(plan).map(sort) })
            })
        })
    }
}

fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_choice_is_read_in_either_scope() {
        let choice: PlanChoice = serde_json::from_value(json!({
            "clusterServiceClassName": "", "serviceClassExternalID": "c", "servicePlanExternalID": "p"
        }))
        .unwrap();
        let read = Chosen { cluster: false, class: Named::ExternalId("c"), plan: Some(Named::ExternalId("p")) };
        assert_eq!(choice.read(), Some(read));
        assert_eq!(PlanChoice::default().read(), None);
    }
}
