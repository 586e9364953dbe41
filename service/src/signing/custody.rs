//! Where signing keys are kept, and when they are replaced: sealed in the store, so that every
//! replica signs with the same leaf and a restart changes nothing.
//!
//! A leaf that ceased to sign stays published until the last of its tokens is gone.

use claviger_domain::{Chance, Error, UnixMillis, id::SigningKeyId};
use claviger_store::{
    Query, Tx,
    audit::{self, Act, Actor},
    signing_keys::{self, Purpose, SigningKey},
};

use super::{Keys, Leaf, Minted, mint_authority, mint_leaf, to_pem};
use crate::{app::App, keys::KeyRing};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// A leaf signs this long; then a new one is made.
const LEAF_SIGNS_MS: i64 = 60 * DAY_MS;
/// How long a key is published after its last token has ended: another replica may still sign for
/// a moment, and verifiers allow for clocks that differ.
const PUBLISHED_LONGER_MS: i64 = 10 * 60 * 1000;

/// What is replaced by a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The leaf. Registries need not know.
    Leaf,
    /// The authority and the leaf, after a compromise. Every registry needs the new certificate.
    Authority,
}

/// The signing keys in the store, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    authorities: Vec<SigningKey>,
    leaves: Vec<SigningKey>,
}

impl Held {
    fn read(q: &mut dyn Query) -> Result<Self, Error> {
        Ok(Self {
            authorities: signing_keys::of_purpose(q, Purpose::RegistryAuthority)?,
            leaves: signing_keys::of_purpose(q, Purpose::Registry)?,
        })
    }

    fn authority(&self) -> Option<&SigningKey> {
        self.authorities.iter().find(|key| key.retired_at.is_none())
    }

    fn leaf(&self) -> Option<&SigningKey> {
        self.leaves.iter().find(|key| key.retired_at.is_none())
    }

    /// What must be replaced at `now`, without anybody asking for it.
    fn due(&self, now: UnixMillis) -> Option<Renewal> {
        match (self.authority(), self.leaf()) {
            (None, _) => Some(Renewal::Authority),
            (Some(_), Some(leaf)) if now.since(leaf.created_at) < LEAF_SIGNS_MS => None,
            (Some(_), _) => Some(Renewal::Leaf),
        }
    }
}

/// New keys that take the place of others.
struct Fresh {
    authority: Option<SigningKey>,
    leaf: SigningKey,
}

impl Fresh {
    fn make(
        renewal: Renewal,
        held: &Held,
        ring: &KeyRing,
        chance: &dyn Chance,
        now: UnixMillis,
    ) -> Result<Self, Error> {
        let seal = |purpose, minted: &Minted| sealed(purpose, minted, ring, chance, now);
        match (renewal, held.authority()) {
            (Renewal::Leaf, Some(old)) => {
                let authority = ring.open(old.key_generation, old.id.as_str(), &old.sealed)?;
                let leaf = mint_leaf(&authority, chance, now)?;
                Ok(Self { authority: None, leaf: seal(Purpose::Registry, &leaf)? })
            }
            (Renewal::Authority, _) | (Renewal::Leaf, None) => {
                let authority = mint_authority(chance, now)?;
                let leaf = mint_leaf(&authority.pkcs8, chance, now)?;
                Ok(Self {
                    authority: Some(seal(Purpose::RegistryAuthority, &authority)?),
                    leaf: seal(Purpose::Registry, &leaf)?,
                })
            }
        }
    }

    /// Puts them in the place of those that sign, and forgets the keys that nobody needs any more.
    fn put(&self, tx: &mut Tx<'_>, now: UnixMillis, gone_before: UnixMillis) -> Result<(), Error> {
        for (purpose, key) in [
            (Purpose::RegistryAuthority, self.authority.as_ref()),
            (Purpose::Registry, Some(&self.leaf)),
        ] {
            let Some(key) = key else { continue };
            signing_keys::delete_retired(tx, purpose, gone_before)?;
            signing_keys::retire(tx, purpose, now)?;
            signing_keys::insert(tx, key)?;
        }
        Ok(())
    }
}

