//! The master key: it wraps ring keys and nothing else, so it is asked at start and at rotation only.

use std::path::Path;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::envelope::Cipher;
use super::{Error, KeyBytes};

/// What wraps the keys of the ring: a file here, KMS in `aws`.
#[async_trait]
pub trait MasterKey: Send + Sync {
    /// Which key this is, stable and not secret: it stands in the row of every ring key that it wraps.
    fn id(&self) -> String;

    /// Encrypts a ring key. `aad` is printable ASCII and must be given to [`MasterKey::unwrap`] again.
    async fn wrap(&self, plain: &KeyBytes, aad: &[u8]) -> Result<Vec<u8>, Error>;

    /// Decrypts a ring key.
    async fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<KeyBytes, Error>;
}

/// A master key in a file (a mounted Kubernetes Secret): base64 of 32 random bytes, white space around it allowed.
pub struct FileMasterKey {
    id: String,
    cipher: Cipher,
}

const ADVICE: &str =
    "it must hold the base64 of 32 random bytes: `chandlery keys generate` or `openssl rand -base64 32` makes one";

impl FileMasterKey {
    /// Reads the file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
            // A file of raw bytes is the usual mistake; the library's own message would not say what is wanted.
            let message = match error.kind() {
                std::io::ErrorKind::InvalidData => format!("the file is not text; {ADVICE}"),
                _ => format!("the file cannot be read: {error}"),
            };
            Error::master(&file, message)
        })?;
        Self::from_base64(&text).map_err(|message| Error::master(&file, message))
    }

    /// From the content of such a file. The error is a sentence.
    pub fn from_base64(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("the file is empty; {ADVICE}"));
        }
        let bytes =
            STANDARD.decode(text).map(Zeroizing::new).map_err(|_| format!("the file is not base64; {ADVICE}"))?;
        let key = KeyBytes::from_slice(&bytes)
            .ok_or_else(|| format!("the file holds {} bytes after decoding; {ADVICE}", bytes.len()))?;
        if key.expose().iter().all(|byte| *byte == key.expose()[0]) {
            return Err(format!("all bytes of the key are the same, so it is not a random one; {ADVICE}"));
        }
        Self::from_key(&key).map_err(|error| error.to_string())
    }

    /// From the key itself.
    pub fn from_key(key: &KeyBytes) -> Result<Self, Error> {
        // The id is a MAC under the key: it tells keys apart and tells nothing about them.
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), b"chandlery master key id");
        let id = format!("file:{}", data_encoding::HEXLOWER.encode(&mac.as_ref()[..8]));
        Ok(Self { id, cipher: Cipher::new(key)? })
    }

    /// The content of a new key file.
    pub fn generate() -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(STANDARD.encode(KeyBytes::random()?.expose())))
    }
}

impl std::fmt::Debug for FileMasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FileMasterKey").field(&self.id).finish()
    }
}

#[async_trait]
impl MasterKey for FileMasterKey {
    fn id(&self) -> String {
        self.id.clone()
    }

    async fn wrap(&self, plain: &KeyBytes, aad: &[u8]) -> Result<Vec<u8>, Error> {
        let mut wrapped = Vec::new();
        self.cipher.seal_into(&mut wrapped, plain.expose(), aad)?;
        Ok(wrapped)
    }

    async fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<KeyBytes, Error> {
        self.cipher
            .open(wrapped, aad)
            .and_then(|plain| KeyBytes::from_slice(&plain))
            .ok_or_else(|| Error::master(&self.id, "the ring key does not unwrap: its row was changed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_that_is_wrong_says_what_would_be_right() {
        for (text, reason) in [
            ("", "empty"),
            ("not base64!", "not base64"),
            ("c2hvcnQ=", "5 bytes"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "all bytes"),
        ] {
            let error = FileMasterKey::from_base64(text).unwrap_err();
            assert!(error.contains(reason) && error.contains("base64 of 32 random bytes"), "{error}");
        }
        assert!(FileMasterKey::load(Path::new("/nonexistent")).unwrap_err().to_string().contains("/nonexistent"));
    }

    #[test]
    fn an_id_is_stable_and_tells_keys_apart() {
        let (one, other) = (FileMasterKey::generate().unwrap(), FileMasterKey::generate().unwrap());
        let id = |text: &str| FileMasterKey::from_base64(&format!("{text}\n")).unwrap().id();
        assert_eq!(id(&one), id(&one));
        assert_ne!(id(&one), id(&other));
    }
}
