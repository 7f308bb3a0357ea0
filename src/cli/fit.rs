//! Holds the administrator's file against the catalog that is served with it: neither can be checked for this alone.

use crate::catalog::Catalog;
use crate::policy::{Offered, Policy, Problem};

/// What looks wrong in the file, alone and with this catalog.
pub fn warnings(policy: &Policy, catalog: &Catalog) -> Vec<Problem> {
    let offered: Vec<Offered<'_>> = catalog
        .offerings()
        .iter()
        .map(|revision| {
            let file = revision.offering();
            let parameters = || file.parameters.iter().chain(&file.bind_parameters);
            Offered {
                name: revision.name(),
                plans: revision.plans().iter().map(|plan| plan.name()).collect(),
                parameters: parameters().map(|(name, _)| name.as_str()).collect(),
                references: parameters().filter_map(|(_, parameter)| parameter.reference.as_deref()).collect(),
            }
        })
        .collect();
    let unmet = if offered.is_empty() { Vec::new() } else { policy.unmet(&offered) };
    policy.warnings().iter().cloned().chain(unmet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that people copy must mean something with the offerings that they get.
    #[tokio::test]
    async fn the_documented_example_fits_the_catalog() {
        let sessions = crate::aws::Sessions::load(crate::aws::Settings::default()).await.unwrap();
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog");
        let catalog = Catalog::load(&directory, &super::super::registry(&sessions)).unwrap();
        let page = include_str!("../../docs/POLICY.md");
        let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(warnings(&Policy::parse("example", example).unwrap(), &catalog), []);
        let misspelt = example.replace("offering: s3-bucket", "offering: s3-buckett");
        assert_ne!(warnings(&Policy::parse("example", &misspelt).unwrap(), &catalog), []);
    }
}
