//! Secrets at rest: envelope encryption under a ring of keys that a master key wraps.
//!
//! ```text
//! master key (file, KMS)  --wraps-->  ring keys (table ring_key)   --wrap-->  data keys (one per value)  --seal-->  value
//! ```
//!
//! What this module guarantees:
//!
//! - Every value has its own random 256-bit data key; all three layers are authenticated (AES-256-GCM by aws-lc-rs).
//! - The master key is asked at start and at rotation only. [`Vault::seal`] and [`Vault::unseal`] are pure CPU,
//!   microseconds: no I/O, nothing to await, so they may stand on a request path and inside a transaction.
//! - A value is bound to its [`Place`]: moved to another table, row or column it does not open.
//! - A changed, cut or foreign value is an [`Error`], never a panic and never wrong plain text.
//! - Neither `Debug` nor an error shows a value or a key; keys and what [`Vault::unseal`] gives are wiped when dropped.
//!
//! **Rotation.** [`Vault::new_key`] makes a ring key; its row is inserted, not active. Every replica [`add`](Vault::add)s
//! it and says so in its heartbeat. Once all of them hold it, it is [`activate`](Vault::activate)d: new values are sealed
//! under it, old ones open under theirs until [`Vault::reseal`] has moved them. Resealing wraps the value's data key again
//! and leaves the cipher text alone. A ring key may wrap 2^32 data keys before random nonces come too close
//! (NIST SP 800-38D, 8.3); rotate long before.

mod envelope;
mod error;
mod key;
mod master;
mod ring;
mod sealed;
mod split;

pub use error::Error;
pub use key::KeyBytes;
pub use master::{FileMasterKey, MasterKey};
pub use ring::{RingKey, Vault};
pub use sealed::{Place, Sealed};
pub use secrecy::{ExposeSecret, SecretString};
pub use split::{MissingSecret, join, split};
pub use zeroize::Zeroizing;
