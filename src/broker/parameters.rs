//! A request's parameters: opened and sealed for their row, refused in sentences.

use serde_json::{Map, Value};

use super::{Broker, broken};
use crate::catalog::{Given, OutputMap, Refusal, Revision};
use crate::osb::{Error, Uid};
use crate::store::{self, ResourceState};
use crate::vault::{Place, Sealed};

/// The user's parameter that chooses a target, where the administrator lets them. It is no offering's own.
pub(super) const TARGET: &str = "target";

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
