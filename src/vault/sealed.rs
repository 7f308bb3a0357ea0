//! The stored form of a sealed value, and the place that it is bound to.

use std::fmt;

use super::envelope::OVERHEAD;
use super::{Error, KeyBytes};
use crate::osb::Uid;

/// Where a sealed value is kept. It is authenticated with the value: at any other place the value does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The table.
    pub table: &'static str,
    /// The row's own identity.
    pub row: Uid,
    /// The column.
    pub column: &'static str,
}

impl Place {
    /// The place `table.column` of the row `row`.
    pub fn new(table: &'static str, row: Uid, column: &'static str) -> Self {
        Self { table, row, column }
    }

    /// The associated data for one use. The names are ours and the row is of fixed length, so a zero byte separates them.
    fn aad(&self, what: &str) -> Vec<u8> {
        let mut aad = Vec::with_capacity(96);
        for part in [what.as_bytes(), self.table.as_bytes(), self.column.as_bytes()] {
            aad.extend_from_slice(part);
            aad.push(0);
        }
        aad.extend_from_slice(self.row.uuid().as_bytes());
        aad
    }

    /// What a value is sealed with. The ring key is not in it, so a reseal leaves the cipher text alone.
    pub(super) fn value_aad(&self) -> Vec<u8> {
        self.aad("chandlery value v1")
    }

    /// What its data key is wrapped with.
    pub(super) fn data_key_aad(&self, key: Uid) -> Vec<u8> {
        let mut aad = self.aad("chandlery data key v1");
        aad.extend_from_slice(key.uuid().as_bytes());
        aad
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of {}", self.table, self.column, self.row)
    }
}

/// A sealed value as a row holds it.
///
/// | bytes | what |
/// |---|---|
/// | 1 | the version of this format, 1 |
/// | 16 | the ring key's id |
/// | 60 | the data key: nonce, 32 bytes, tag |
/// | 28 + n | the value: nonce, n bytes, tag |
///
/// Version and key id keep their places in every version, so SQL may count what a key still holds:
/// `substring(column from 2 for 16) = uuid_send(id)`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

const VERSION: u8 = 1;
const KEY_ID: usize = 1;
const DATA_KEY: usize = KEY_ID + 16;
const VALUE: usize = DATA_KEY + KeyBytes::LENGTH + OVERHEAD;

/// The parts of a well-formed value.
pub(super) struct Parts<'a> {
    pub(super) key: Uid,
    pub(super) data_key: &'a [u8],
    pub(super) value: &'a [u8],
}

impl Sealed {
    /// As read from a column; what it is worth shows when it is unsealed.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As written to a column.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes themselves.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The ring key it is sealed under; `None` if it is no sealed value.
    pub fn key_id(&self) -> Option<Uid> {
        let bytes: [u8; 16] = self.0.get(KEY_ID..DATA_KEY)?.try_into().ok()?;
        Some(uuid::Uuid::from_bytes(bytes).into())
    }

    /// Begins a value: everything up to the data key.
    pub(super) fn header(key: Uid, capacity: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(VALUE + OVERHEAD + capacity);
        bytes.push(VERSION);
        bytes.extend_from_slice(key.uuid().as_bytes());
        bytes
    }

    pub(super) fn parts(&self, place: &Place) -> Result<Parts<'_>, Error> {
        let malformed = |reason| Error::Malformed { place: *place, reason };
        match self.0.first() {
            None => return Err(malformed("it is empty")),
            Some(&VERSION) => {}
            Some(_) => return Err(malformed("its format is of a version that this broker does not know")),
        }
        if self.0.len() < VALUE + OVERHEAD {
            return Err(malformed("it is too short"));
        }
        let key = self.key_id().ok_or_else(|| malformed("it is too short"))?;
        Ok(Parts { key, data_key: &self.0[DATA_KEY..VALUE], value: &self.0[VALUE..] })
    }
}

impl From<Vec<u8>> for Sealed {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes", self.0.len())?;
        if let Some(key) = self.key_id() {
            write!(f, ", key {key}")?;
        }
        f.write_str(")")
    }
}
