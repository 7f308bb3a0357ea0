//! A request's parameters: references resolved, sealed for their row.

use serde_json::{Map, Value};

use super::order::Ordered;
use super::{Broker, broken};
use crate::catalog::{Given, Names, OutputMap, Refusal, Resolved, Revision, Verb};
use crate::osb::{Aftermath, Error, InstanceId, PlatformName, Uid};
use crate::policy::Terms;
use crate::store::instance::Instance;
use crate::store::{self, PgConnection, ResourceState};
use crate::vault::{Place, Sealed};

/// The user's parameter that chooses a target, where the administrator lets them. It is no offering's own.
pub(super) const TARGET: &str = "target";

/// Whose instances a reference may name.
pub(super) struct Owner<'a> {
    pub platform: &'a PlatformName,
    pub organization: &'a str,
    pub space: &'a str,
    /// The target of what is ordered: AWS connects hardly anything across accounts and regions.
    pub target: &'a Value,
}

impl<'a> Owner<'a> {
    /// Whoever owns that instance.
    pub(super) fn of(instance: &'a Instance) -> Self {
        Self {
            platform: &instance.platform,
            organization: &instance.organization,
            space: &instance.space,
            target: &instance.target,
        }
    }
}

/// Takes the chosen target out of a request's parameters, unless the offering has a parameter of that name.
pub(super) fn take_target(revision: &Revision, parameters: &mut Map<String, Value>) -> Result<Option<String>, Error> {
    if revision.offering().parameters.contains_key(TARGET) {
        return Ok(None);
    }
    match parameters.remove(TARGET) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(_) => Err(Error::bad_request("target must be a string: the name of a target.")),
    }
}

/// All refusals in one sentence each.
pub(super) fn refused(refusals: &[Refusal]) -> Error {
    let mut sentences: Vec<&str> = refusals.iter().map(|refusal| refusal.message.as_str()).collect();
    // A value of the wrong type is often outside an enumeration as well.
    sentences.dedup();
    Error::bad_request(sentences.join(" "))
}

impl Broker {
    /// Opens a `parameters` column.
    pub(super) fn open(&self, place: &Place, sealed: &Sealed) -> Result<Given, Error> {
        self.vault().unseal_json(place, sealed).map_err(|error| broken("stored parameters do not open", &error))
    }

    /// Seals for a `parameters` column.
    pub(super) fn seal(&self, place: &Place, given: &Given) -> Result<Sealed, Error> {
        self.vault().seal_json(place, given).map_err(|error| broken("parameters could not be sealed", &error))
    }

    /// Resolves the parameters that name an existing thing: an instance of the same owner, or something the administrator
    /// allows. Nothing else, so that nobody borrows the broker's power. Only those that the `request` sets: what was granted
    /// before stays, so that an update of something else does not fail for it.
    pub(super) async fn resolve(
        &self,
        revision: &Revision,
        verb: Verb,
        given: &mut Given,
        request: &Map<String, Value>,
        terms: &Terms,
        owner: &Owner<'_>,
    ) -> Result<(), Error> {
        let (set, resolved) = (&given.given, &mut given.resolved);
        resolved.retain(|name, _| set.contains_key(name) && !request.contains_key(name));
        for (name, reference) in revision.references(verb).filter(|(name, _)| request.contains_key(*name)) {
            let Some(Value::String(value)) = given.given.get(name) else { continue };
            match self.provided(reference, value, owner).await? {
                Some(provided) => drop(given.resolved.insert(name.to_owned(), provided)),
                None if terms.allows(reference, value) => {}
                None => {
                    return Err(Error::bad_request(format!(
                        "{name} names no instance of yours in the same account and region that provides a {reference}, and nothing \
                         that the administrator allows."
                    )));
                }
            }
        }
        Ok(())
    }

    /// What an instance of the same owner provides for references of that sort.
    async fn provided(&self, reference: &str, id: &str, owner: &Owner<'_>) -> Result<Option<Resolved>, Error> {
        let found = store::instance::find(self.singles(), owner.platform, &InstanceId::from(id)).await?;
        let same = |instance: &Instance| {
            instance.organization == owner.organization
                && instance.space == owner.space
                && ["account", "region"].iter().all(|word| instance.target.get(word) == owner.target.get(word))
                && instance.state == store::State::Ready
        };
        let Some(instance) = found.filter(same) else { return Ok(None) };
        let ordered = self.plan_of(&instance).await?;
        let names = self.names_of(&instance, &ordered)?;
        let outputs = self.public_outputs(instance.uid).await?;
        let mut provided = (ordered.revision.provides(&names, &outputs))
            .map_err(|error| broken("what an instance provides cannot be evaluated", &error))?;
        Ok(provided.remove(reference).map(|value| Resolved { value, instance: instance.uid }))
    }

    /// Keeps what an accepted request refers to from being deleted until the transaction ends that writes it.
    pub(super) async fn hold(&self, db: &mut PgConnection, refers_to: &[Uid]) -> Result<(), Error> {
        match store::reference::hold(db, refers_to).await? {
            true => Ok(()),
            false => Err(Error::bad_request("An instance that the parameters name is being deleted.")),
        }
    }

    /// Refuses a change after which an instance would provide no more, or something else, of what others may have from it.
    pub(super) async fn check_provided(
        &self,
        instance: &Instance,
        (current, now): (&Ordered, &Names),
        (wanted, then): (&Ordered, &Names),
        outputs: &OutputMap,
    ) -> Result<(), Error> {
        let before = current.revision.provides(now, outputs);
        // What hangs on an output that does not exist yet is judged by those who refer to it.
        let (Ok(before), Ok(after)) = (before, wanted.revision.provides(then, outputs)) else { return Ok(()) };
        let Some((lost, _)) = before.iter().find(|(reference, value)| after.get(*reference) != Some(value)) else {
            return Ok(());
        };
        let referrers = store::reference::referrers(self.singles(), instance.uid).await?;
        if referrers.is_empty() {
            return Ok(());
        }
        Err(Error::unprocessable_with(
            format!(
                "This instance would no longer be a {lost} as it is; other instances refer to it: {}.",
                referrers.join(", ")
            ),
            Aftermath::Update { instance_usable: true, update_repeatable: true },
        ))
    }

    /// The outputs of an instance's ready resources, without the secret ones.
    pub(super) async fn public_outputs(&self, owner: Uid) -> Result<OutputMap, Error> {
        let rows = store::resource::of_owner(self.singles(), owner).await?;
        let ready = rows.into_iter().filter(|row| matches!(row.state, ResourceState::Ready | ResourceState::Updating));
        Ok(ready
            .filter_map(|row| match row.outputs {
                Some(Value::Object(outputs)) => Some((row.key, outputs)),
                _ => None,
            })
            .collect())
    }
}
