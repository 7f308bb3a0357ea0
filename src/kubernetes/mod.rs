//! The platform side: the kinds of `servicecatalog.k8s.io` and the controller that serves them over [`crate::osb_client`].

pub mod api;
mod finalizer;
mod names;
mod scope;
mod selector;
mod write;
