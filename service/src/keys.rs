//! The key ring: makes, proves and rebuilds what opens, and seals what must be shown again.
//!
//! Every key is derived from the master key of its generation, for one purpose:
//! `HKDF-SHA-256(master key, salt = installation id, info = "claviger/1/" + purpose)`. New things
//! are made with the newest generation in use; those of older generations stay good until it is
//! retired.
//!
//! Source: `SECURITY.md` section 1, decision 0001; RFC 5869 for HKDF.
//! Not here: the store (`crate::install`), which secret may be shown to whom (`crate::tokens`).

mod derived;
mod master;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    hint::black_box,
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_domain::{
    Chance, Error, TokenKind,
    id::InstallationId,
    secret::{FORMAT, Lookup, ParsedSecret, Prefix, SecretError, Selector, TokenSecret},
    time::random,
};
use ring::aead;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use self::derived::Derived;
pub use self::{
    derived::Purpose,
    master::{MasterKey, MasterKeyError, MasterKeys},
};

const SELECTOR_BYTES: usize = 16;
const MAC_BYTES: usize = 16;
const OPAQUE_BYTES: usize = 1 + SELECTOR_BYTES + MAC_BYTES;
const CSRF_BYTES: usize = 48;
const NONCE_BYTES: usize = aead::NONCE_LEN;

/// What the store keeps of a new token's secret.
#[derive(Debug)]
pub struct MintedSecret {
    /// Under which it is found.
    pub lookup: Lookup,
    /// What it is rebuilt from; only for kinds that are shown again.
    pub selector: Option<Selector>,
    /// The generation of the key.
    pub generation: u8,
    /// What it begins with.
    pub prefix: Prefix,
    /// How it is made up.
    pub format: u8,
}

/// A token's secret whose MAC is right. Whether the token lives is for the store to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it is.
    pub kind: TokenKind,
    /// Under which it is found.
    pub lookup: Lookup,
    /// The generation of the key.
    pub generation: u8,
}

/// The text of a session, a code or an invitation: what a cookie or an address carries.
pub struct OpaqueSecret(Zeroizing<String>);

impl OpaqueSecret {
    /// The text; only where it is handed to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OpaqueSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The keyed hash of a secret that came from elsewhere, or is kept as a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedHash {
    /// The generation of the key.
    pub generation: u8,
    /// Under which the secret is found.
    pub lookup: Lookup,
}

/// What only its generation's key opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The generation of the key.
    pub generation: u8,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// What a ring is made of.
pub struct Keys {
    installation: InstallationId,
    newest: Derived,
    older: Vec<Derived>,
    /// The one for new secrets.
    prefix: Prefix,
    /// All that are accepted.
    prefixes: Vec<Prefix>,
    keep_selectors: bool,
}

impl Keys {
    /// The keys of the `generations` in use, the newest of which makes what is new.
    /// New secrets begin with `prefix`; those that begin with one of `former` stay accepted.
    /// With `keep_selectors` secrets of kinds that are shown again can be rebuilt.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no generation or a master key is missing, which
    /// `crate::install` has checked.
    pub fn new(
        master: &MasterKeys,
        installation: InstallationId,
        generations: &[u8],
        prefix: Prefix,
        former: &[Prefix],
        keep_selectors: bool,
    ) -> Result<Self, Error> {
        let missing = || Error::internal("a master key is missing");
        let derive = |number: u8| {
            Derived::new(number, master.get(number).ok_or_else(missing)?, &installation)
        };
        let newest = *generations.iter().max().ok_or_else(missing)?;
        let mut older: Vec<u8> = generations.iter().copied().filter(|g| *g != newest).collect();
        older.sort_unstable_by(|a, b| b.cmp(a));
        let mut prefixes = vec![prefix];
        prefixes.extend(former.iter().filter(|known| **known != prefix));
        Ok(Self {
            installation,
            newest: derive(newest)?,
            older: older.into_iter().map(derive).collect::<Result<_, _>>()?,
            prefix,
            prefixes,
            keep_selectors,
        })
    }

