//! The keys of one generation, each derived for one purpose.

use claviger_domain::{
    Error, TokenKind,
    id::InstallationId,
    secret::{Lookup, Selector, mac_input},
};
use hmac::{
    Hmac, KeyInit, Mac,
    digest::{Output, consts::U16},
};
use ring::{aead, hkdf};
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

use super::{CSRF_BYTES, KeyedHash, MAC_BYTES, MasterKey, NONCE_BYTES};

/// What a key is for, beside tokens, CSRF and sealing, which have methods of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Sessions.
    Session,
    /// OAuth codes.
    Code,
    /// Invitations to teams.
    Invite,
    /// Secrets of robots that came from elsewhere.
    Foreign,
    /// Secrets of OAuth applications.
    ClientSecret,
    /// Where the page of a collection ended.
    Cursor,
}

/// What the keys of an installation and generation are derived from.
struct Root(hkdf::Prk);

impl Root {
    fn new(key: &MasterKey, installation: &InstallationId) -> Self {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, installation.text().as_bytes());
        Self(salt.extract(key.bytes()))
    }

    /// The key for HMAC with the hash whose length `length` has.
    fn mac<M: KeyInit, const N: usize>(
        &self,
        purpose: &str,
        length: hkdf::Algorithm,
    ) -> Result<M, Error> {
        let info = [b"claviger/1/".as_slice(), purpose.as_bytes()];
        let mut key = Zeroizing::new([0; N]);
        let expanded = self.0.expand(&info, length).map_err(broken)?;
        expanded.fill(key.as_mut_slice()).map_err(broken)?;
        M::new_from_slice(key.as_slice()).map_err(broken)
    }

    fn mac256(&self, purpose: &str) -> Result<Hmac<Sha256>, Error> {
        self.mac::<_, 32>(purpose, hkdf::HKDF_SHA256)
    }

    fn mac384(&self, purpose: &str) -> Result<Hmac<Sha384>, Error> {
        self.mac::<_, 48>(purpose, hkdf::HKDF_SHA384)
    }

    fn seal(&self, purpose: &str) -> Result<aead::LessSafeKey, Error> {
        let info = [b"claviger/1/".as_slice(), purpose.as_bytes()];
        let key = self.0.expand(&info, &aead::AES_256_GCM).map_err(broken)?;
        Ok(aead::LessSafeKey::new(key.into()))
    }
}

fn broken<E>(_: E) -> Error {
    Error::internal("the cryptography of this machine does not work")
}

/// The MAC of `parts`, one after another. What the key left in memory on the way is zeroed.
fn tag(key: &Hmac<Sha256>, parts: &[&[u8]]) -> Output<Hmac<Sha256>> {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes()
}

/// As much of it as a secret has.
fn short(tag: Output<Hmac<Sha256>>) -> Zeroizing<[u8; MAC_BYTES]> {
    let (short, _) = tag.split::<U16>();
    Zeroizing::new(short.into())
}

/// What the store keeps to notice a wrong key.
pub(super) fn check_value(key: &MasterKey, id: &InstallationId) -> Result<[u8; 32], Error> {
    Ok(tag(&Root::new(key, id).mac256("check")?, &[b"claviger"]).into())
}

/// The keys of one generation.
pub(super) struct Derived {
    pub(super) number: u8,
    app: Hmac<Sha256>,
    oauth: Hmac<Sha256>,
    authorization: Hmac<Sha256>,
    api: Hmac<Sha256>,
    robot: Hmac<Sha256>,
    refresh: Hmac<Sha256>,
    session: Hmac<Sha256>,
    code: Hmac<Sha256>,
    invite: Hmac<Sha256>,
    foreign: Hmac<Sha256>,
    client_secret: Hmac<Sha256>,
    cursor: Hmac<Sha256>,
    csrf: Hmac<Sha384>,
    seal: aead::LessSafeKey,
}

impl Derived {
    pub(super) fn new(number: u8, key: &MasterKey, id: &InstallationId) -> Result<Self, Error> {
        let root = Root::new(key, id);
        let mac = |purpose| root.mac256(purpose);
        Ok(Self {
            number,
            app: mac("token/app")?,
            oauth: mac("token/oauth")?,
            authorization: mac("token/authorization")?,
            api: mac("token/api")?,
            robot: mac("token/robot")?,
            refresh: mac("token/refresh")?,
            session: mac("session")?,
            code: mac("code")?,
            invite: mac("invite")?,
            foreign: mac("foreign")?,
            client_secret: mac("client-secret")?,
            cursor: mac("cursor")?,
            // its tags are 48 bytes long, as the token is
            csrf: root.mac384("csrf")?,
            seal: root.seal("seal")?,
        })
    }

    fn of_kind(&self, kind: TokenKind) -> &Hmac<Sha256> {
        match kind {
            TokenKind::App => &self.app,
            TokenKind::Oauth => &self.oauth,
            TokenKind::Authorization => &self.authorization,
            TokenKind::Api => &self.api,
            TokenKind::Robot => &self.robot,
            TokenKind::Refresh => &self.refresh,
        }
    }

    fn of_purpose(&self, purpose: Purpose) -> &Hmac<Sha256> {
        match purpose {
            Purpose::Session => &self.session,
            Purpose::Code => &self.code,
            Purpose::Invite => &self.invite,
            Purpose::Foreign => &self.foreign,
            Purpose::ClientSecret => &self.client_secret,
            Purpose::Cursor => &self.cursor,
        }
    }

    pub(super) fn token_mac(
        &self,
        kind: TokenKind,
        format: u8,
        selector: &Selector,
    ) -> Zeroizing<[u8; MAC_BYTES]> {
        let input = Zeroizing::new(mac_input(format, kind, self.number, selector));
        short(tag(self.of_kind(kind), &[input.as_slice()]))
    }

    pub(super) fn opaque_mac(
        &self,
        purpose: Purpose,
        selector: &Selector,
    ) -> Zeroizing<[u8; MAC_BYTES]> {
        short(tag(self.of_purpose(purpose), &[&[self.number], selector.as_bytes()]))
    }

    pub(super) fn keyed_hash(&self, purpose: Purpose, text: &str) -> KeyedHash {
        let lookup = tag(self.of_purpose(purpose), &[text.as_bytes()]).into();
        KeyedHash { generation: self.number, lookup }
    }

    fn csrf_mac(&self, session: &Lookup) -> Hmac<Sha384> {
        self.csrf.clone().chain_update(session)
    }

    pub(super) fn csrf(&self, session: &Lookup) -> [u8; CSRF_BYTES] {
        self.csrf_mac(session).finalize().into_bytes().into()
    }

    pub(super) fn csrf_matches(&self, session: &Lookup, given: &[u8]) -> bool {
        self.csrf_mac(session).verify_slice(given).is_ok()
    }

    pub(super) fn seal(
        &self,
        nonce: [u8; NONCE_BYTES],
        associated: &str,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut sealed = Vec::with_capacity(NONCE_BYTES + plaintext.len() + aead::MAX_TAG_LEN);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let (_, body) = sealed.split_at_mut(NONCE_BYTES);
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let associated = aead::Aad::from(associated);
        let tag = self.seal.seal_in_place_separate_tag(nonce, associated, body).map_err(broken)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    pub(super) fn open(
        &self,
        associated: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let damaged = || Error::internal("what was sealed does not open");
        let (nonce, body) = sealed.split_first_chunk().ok_or_else(damaged)?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        let opened = self.seal.open_in_place(nonce, aead::Aad::from(associated), &mut body);
        let length = opened.map_err(|_| damaged())?.len();
        body.truncate(length);
        Ok(body)
    }
}
