//! The CustomResourceDefinitions of the eight kinds, made from the types.
//!
//! The types give the structure; this file adds what Kubernetes wants besides: names, labels and columns as Service
//! Catalog had them, and the rules that its webhooks enforced, as far as they look at one object only (`rules`). What svcat sends must pass:
//! zero values of Go (`relistBehavior: ""`, `externalID: ""`) and nulls, which the API server drops since no field is nullable.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt, ResourceExt};
use serde_json::{Value, json};

use super::api::{
    ClusterServiceBroker, ClusterServiceClass, ClusterServicePlan, ServiceBinding, ServiceBroker, ServiceClass,
    ServiceInstance, ServicePlan,
};
use columns::columns;
use rules::rules;

mod apply;
mod columns;
mod rules;

pub use apply::{Applied, apply};

/// What stands above each definition.
const HEADER: &str = "# Printed by `chandlery controller crds`; a test holds it against the program. Do not edit.\n";

/// Why a definition cannot be printed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is none.
    #[error("a definition cannot be made: {0}")]
    Json(#[from] serde_json::Error),
    /// It is no YAML.
    #[error("a definition cannot be written: {0}")]
    Yaml(String),
}

/// One definition, printed.
pub struct Printed {
    /// The plural of the kind: the name of its file.
    pub name: String,
    /// The YAML.
    pub yaml: String,
}

/// All definitions, in the order of their names.
pub fn printed() -> Result<Vec<Printed>, Error> {
    let mut all: Vec<Printed> = definitions()?
        .into_iter()
        .map(|crd| {
            let yaml = serde_saphyr::to_string(&crd).map_err(|error| Error::Yaml(error.to_string()))?;
            Ok(Printed { name: crd.spec.names.plural.clone(), yaml: format!("{HEADER}{yaml}") })
        })
        .collect::<Result<_, Error>>()?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// All definitions.
pub fn definitions() -> Result<Vec<CustomResourceDefinition>, Error> {
    [
        ClusterServiceBroker::crd(),
        ClusterServiceClass::crd(),
        ClusterServicePlan::crd(),
        ServiceBroker::crd(),
        ServiceClass::crd(),
        ServicePlan::crd(),
        ServiceInstance::crd(),
        ServiceBinding::crd(),
    ]
    .into_iter()
    .map(finished)
    .collect()
}

fn finished(mut crd: CustomResourceDefinition) -> Result<CustomResourceDefinition, Error> {
    let kind = crd.spec.names.kind.clone();
    crd.spec.names.categories = Some(vec!["all".to_owned(), "svcat".to_owned()]);
    crd.labels_mut().insert("svcat".to_owned(), "true".to_owned());
    if kind == "ServiceBinding" {
        // By this label tools of the Service Binding specification find what can be bound to.
        crd.labels_mut().insert("servicebinding.io/provisioned-service".to_owned(), "true".to_owned());
    }
    // The group is one of Kubernetes itself; the API server wants to know who approved that.
    let approval = "https://github.com/kubernetes-sigs/service-catalog".to_owned();
    crd.annotations_mut().insert("api-approved.kubernetes.io".to_owned(), approval);
    for version in &mut crd.spec.versions {
        version.additional_printer_columns = Some(columns(&kind));
    }
    let mut value = serde_json::to_value(&crd)?;
    let schema = &mut value["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    never_null(schema);
    let spec = &mut schema["properties"]["spec"];
    let rules: Vec<Value> =
        rules(&kind).into_iter().map(|(rule, message)| json!({ "rule": rule, "message": message })).collect();
    spec["x-kubernetes-validations"] = Value::Array(rules);
    Ok(serde_json::from_value(value)?)
}

/// A null for a field that is not nullable is dropped by the API server, which is what Go clients mean by it.
fn never_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.remove("nullable");
            // Kubernetes knows no unsigned numbers, and warns.
            if fields.get("format").is_some_and(|format| format == "uint32") {
                fields.remove("format");
            }
            fields.values_mut().for_each(never_null);
        }
        Value::Array(items) => items.iter_mut().for_each(never_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_definitions_are_what_the_program_prints() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/chandlery/crds");
        let mut committed: Vec<_> =
            std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        committed.sort();
        let printed = printed().unwrap();
        let names: Vec<_> = printed.iter().map(|one| format!("{}.yaml", one.name)).collect();
        assert!(committed.iter().eq(names.iter().map(|name| name.as_str())), "{committed:?}");
        for (Printed { yaml, .. }, name) in printed.iter().zip(&names) {
            let have = std::fs::read_to_string(directory.join(name)).unwrap();
            assert!(
                have == *yaml,
                "{name} is out of date: run `chandlery controller crds --directory charts/chandlery/crds`"
            );
        }
    }

    #[test]
    fn free_json_keeps_all_its_keys() {
        let mut free = 0;
        for crd in definitions().unwrap() {
            let text = serde_json::to_string(&crd).unwrap();
            assert!(!text.contains("nullable"));
            free += text.matches(r#""x-kubernetes-preserve-unknown-fields":true"#).count();
        }
        // Classes 2 × 2, plans 2 × 5, instance 1 + 3, binding 1 + 3.
        assert_eq!(free, 22);
    }
}