    /// All generations, the newest first.
    fn all(&self) -> impl Iterator<Item = &Derived> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    fn of(&self, generation: u8) -> Option<&Derived> {
        self.all().find(|derived| derived.number == generation)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The keys in use. They can be replaced while the server runs, after a rotation.
#[derive(Debug)]
pub struct KeyRing(RwLock<Arc<Keys>>);

impl KeyRing {
    /// A ring of these keys.
    pub fn new(keys: Keys) -> Self {
        Self(RwLock::new(Arc::new(keys)))
    }

    /// Uses these keys from now on.
    pub fn replace(&self, keys: Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The installation whose keys these are.
    pub fn installation(&self) -> InstallationId {
        self.keys().installation
    }

    /// The generation that makes what is new.
    pub fn generation(&self) -> u8 {
        self.keys().newest.number
    }

    /// A new secret of a token of this kind, and what the store keeps of it.
    pub fn mint(&self, kind: TokenKind, chance: &dyn Chance) -> (TokenSecret, MintedSecret) {
        let keys = self.keys();
        let (derived, prefix) = (&keys.newest, keys.prefix);
        let selector = Selector::random(chance);
        let lookup = selector.lookup();
        let generation = derived.number;
        let mac = derived.token_mac(kind, FORMAT, &selector);
        let secret = ParsedSecret { prefix, kind, format: FORMAT, generation, selector, mac };
        let text = secret.print();
        let keep = keys.keep_selectors && kind.shown_again();
        let selector = keep.then_some(secret.selector);
        (text, MintedSecret { lookup, selector, generation, prefix, format: FORMAT })
    }

    /// Whether `text` has the form of a token of ours, right or not.
    pub fn looks_like_token(&self, text: &str) -> bool {
        let parsed = ParsedSecret::parse(text, &self.keys().prefixes);
        !matches!(parsed, Err(SecretError::Foreign))
    }

    /// What a token's secret proves; `None` when it is not ours, damaged or forged, which costs
    /// one hash, one MAC and no look-up.
    pub fn verify(&self, text: &str) -> Option<Verified> {
        // held for a microsecond, and written to after a rotation alone
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let secret = ParsedSecret::parse(text, &keys.prefixes).ok();
        let derived = secret.as_ref().filter(|secret| secret.format == FORMAT);
        let derived = derived.and_then(|secret| keys.of(secret.generation));
        let (Some(secret), Some(derived)) = (secret, derived) else {
            // takes as long as a forged one, so that the time does not tell what is wrong with it
            let nobodys = Selector::from_slice(&[0; SELECTOR_BYTES])?;
            let _ = black_box(nobodys.lookup());
            let _ = black_box(keys.newest.token_mac(TokenKind::App, FORMAT, &nobodys));
            return None;
        };
        // before the MAC, which does not wait for it: a processor makes both at the same time
        let lookup = secret.selector.lookup();
        let mac = derived.token_mac(secret.kind, secret.format, &secret.selector);
        // as numbers: in one piece
        let [right, given] = [&mac, &secret.mac].map(|mac| u128::from_ne_bytes(**mac));
        let verified = Verified { kind: secret.kind, lookup, generation: secret.generation };
        bool::from(right.ct_eq(&given)).then_some(verified)
    }

    /// The secret again that was made with this selector; `None` when its generation is retired.
    pub fn rebuild(
        &self,
        kind: TokenKind,
        generation: u8,
        prefix: Prefix,
        format: u8,
        selector: Selector,
    ) -> Option<TokenSecret> {
        let keys = self.keys();
        let mac = keys.of(generation)?.token_mac(kind, format, &selector);
        Some(ParsedSecret { prefix, kind, format, generation, selector, mac }.print())
    }

    /// The keyed hash of `text` under the newest generation.
    pub fn keyed_hash(&self, purpose: Purpose, text: &str) -> KeyedHash {
        self.keys().newest.keyed_hash(purpose, text)
    }

    /// The keyed hashes of `text` under every generation, the newest first: an older one may have
    /// made what the store holds.
    pub fn keyed_hashes(&self, purpose: Purpose, text: &str) -> Vec<KeyedHash> {
        self.keys().all().map(|derived| derived.keyed_hash(purpose, text)).collect()
    }

    /// Whether `text` is what `hash` was made of; compared in constant time.
    pub fn matches(&self, purpose: Purpose, text: &str, hash: &KeyedHash) -> bool {
        self.keys().of(hash.generation).is_some_and(|derived| {
            let made = derived.keyed_hash(purpose, text);
            made.lookup.as_slice().ct_eq(hash.lookup.as_slice()).into()
        })
    }

    /// A new secret of a session, a code or an invitation, and under which it is found.
    pub fn mint_opaque(&self, purpose: Purpose, chance: &dyn Chance) -> (OpaqueSecret, Lookup) {
        let keys = self.keys();
        let derived = &keys.newest;
        let selector = Selector::random(chance);
        let mac = derived.opaque_mac(purpose, &selector);
        let mut bytes = Zeroizing::new([0; OPAQUE_BYTES]);
        let parts = [derived.number].into_iter().chain(*selector.as_bytes()).chain(*mac);
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        (OpaqueSecret(text), selector.lookup())
    }

    /// Under which the secret is found that [`KeyRing::mint_opaque`] made for this purpose; `None`
    /// for any other text.
    pub fn verify_opaque(&self, purpose: Purpose, text: &str) -> Option<Lookup> {
        let mut bytes = Zeroizing::new([0; OPAQUE_BYTES]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()).ok()?;
        let [generation, rest @ ..] = &*bytes;
        let (selector, mac) =
            rest.split_at_checked(SELECTOR_BYTES).filter(|_| length == bytes.len())?;
        let selector = Selector::from_slice(selector)?;
        let keys = self.keys();
        let right = keys.of(*generation)?.opaque_mac(purpose, &selector);
        bool::from(right.as_slice().ct_eq(mac)).then(|| selector.lookup())
    }

    /// The CSRF token of a session: 64 characters that only its pages know.
    pub fn csrf_token(&self, session: &Lookup) -> String {
        URL_SAFE_NO_PAD.encode(self.keys().newest.csrf(session))
    }

    /// Whether `text` is the CSRF token of this session, made with any generation.
    pub fn csrf_matches(&self, session: &Lookup, text: &str) -> bool {
        let Ok(given) = URL_SAFE_NO_PAD.decode(text) else { return false };
        self.keys().all().any(|derived| derived.csrf_matches(session, &given))
    }

    /// Seals `plaintext`; it opens again only together with `associated`, the id of its row.
    ///
    /// # Errors
    /// [`Error::Internal`] when the machine's cryptography does not work.
    pub fn seal(
        &self,
        associated: &str,
        plaintext: &[u8],
        chance: &dyn Chance,
    ) -> Result<Sealed, Error> {
        let keys = self.keys();
        let derived = &keys.newest;
        let nonce: [u8; NONCE_BYTES] = random(chance);
        let bytes = derived.seal(nonce, associated, plaintext)?;
        Ok(Sealed { generation: derived.number, bytes })
    }

    /// What was sealed.
    ///
    /// # Errors
    /// [`Error::Internal`] when the generation is retired, or the bytes or `associated` are not
    /// those of the seal.
    pub fn open(
        &self,
        generation: u8,
        associated: &str,
        bytes: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let keys = self.keys();
        let derived = keys.of(generation);
        derived.ok_or_else(|| Error::internal("a sealing key is gone"))?.open(associated, bytes)
    }
}

/// What the store keeps of a generation's master key, to notice a wrong one.
///
/// # Errors
/// As [`KeyRing::seal`].
pub fn check_value(key: &MasterKey, installation: &InstallationId) -> Result<[u8; 32], Error> {
    derived::check_value(key, installation)
}
