//! The ring of keys in the clear, and what is done with it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::envelope::Cipher;
use super::{Error, KeyBytes, MasterKey, Place, Sealed};
use crate::osb::Uid;

/// A key of the ring as its row holds it, wrapped by the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingKey {
    /// Its identity.
    pub id: Uid,
    /// The key, wrapped.
    pub wrapped: Vec<u8>,
    /// Which master key wrapped it ([`MasterKey::id`]).
    pub master: String,
    /// New values are sealed under this one.
    pub active: bool,
}

impl RingKey {
    /// The same key wrapped by another master key: how a master key is exchanged.
    pub async fn rewrap(&self, from: &dyn MasterKey, to: &dyn MasterKey) -> Result<Self, Error> {
        let plain = self.unwrap(from).await?;
        let wrapped = to.wrap(&plain, &Self::aad(self.id)).await?;
        Ok(Self { wrapped, master: to.id(), ..self.clone() })
    }

    async fn unwrap(&self, master: &dyn MasterKey) -> Result<KeyBytes, Error> {
        if self.master != master.id() {
            return Err(Error::OtherMaster { key: self.id, wrapped_by: self.master.clone(), given: master.id() });
        }
        master.unwrap(&self.wrapped, &Self::aad(self.id)).await
    }

    /// Bound to its id, so that two rows of the ring cannot change places.
    fn aad(id: Uid) -> Vec<u8> {
        format!("chandlery ring key v1 {id}").into_bytes()
    }
}

/// Seals and unseals. A clone is the same vault.
#[derive(Clone)]
pub struct Vault(Arc<RwLock<Arc<Ring>>>);

#[derive(Clone)]
struct Ring {
    keys: BTreeMap<Uid, Arc<Cipher>>,
    active: Uid,
}

impl Ring {
    fn key(&self, id: Uid) -> Result<&Cipher, Error> {
        self.keys.get(&id).map(AsRef::as_ref).ok_or(Error::UnknownKey(id))
    }
}

impl Vault {
    /// Unwraps every key of the ring; exactly one must be active.
    pub async fn open(master: &dyn MasterKey, ring: Vec<RingKey>) -> Result<Self, Error> {
        let mut active = ring.iter().filter(|key| key.active).map(|key| key.id);
        let (Some(active), None) = (active.next(), active.next()) else {
            return Err(Error::ActiveKeys(ring.iter().filter(|key| key.active).count()));
        };
        let mut keys = BTreeMap::new();
        for key in &ring {
            keys.insert(key.id, Arc::new(Cipher::new(&key.unwrap(master).await?)?));
        }
        Ok(Self(Arc::new(RwLock::new(Arc::new(Ring { keys, active })))))
    }

    /// A new ring key for the table, not active.
    pub async fn new_key(master: &dyn MasterKey) -> Result<RingKey, Error> {
        let id = Uid::random();
        let wrapped = master.wrap(&KeyBytes::random()?, &RingKey::aad(id)).await?;
        Ok(RingKey { id, wrapped, master: master.id(), active: false })
    }

    /// Takes one more key into the ring; what it says about being active is not looked at. One that is held is left alone.
    pub async fn add(&self, master: &dyn MasterKey, key: &RingKey) -> Result<(), Error> {
        if self.holds(key.id) {
            return Ok(());
        }
        let cipher = Arc::new(Cipher::new(&key.unwrap(master).await?)?);
        self.change(|ring| {
            ring.keys.insert(key.id, cipher);
            Ok(())
        })
    }

    /// Seals under this key from now on. Only once every replica holds it, or they could not open what this one seals.
    pub fn activate(&self, id: Uid) -> Result<(), Error> {
        self.change(|ring| {
            ring.key(id)?;
            ring.active = id;
            Ok(())
        })
    }

    /// Drops a key that no row needs any more.
    pub fn forget(&self, id: Uid) -> Result<(), Error> {
        self.change(|ring| {
            if ring.active == id {
                return Err(Error::StillActive(id));
            }
            ring.keys.remove(&id);
            Ok(())
        })
    }

    /// Whether the ring has this key.
    pub fn holds(&self, id: Uid) -> bool {
        self.ring().keys.contains_key(&id)
    }

    /// The ids of all keys of the ring, for the heartbeat.
    pub fn held(&self) -> Vec<Uid> {
        self.ring().keys.keys().copied().collect()
    }

    /// The key that new values are sealed under.
    pub fn active(&self) -> Uid {
        self.ring().active
    }

