//! The finalizer: put once, and never put back.
//!
//! `svcat … --abandon` removes it and then deletes the object, in two requests. A controller that put it back in between
//! would make the delete an ordinary one, and delete at the broker what the user wanted to keep. So it is put **before the
//! first call to the broker and at no other time**; who calls [`put`] decides by the status that none has been made.

use std::fmt::Debug;

use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api::FINALIZER;
use super::write::{self, Error};

/// Whether it is there.
pub fn is_put(object: &impl ResourceExt) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Puts it. Gives the object as it is now.
pub async fn put<K>(api: &Api<K>, object: &K) -> Result<K, Error>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize,
{
    let mut wanted = object.clone();
    if !is_put(object) {
        wanted.finalizers_mut().push(FINALIZER.to_owned());
    }
    write::object(api, object, &wanted).await
}

/// Takes it away: the object may go. One that is gone already is as good.
pub async fn take<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize,
{
    let mut wanted = object.clone();
    wanted.finalizers_mut().retain(|finalizer| finalizer != FINALIZER);
    match write::object(api, object, &wanted).await {
        Err(error) if error.is_gone() => Ok(()),
        other => other.map(drop),
    }
}
