//! 256 bits that are a key.

use std::fmt;

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::Error;

/// A 256-bit key in the clear. Wiped when dropped; `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyBytes(Zeroizing<[u8; 32]>);

impl KeyBytes {
    /// The length in bytes.
    pub const LENGTH: usize = 32;

    /// A new random one.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        rand::fill(bytes.as_mut()).map_err(|_| Error::Library("make a random key"))?;
        Ok(Self(bytes))
    }

    /// From bytes, if they are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LENGTH {
            return None;
        }
        let mut key = Zeroizing::new([0; Self::LENGTH]);
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// The key itself.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes(…)")
    }
}
