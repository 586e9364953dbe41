//! Where signing keys are kept, and when they are replaced: sealed in the store, so that every
//! replica signs with the same leaf and a restart changes nothing.
//!
//! | renewed | when | who must be told |
//! | --- | --- | --- |
//! | the leaf's certificate | by itself, long before it ends | nobody |
//! | the leaf | when somebody asks for it | who was given the key itself: zot, a JWKS file |
//! | the authority | when somebody asks for it, after a compromise | every registry |
//!
//! A leaf that ceased to sign stays published until the last of its tokens is gone.

use claviger_domain::{Chance, Error, UnixMillis, id::SigningKeyId};
use claviger_store::{
    Query, Tx,
    audit::{self, Act, Actor},
    signing_keys::{self, Purpose, SigningKey},
};

use super::{
    Keys, Leaf, Minted, certificate::LEAF_LIFE_MS, certify_leaf, mint_authority, mint_leaf, to_pem,
};
use crate::{app::App, keys::KeyRing};

/// The leaf's certificate is renewed when this is left of its life.
const RENEWED_BEFORE_MS: i64 = LEAF_LIFE_MS / 2;
/// How long a key is published after its last token has ended: another replica may still sign for
/// a moment, and verifiers allow for clocks that differ.
const PUBLISHED_LONGER_MS: i64 = 10 * 60 * 1000;

/// What is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The certificate of the leaf.
    Certificate,
    /// The leaf.
    Leaf,
    /// The authority, and the leaf with it.
    Authority,
}

impl Renewal {
    /// What the audit calls it.
    const fn act(self) -> &'static str {
        match self {
            Self::Certificate => "renew_signing_certificate",
            Self::Leaf => "rotate_signing_key",
            Self::Authority => "rotate_signing_authority",
        }
    }
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

    /// What must be renewed at `now`, without anybody asking for it.
    fn due(&self, now: UnixMillis) -> Option<Renewal> {
        match (self.authority(), self.leaf()) {
            (None, _) => Some(Renewal::Authority),
            (Some(_), None) => Some(Renewal::Leaf),
            (Some(_), Some(leaf)) => {
                let old = leaf.not_after.since(now) <= RENEWED_BEFORE_MS;
                old.then_some(Renewal::Certificate)
            }
        }
    }
}

/// What is held after an attempt to renew it.
struct Renewed {
    held: Held,
    /// Whether the attempt succeeded; else somebody else was faster.
    done: bool,
}

/// What takes the place of what is held.
enum Fresh {
    Certificate { of: SigningKeyId, minted: Minted },
    Leaf(SigningKey),
    Authority { authority: SigningKey, leaf: SigningKey },
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
        let open = |key: &SigningKey| ring.open(key.key_generation, &key.id.text(), &key.sealed);
        match (renewal, held.authority(), held.leaf()) {
            (Renewal::Certificate, Some(authority), Some(leaf)) => {
                let minted = certify_leaf(&open(leaf)?, &open(authority)?, chance, now)?;
                Ok(Self::Certificate { of: leaf.id, minted })
            }
            (Renewal::Leaf | Renewal::Certificate, Some(authority), _) => {
                let leaf = mint_leaf(&open(authority)?, chance, now)?;
                Ok(Self::Leaf(seal(Purpose::Registry, &leaf)?))
            }
            (Renewal::Authority, ..) | (_, None, _) => {
                let authority = mint_authority(chance, now)?;
                let leaf = mint_leaf(&authority.pkcs8, chance, now)?;
                Ok(Self::Authority {
                    authority: seal(Purpose::RegistryAuthority, &authority)?,
                    leaf: seal(Purpose::Registry, &leaf)?,
                })
            }
        }
    }

    /// Puts it in its place, and forgets keys that were retired before `gone_before`. The id of the
    /// leaf that signs now.
    fn put(
        &self,
        tx: &mut Tx<'_>,
        now: UnixMillis,
        gone_before: UnixMillis,
    ) -> Result<SigningKeyId, Error> {
        let mut replace = |purpose, key| {
            signing_keys::delete_retired(tx, purpose, gone_before)?;
            signing_keys::retire(tx, purpose, now)?;
            signing_keys::insert(tx, key)
        };
        match self {
            Self::Certificate { of, minted } => {
                let Minted { certificate, not_before, not_after, .. } = minted;
                signing_keys::recertify(tx, of, certificate, *not_before, *not_after)?;
                Ok(*of)
            }
            Self::Leaf(leaf) => {
                replace(Purpose::Registry, leaf)?;
                Ok(leaf.id)
            }
            Self::Authority { authority, leaf } => {
                replace(Purpose::RegistryAuthority, authority)?;
                replace(Purpose::Registry, leaf)?;
                Ok(leaf.id)
            }
        }
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
    let sealed = ring.seal(&id.text(), &minted.pkcs8, chance)?;
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
        let secret = ring.open(key.key_generation, &key.id.text(), &key.sealed)?;
        let sealed = ring.seal(&key.id.text(), &secret, chance)?;
        signing_keys::reseal(tx, &key.id, &sealed.bytes, sealed.generation)?;
    }
    Ok(())
}