fn sealed(
    purpose: Purpose,
    minted: &Minted,
    ring: &KeyRing,
    chance: &dyn Chance,
    now: UnixMillis,
) -> Result<SigningKey, Error> {
    let id = SigningKeyId::random(chance);
    let sealed = ring.seal(id.as_str(), &minted.pkcs8, chance)?;
    Ok(SigningKey {
        id,
        purpose,
        certificate: minted.certificate.clone(),
        sealed: sealed.bytes,
        key_generation: sealed.generation,
        not_before: minted.not_before,
        not_after: minted.not_after,
        created_at: now,
        retired_at: None,
    })
}

/// Seals every signing key again with the newest generation of the master key.
///
/// # Errors
/// For trouble with the database, and when a key cannot be opened.
pub fn reseal(tx: &mut Tx<'_>, ring: &KeyRing, chance: &dyn Chance) -> Result<(), Error> {
    for key in signing_keys::list(tx)? {
        let secret = ring.open(key.key_generation, key.id.as_str(), &key.sealed)?;
        let sealed = ring.seal(key.id.as_str(), &secret, chance)?;
        signing_keys::reseal(tx, &key.id, &sealed.bytes, sealed.generation)?;
    }
    Ok(())
}

impl App {
    /// Makes the signing keys that are missing or old, and signs with the newest from now on. Called
    /// when the program starts and once a minute, because another process may have replaced them.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Internal`] when a key cannot be opened.
    pub async fn tend_signing_keys(&self) -> Result<(), Error> {
        let held = self.db.read(Held::read).await?;
        match held.due(self.now()) {
            None => self.sign_with(&held),
            Some(renewal) => {
                let renewed = self.renew(renewal, held, Actor::program(String::new())).await?;
                self.sign_with(&renewed)
            }
        }
    }

    /// Replaces signing keys now.
    ///
    /// # Errors
    /// As [`App::tend_signing_keys`].
    pub async fn rotate_signing_key(&self, renewal: Renewal, actor: Actor) -> Result<(), Error> {
        let held = self.db.read(Held::read).await?;
        let renewed = self.renew(renewal, held, actor).await?;
        self.sign_with(&renewed)
    }

    /// The certificates that registries must trust, as text.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn registry_certificates(&self) -> Result<String, Error> {
        let held = self.db.read(Held::read).await?;
        let trusted = held.authorities.iter().filter(|key| key.retired_at.is_none());
        Ok(trusted.map(|key| to_pem(&key.certificate)).collect())
    }

    /// Puts new keys in the place of `held`, unless somebody else has just done so; the keys that
    /// are held afterwards.
    async fn renew(&self, renewal: Renewal, held: Held, actor: Actor) -> Result<Held, Error> {
        let now = self.now();
        let chance = self.chance();
        let fresh = Fresh::make(renewal, &held, &self.keys, chance, now)?;
        let gone_before = now.plus_ms(-self.published_ms());
        self.db
            .write(move |tx| {
                let before = Held::read(tx)?;
                if before != held {
                    return Ok(before);
                }
                fresh.put(tx, now, gone_before)?;
                let id = fresh.leaf.id.to_string();
                let act = Act::done("rotate_signing_key", "signing_key", "registry").id(&id);
                audit::append(tx, now, &actor, &act)?;
                Held::read(tx)
            })
            .await
    }

    /// How long after its last use for signing a key is published.
    fn published_ms(&self) -> i64 {
        let ttl = self.settings.registry.token_ttl.as_millis();
        i64::try_from(ttl).unwrap_or(i64::MAX).saturating_add(PUBLISHED_LONGER_MS)
    }

    fn sign_with(&self, held: &Held) -> Result<(), Error> {
        let newest = held.leaf().ok_or_else(|| Error::internal("there is no signing key"))?;
        let secret = self.keys.open(newest.key_generation, newest.id.as_str(), &newest.sealed)?;
        let leaf = Leaf::new(&secret, &newest.certificate)?;
        let gone_before = self.now().plus_ms(-self.published_ms());
        let published = held
            .leaves
            .iter()
            .filter(|key| key.retired_at.is_none_or(|retired| retired >= gone_before))
            .map(|key| key.certificate.as_slice());
        self.signer.replace(Keys::new(leaf, published)?);
        Ok(())
    }
}
