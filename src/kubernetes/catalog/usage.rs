//! Which instances use a class, a plan, or anything of a broker.

use kube::ResourceExt;
use kube::api::ListParams;

use crate::kubernetes::api::ServiceInstance;
use crate::kubernetes::context::Context;
use crate::kubernetes::scope::Object;

/// Instances, named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users(pub Vec<String>);

impl Users {
    /// Their names, a few of them if they are many.
    pub fn sentence(&self) -> String {
        const SHOWN: usize = 5;
        let shown = self.0.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        match self.0.len().saturating_sub(SHOWN) {
            0 => shown,
            more => format!("{shown} and {more} more"),
        }
    }
}

/// The instances that fit. What the watch has seen is enough to say that there are some; that there are none, the API
/// server alone can say.
pub async fn users(
    context: &Context,
    namespace: Option<&str>,
    fits: impl Fn(&ServiceInstance) -> bool,
) -> Result<Users, kube::Error> {
    let here = |instance: &ServiceInstance| namespace.is_none() || instance.metadata.namespace.as_deref() == namespace;
    let seen = context.seen.instances.find(|instance| here(instance) && fits(instance));
    let mut named: Vec<String> = seen.iter().map(|instance| named(instance)).collect();
    if named.is_empty() {
        named = asked(context, namespace, &fits).await?;
    }
    named.sort();
    Ok(Users(named))
}

async fn asked(
    context: &Context,
    namespace: Option<&str>,
    fits: &impl Fn(&ServiceInstance) -> bool,
) -> Result<Vec<String>, kube::Error> {
    let limits = &context.settings.cluster.namespaces;
    let places: Vec<Option<&str>> = match namespace {
        Some(_) => vec![namespace],
        None if limits.is_empty() => vec![None],
        None => limits.iter().map(|limit| Some(limit.as_str())).collect(),
    };
    let mut found = Vec::new();
    for place in places {
        let api = ServiceInstance::api(context.client.clone(), place);
        let mut page = ListParams::default().limit(500);
        loop {
            let list = api.list(&page).await?;
            found.extend(list.items.iter().filter(|instance| fits(instance)).map(named));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(found)
}

fn named(instance: &ServiceInstance) -> String {
    format!("{}/{}", instance.namespace().unwrap_or_default(), instance.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_users_are_named_in_one_sentence() {
        let users = |n: usize| Users((0..n).map(|n| format!("a/{n}")).collect()).sentence();
        assert_eq!(users(2), "a/0, a/1");
        assert_eq!(users(8), "a/0, a/1, a/2, a/3, a/4 and 3 more");
    }
}