impl App {
    /// Makes the signing keys that are missing, renews the certificate that is old, and signs with
    /// the newest key from now on. Called when the program starts and once a minute, because
    /// another process may have replaced them.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Internal`] when a key cannot be opened.
    pub async fn tend_signing_keys(&self) -> Result<(), Error> {
        let mut held = self.db.read(Held::read).await?;
        if let Some(renewal) = held.due(self.now()) {
            held = self.renew(renewal, held, &Actor::program("claviger".to_owned())).await?.held;
        }
        self.sign_with(&held)
    }

    /// Renews a signing key now.
    ///
    /// # Errors
    /// As [`App::tend_signing_keys`].
    pub async fn rotate_signing_key(&self, renewal: Renewal, actor: Actor) -> Result<(), Error> {
        let held = self.db.read(Held::read).await?;
        let mut renewed = self.renew(renewal, held, &actor).await?;
        while !renewed.done {
            renewed = self.renew(renewal, renewed.held, &actor).await?;
        }
        self.sign_with(&renewed.held)
    }

    /// The certificate of the authority, which registries must trust, as text.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::NotFound`] when there are no keys yet.
    pub async fn registry_certificates(&self) -> Result<String, Error> {
        let held = self.db.read(Held::read).await?;
        let authority = held.authority().ok_or(Error::NotFound("signing key"))?;
        Ok(to_pem(&authority.certificate))
    }

    /// The certificate of the key that signs, for registries that know no authorities, as text.
    ///
    /// # Errors
    /// As [`App::registry_certificates`].
    pub async fn registry_leaf_certificate(&self) -> Result<String, Error> {
        let held = self.db.read(Held::read).await?;
        let leaf = held.leaf().ok_or(Error::NotFound("signing key"))?;
        Ok(to_pem(&leaf.certificate))
    }

    /// Renews what is `held`, unless somebody else has just done so.
    async fn renew(&self, renewal: Renewal, held: Held, actor: &Actor) -> Result<Renewed, Error> {
        let now = self.now();
        let fresh = Fresh::make(renewal, &held, &self.keys, self.chance(), now)?;
        let gone_before = now.plus_ms(-self.published_ms());
        let actor = actor.clone();
        self.db
            .write(move |tx| {
                let before = Held::read(tx)?;
                if before != held {
                    return Ok(Renewed { held: before, done: false });
                }
                let id = fresh.put(tx, now, gone_before)?;
                let act = Act::done(renewal.act(), "signing_key", "registry").id(&id);
                audit::append(tx, now, &actor, &act)?;
                Ok(Renewed { held: Held::read(tx)?, done: true })
            })
            .await
    }

    /// How long after it ceased to sign a key is published.
    fn published_ms(&self) -> i64 {
        let ttl = self.settings.registry.token_ttl.as_millis();
        i64::try_from(ttl).unwrap_or(i64::MAX).saturating_add(PUBLISHED_LONGER_MS)
    }

    fn sign_with(&self, held: &Held) -> Result<(), Error> {
        let newest = held.leaf().ok_or_else(|| Error::internal("there is no signing key"))?;
        let secret = self.keys.open(newest.key_generation, &newest.id.text(), &newest.sealed)?;
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
