//! One layer of the envelope: AES-256-GCM with a random nonce, `nonce ‖ cipher text ‖ tag`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::{Error, KeyBytes};

/// How much longer a sealed text is than its plain text: 12 bytes of nonce before it, 16 of tag behind it.
pub(super) const OVERHEAD: usize = NONCE + 16;
const NONCE: usize = 12;

/// A key ready for use; it lives inside the library, which wipes it.
pub(super) struct Cipher(RandomizedNonceKey);

impl Cipher {
    pub(super) fn new(key: &KeyBytes) -> Result<Self, Error> {
        RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map(Self).map_err(|_| Error::Library("take a key"))
    }

    /// Appends the sealed form of `plain` to `out`.
    pub(super) fn seal_into(&self, out: &mut Vec<u8>, plain: &[u8], aad: &[u8]) -> Result<(), Error> {
        let start = out.len();
        out.reserve(plain.len() + OVERHEAD);
        out.extend_from_slice(&[0; NONCE]);
        out.extend_from_slice(plain);
        let sealed = self.0.seal_in_place_separate_tag(Aad::from(aad), &mut out[start + NONCE..]);
        let Ok((nonce, tag)) = sealed else {
            out.truncate(start);
            return Err(Error::Library("encrypt"));
        };
        out[start..start + NONCE].copy_from_slice(nonce.as_ref());
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// The plain text; `None` if the text is not what this key sealed with the same associated data.
    pub(super) fn open(&self, sealed: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if sealed.len() < OVERHEAD {
            return None;
        }
        let (nonce, text) = sealed.split_at(NONCE);
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = Zeroizing::new(text.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(aad), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}
