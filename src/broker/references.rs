//! Parameters that name an existing thing: an instance of the same owner, or something the administrator allows. Nothing else,
//! so that nobody borrows the broker's power.
//!
//! What this guarantees: what an accepted request refers to is there, and stays what it is, for as long as the one who refers
//! does. An instance that is deleted or changed asks for its referrers under a lock ([`store::reference`]); who begins to
//! refer asks again, under a lock that the other one waits for.

use serde_json::{Map, Value};

use super::order::Ordered;
use super::{Broker, broken};
use crate::catalog::{EvalError, Given};
use crate::catalog::{Names, OutputMap, Resolved, Revision, Verb};
use crate::osb::{Aftermath, Error, InstanceId, PlatformName, Uid};
use crate::policy::Terms;
use crate::store::instance::Instance;
use crate::store::{self, OperationKind, PgConnection, Phase};

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

/// Parameters that are about to be accepted.
pub(super) struct Referring<'a> {
    pub revision: &'a Revision,
    pub verb: Verb,
    pub given: &'a Given,
    pub owner: Owner<'a>,
}

impl Broker {
    /// Resolves the parameters that name an existing thing. Only those that the `request` sets: what was granted before stays,
    /// so that an update of something else does not fail for it.
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
                None => return Err(unprovided(name, reference)),
            }
        }
        Ok(())
    }

    /// Keeps what accepted parameters refer to from being deleted or changed until the transaction ends that writes them. Only
    /// `new` instances: to the others they refer already.
    pub(super) async fn hold(
        &self,
        db: &mut PgConnection,
        referring: &Referring<'_>,
        new: &[Uid],
    ) -> Result<(), Error> {
        if new.is_empty() {
            return Ok(());
        }
        store::reference::hold(db, new).await?;
        // Whoever deleted or changed one of them before we held it has committed, so a fresh look sees it.
        let Referring { revision, verb, given, owner } = referring;
        for (name, reference) in revision.references(*verb) {
            let (Some(resolved), Some(Value::String(id))) = (given.resolved.get(name), given.given.get(name)) else {
                continue;
            };
            if new.contains(&resolved.instance) && self.provided(reference, id, owner).await?.as_ref() != Some(resolved)
            {
                return Err(unprovided(name, reference));
            }
        }
        Ok(())
    }

    /// What an instance of the same owner provides for references of that sort, now and after the update that runs.
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
        let Some(value) = provided.remove(reference) else { return Ok(None) };
        let stays = match self.provided_soon(&instance, &outputs).await? {
            Some(then) => then.get(reference) == Some(&value),
            None => true,
        };
        Ok(stays.then_some(Resolved { value, instance: instance.uid }))
    }

    /// What an instance will provide once the update that runs has succeeded. None: no update runs, or it hangs on an output
    /// that does not exist yet.
    async fn provided_soon(
        &self,
        instance: &Instance,
        outputs: &OutputMap,
    ) -> Result<Option<Map<String, Value>>, Error> {
        let live = store::operation::live(self.singles(), instance.uid).await?;
        let Some(live) = live.filter(|live| live.kind == OperationKind::Update && live.phase != Phase::Undo) else {
            return Ok(None);
        };
        let aimed = self.aimed(instance, &live).await?;
        Ok(aimed.ordered.revision.provides(&aimed.names, outputs).ok())
    }

    /// Refuses a change after which an instance would provide no more, or something else, of what others may have from it. From
    /// now on, until the transaction ends, nobody begins to refer to it.
    pub(super) async fn check_provided(
        &self,
        db: &mut PgConnection,
        instance: &Instance,
        (current, now): (&Ordered, &Names),
        (wanted, then): (&Ordered, &Names),
        outputs: &OutputMap,
    ) -> Result<(), Error> {
        let provides = |ordered: &Ordered, names: &Names| -> Result<Map<String, Value>, EvalError> {
            ordered.revision.provides(names, outputs)
        };
        // What hangs on an output that does not exist yet is judged by those who refer to it.
        let (Ok(before), Ok(after)) = (provides(current, now), provides(wanted, then)) else { return Ok(()) };
        let Some((lost, _)) = before.iter().find(|(reference, value)| after.get(*reference) != Some(value)) else {
            return Ok(());
        };
        let referrers = store::reference::locked_referrers(db, instance.uid).await?;
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
}

fn unprovided(name: &str, reference: &str) -> Error {
    Error::bad_request(format!(
        "{name} names no instance of yours in the same account and region that provides a {reference}, and nothing that the \
         administrator allows."
    ))
}
