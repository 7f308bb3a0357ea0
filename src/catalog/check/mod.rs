//! What must hold of an offering beyond its structure.

use crate::driver::Registry;

use super::located::Located;
use super::problem::Problem;
use super::revision::Revision;

/// Everything that can be told without evaluating anything.
pub(super) fn facts(_revision: &Revision, _registry: &Registry, _located: &Located, _problems: &mut Vec<Problem>) {}

/// Every plan, evaluated.
pub(super) fn plans(_revision: &Revision, _registry: &Registry, _located: &Located, _problems: &mut Vec<Problem>) {}
