//! The keys of one generation, each derived for one purpose.

use claviger_domain::{
    Error, TokenKind,
    id::InstallationId,
    secret::{Lookup, Selector, mac_input},
};
use ring::{aead, hkdf, hmac};
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

    fn mac(&self, purpose: &str, algorithm: hmac::Algorithm) -> Result<hmac::Key, Error> {
        let info = [b"claviger/1/".as_slice(), purpose.as_bytes()];
        self.0.expand(&info, algorithm).map(hmac::Key::from).map_err(broken)
    }

    fn seal(&self, purpose: &str) -> Result<aead::LessSafeKey, Error> {
        let info = [b"claviger/1/".as_slice(), purpose.as_bytes()];
        let key = self.0.expand(&info, &aead::AES_256_GCM).map_err(broken)?;
        Ok(aead::LessSafeKey::new(key.into()))
    }
}

fn broken(_: ring::error::Unspecified) -> Error {
    Error::internal("the cryptography of this machine does not work")
}

/// The first `N` bytes.
fn first<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes.first_chunk().copied().ok_or_else(|| broken(ring::error::Unspecified))
}

/// What the store keeps to notice a wrong key.
pub(super) fn check_value(key: &MasterKey, id: &InstallationId) -> Result<[u8; 32], Error> {
    let key = Root::new(key, id).mac("check", hmac::HMAC_SHA256)?;
    first(hmac::sign(&key, b"claviger").as_ref())
}

/// The keys of one generation.
pub(super) struct Derived {
    pub(super) number: u8,
    app: hmac::Key,
    oauth: hmac::Key,
    authorization: hmac::Key,
    api: hmac::Key,
    robot: hmac::Key,
    refresh: hmac::Key,
    session: hmac::Key,
    code: hmac::Key,
    invite: hmac::Key,
    foreign: hmac::Key,
    client_secret: hmac::Key,
    cursor: hmac::Key,
    csrf: hmac::Key,
    seal: aead::LessSafeKey,
}

impl Derived {
    pub(super) fn new(number: u8, key: &MasterKey, id: &InstallationId) -> Result<Self, Error> {
        let root = Root::new(key, id);
        let mac = |purpose| root.mac(purpose, hmac::HMAC_SHA256);
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
            csrf: root.mac("csrf", hmac::HMAC_SHA384)?,
            seal: root.seal("seal")?,
        })
    }

    fn of_kind(&self, kind: TokenKind) -> &hmac::Key {
        match kind {
            TokenKind::App => &self.app,
            TokenKind::Oauth => &self.oauth,
            TokenKind::Authorization => &self.authorization,
            TokenKind::Api => &self.api,
            TokenKind::Robot => &self.robot,
            TokenKind::Refresh => &self.refresh,
        }
    }

    fn of_purpose(&self, purpose: Purpose) -> &hmac::Key {
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
    ) -> Result<Zeroizing<[u8; MAC_BYTES]>, Error> {
        let input = mac_input(format, kind, self.number, selector);
        first(hmac::sign(self.of_kind(kind), &input).as_ref()).map(Zeroizing::new)
    }

    pub(super) fn opaque_mac(
        &self,
        purpose: Purpose,
        selector: &Selector,
    ) -> Result<Zeroizing<[u8; MAC_BYTES]>, Error> {
        let mut context = hmac::Context::with_key(self.of_purpose(purpose));
        context.update(&[self.number]);
        context.update(selector.as_bytes());
        first(context.sign().as_ref()).map(Zeroizing::new)
    }

    pub(super) fn keyed_hash(&self, purpose: Purpose, text: &str) -> Result<KeyedHash, Error> {
        let tag = hmac::sign(self.of_purpose(purpose), text.as_bytes());
        Ok(KeyedHash { generation: self.number, lookup: first(tag.as_ref())? })
    }

    pub(super) fn csrf(&self, session: &Lookup) -> Result<[u8; CSRF_BYTES], Error> {
        first(hmac::sign(&self.csrf, session).as_ref())
    }

    pub(super) fn csrf_matches(&self, session: &Lookup, given: &[u8]) -> bool {
        hmac::verify(&self.csrf, session, given).is_ok()
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