    /// Seals a value for its place, under the active key.
    pub fn seal(&self, place: &Place, plain: &[u8]) -> Result<Sealed, Error> {
        let ring = self.ring();
        let data_key = KeyBytes::random()?;
        let mut bytes = Sealed::header(ring.active, plain.len());
        ring.key(ring.active)?.seal_into(&mut bytes, data_key.expose(), &place.data_key_aad(ring.active))?;
        Cipher::new(&data_key)?.seal_into(&mut bytes, plain, &place.value_aad())?;
        Ok(Sealed::from_bytes(bytes))
    }

    /// Opens a value at its place.
    pub fn unseal(&self, place: &Place, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Error> {
        let parts = sealed.parts(place)?;
        let ring = self.ring();
        ring.key(parts.key)?
            .open(parts.data_key, &place.data_key_aad(parts.key))
            .and_then(|data_key| KeyBytes::from_slice(&data_key))
            .and_then(|data_key| Cipher::new(&data_key).ok())
            .and_then(|data_key| data_key.open(parts.value, &place.value_aad()))
            .ok_or(Error::Unopened { place: *place })
    }

    /// The same value under the active key; `None` if it is already. Its data key is wrapped again, the rest is copied.
    pub fn reseal(&self, place: &Place, sealed: &Sealed) -> Result<Option<Sealed>, Error> {
        let parts = sealed.parts(place)?;
        let ring = self.ring();
        if parts.key == ring.active {
            return Ok(None);
        }
        let data_key = ring
            .key(parts.key)?
            .open(parts.data_key, &place.data_key_aad(parts.key))
            .ok_or(Error::Unopened { place: *place })?;
        let mut bytes = Sealed::header(ring.active, parts.value.len());
        ring.key(ring.active)?.seal_into(&mut bytes, &data_key, &place.data_key_aad(ring.active))?;
        bytes.extend_from_slice(parts.value);
        Ok(Some(Sealed::from_bytes(bytes)))
    }

    /// Seals something as JSON.
    pub fn seal_json<T: Serialize + ?Sized>(&self, place: &Place, value: &T) -> Result<Sealed, Error> {
        let text = serde_json::to_vec(value).map(Zeroizing::new).map_err(|_| Error::Form { place: *place })?;
        self.seal(place, &text)
    }

    /// Opens what [`Vault::seal_json`] sealed. The error does not quote serde's, which quotes values.
    pub fn unseal_json<T: DeserializeOwned>(&self, place: &Place, sealed: &Sealed) -> Result<T, Error> {
        let text = self.unseal(place, sealed)?;
        serde_json::from_slice(&text).map_err(|_| Error::Form { place: *place })
    }

    /// The ring of this moment. The lock is held for a reference count only.
    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Ring) -> Result<(), Error>) -> Result<(), Error> {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut ring = Ring::clone(&held);
        change(&mut ring)?;
        *held = Arc::new(ring);
        Ok(())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.ring();
        f.debug_struct("Vault").field("keys", &ring.keys.keys()).field("active", &ring.active).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::vault::FileMasterKey;

    static MASTER: LazyLock<FileMasterKey> =
        LazyLock::new(|| FileMasterKey::from_base64(&FileMasterKey::generate().unwrap()).unwrap());

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn new_key() -> RingKey {
        block_on(Vault::new_key(&*MASTER)).unwrap()
    }

    fn vault() -> Vault {
        block_on(Vault::open(&*MASTER, vec![RingKey { active: true, ..new_key() }])).unwrap()
    }

    fn place() -> Place {
        Place::new("binding", Uid::random(), "credentials")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_value_opens_at_its_place_and_nowhere_else(plain in prop::collection::vec(any::<u8>(), 0..300)) {
            let (vault, here) = (vault(), place());
            let sealed = vault.seal(&here, &plain).unwrap();
            prop_assert_eq!(sealed.as_bytes().len(), plain.len() + 105);
            prop_assert_eq!(sealed.key_id(), Some(vault.active()));
            prop_assert_eq!(&*vault.unseal(&here, &sealed).unwrap(), &plain);
            for other in [
                Place { row: Uid::random(), ..here },
                Place { column: "parameters", ..here },
                Place { table: "instance", ..here },
                Place { table: "bindingcredentials", column: "", ..here },
            ] {
                prop_assert_eq!(vault.unseal(&other, &sealed), Err(Error::Unopened { place: other }));
            }
        }

        #[test]
        fn a_flipped_bit_anywhere_is_noticed(plain in prop::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let (vault, here) = (vault(), place());
            let mut bytes = vault.seal(&here, &plain).unwrap().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(vault.unseal(&here, &Sealed::from_bytes(bytes)).is_err());
        }

        #[test]
        fn any_bytes_are_an_error_and_never_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..140), ours: bool) {
            let vault = vault();
            if ours && bytes.len() > 17 {
                bytes[0] = 1;
                bytes[1..17].copy_from_slice(vault.active().uuid().as_bytes());
            }
            let sealed = Sealed::from_bytes(bytes);
            prop_assert!(vault.unseal(&place(), &sealed).is_err());
            let _ = (vault.reseal(&place(), &sealed), format!("{sealed:?}"));
        }
    }

    #[test]
    fn every_cut_of_a_value_is_an_error() {
        let (vault, here) = (vault(), place());
        let bytes = vault.seal(&here, b"value").unwrap().into_bytes();
        for length in 0..bytes.len() {
            assert!(vault.unseal(&here, &Sealed::from_bytes(bytes[..length].to_vec())).is_err(), "{length}");
        }
    }

    #[test]
    fn the_same_value_is_never_sealed_to_the_same_bytes() {
        let (vault, here) = (vault(), place());
        assert_ne!(vault.seal(&here, b"value").unwrap(), vault.seal(&here, b"value").unwrap());
    }

    #[test]
    fn another_ring_does_not_open_it() {
        let (vault, stranger, here) = (vault(), vault(), place());
        let sealed = vault.seal(&here, b"value").unwrap();
        assert_eq!(stranger.unseal(&here, &sealed), Err(Error::UnknownKey(vault.active())));
    }

    #[test]
    fn rotation_keeps_old_values_readable_until_they_are_resealed() {
        let (vault, here) = (vault(), place());
        let (old, next) = (vault.active(), new_key());
        let replica = vault.clone();
        let sealed = vault.seal_json(&here, &json!({"password": "p"})).unwrap();
        assert_eq!(vault.activate(next.id), Err(Error::UnknownKey(next.id)));

        block_on(vault.add(&*MASTER, &next)).unwrap();
        assert!(replica.holds(next.id) && replica.active() == old && replica.held().len() == 2);
        assert_eq!(vault.reseal(&here, &sealed), Ok(None));

        vault.activate(next.id).unwrap();
        assert_eq!(vault.seal(&here, b"").unwrap().key_id(), Some(next.id));
        let resealed = vault.reseal(&here, &sealed).unwrap().unwrap();
        assert_eq!(resealed.key_id(), Some(next.id));
        assert_eq!(resealed.as_bytes()[77..], sealed.as_bytes()[77..], "the cipher text stays");
        assert_eq!(vault.reseal(&place(), &sealed).map_err(|error| matches!(error, Error::Unopened { .. })), Err(true));

        assert_eq!(vault.forget(next.id), Err(Error::StillActive(next.id)));
        vault.forget(old).unwrap();
        assert_eq!(vault.unseal_json::<Value>(&here, &resealed).unwrap(), json!({"password": "p"}));
        assert_eq!(vault.unseal_json::<Value>(&here, &sealed), Err(Error::UnknownKey(old)));
    }

    #[test]
    fn a_ring_opens_only_whole_and_with_one_active_key() {
        let open = |ring| block_on(Vault::open(&*MASTER, ring)).map(|vault| vault.active());
        let (one, two) = (RingKey { active: true, ..new_key() }, RingKey { active: true, ..new_key() });
        assert_eq!(open(vec![]), Err(Error::ActiveKeys(0)));
        assert_eq!(open(vec![one.clone(), two.clone()]), Err(Error::ActiveKeys(2)));
        let exchanged = RingKey { wrapped: two.wrapped.clone(), ..one.clone() };
        assert!(matches!(open(vec![exchanged]), Err(Error::Master { .. })), "rows of the ring cannot change places");
        let foreign = RingKey { master: "file:0123".to_owned(), ..one.clone() };
        assert!(matches!(open(vec![foreign]), Err(Error::OtherMaster { .. })));

        let other = FileMasterKey::from_base64(&FileMasterKey::generate().unwrap()).unwrap();
        let moved = block_on(one.rewrap(&*MASTER, &other)).unwrap();
        assert_eq!(block_on(Vault::open(&other, vec![moved])).unwrap().active(), one.id);
    }

    #[test]
    fn no_text_shows_a_value() {
        let (vault, here) = (vault(), place());
        let sealed = vault.seal_json(&here, "hunter2").unwrap();
        let error = vault.unseal_json::<u32>(&here, &sealed).unwrap_err();
        let shown = format!("{vault:?} {sealed:?} {error:?} {error} {:?}", KeyBytes::from_slice(&[7; 32]));
        assert!(!shown.contains("hunter2") && !shown.contains("7, 7"), "{shown}");
        assert!(shown.contains(&vault.active().to_string()));
    }
}
