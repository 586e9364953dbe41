//! The registry's signing keys. Who may do what in a registry is said in a signed JWT.
//!
//! ```text
//! authority   self-signed, long-lived; the registry's configuration holds its certificate
//!   └─ leaf   signed by the authority, travels in each token's `x5c` header; signs the tokens
//! ```
//! A registry that trusts the authority accepts every leaf, so a leaf is replaced without touching
//! the registry. One that is given the leaf's key itself (zot, a JWKS file) must be told: so keys are
//! replaced only when somebody asks for it, and only the leaf's certificate is renewed by itself.
//! The header is made once for each leaf and the key parsed once: a token costs one
//! signature.
//!
//! Source: `contract/registry.md`, section 2; distribution `registry/auth/token/token.go` (2.8 and
//! 3: the order `x5c`, `jwk`, `kid`; `aud` a string; integers).
//! Not here: what a token may say (`crate::registry`).

mod certificate;
mod custody;
mod jwt;

use std::sync::{Arc, PoisonError, RwLock};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use claviger_domain::Error;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde::Serialize;

pub use certificate::{Minted, certify_leaf, mint_authority, mint_leaf, to_pem};
pub use custody::{Renewal, reseal};

pub use jwt::{Access, Claims};

/// A leaf key that is ready to sign.
pub struct Leaf {
    key: EcdsaKeyPair,
    random: SystemRandom,
    /// The JWT's header and the dot behind it: how every token of this leaf begins.
    header: String,
}

impl Leaf {
    /// The leaf with this private key (PKCS#8) and certificate (DER).
    ///
    /// # Errors
    /// [`Error::Internal`] when the key cannot be read.
    pub fn new(pkcs8: &[u8], certificate: &[u8]) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random)
            .map_err(|_| Error::internal("a signing key cannot be read"))?;
        let kid = certificate::fingerprint(key.public_key().as_ref());
        let header = jwt::header(&kid, &STANDARD.encode(certificate))?;
        Ok(Self { key, random, header })
    }

    fn sign(&self, claims: &Claims<'_>) -> Result<String, Error> {
        let mut token = jwt::unsigned(&self.header, claims)?;
        let signature = self
            .key
            .sign(&self.random, token.as_bytes())
            .map_err(|_| Error::internal("the machine gives no randomness"))?;
        jwt::append(&mut token, signature.as_ref());
        Ok(token)
    }
}

/// One public key of `/.well-known/jwks.json` (RFC 7517).
#[derive(Debug, Serialize)]
pub struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: String,
    x: String,
    y: String,
    x5c: [String; 1],
}

impl PublicKey {
    /// The key of a leaf's certificate (DER).
    ///
    /// # Errors
    /// [`Error::Internal`] when it is not the certificate of a P-256 key.
    pub fn of(certificate: &[u8]) -> Result<Self, Error> {
        let point = certificate::point(certificate)
            .ok_or_else(|| Error::internal("a certificate holds no P-256 key"))?;
        let (x, y) = point.get(1..).unwrap_or_default().split_at(certificate::COORDINATE_BYTES);
        Ok(Self {
            kty: "EC",
            crv: "P-256",
            usage: "sig",
            alg: "ES256",
            kid: certificate::fingerprint(point),
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
            x5c: [STANDARD.encode(certificate)],
        })
    }
}

/// The document of `/.well-known/jwks.json`.
#[derive(Serialize)]
struct KeySet {
    keys: Vec<PublicKey>,
}

/// What signs at the moment, and what is published.
pub struct Keys {
    leaf: Leaf,
    jwks: Arc<str>,
}

impl Keys {
    /// `leaf` signs; the certificates (DER) of the keys whose tokens may still live are published.
    ///
    /// # Errors
    /// [`Error::Internal`] when a certificate cannot be read.
    pub fn new<'a>(
        leaf: Leaf,
        published: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Error> {
        let keys = published.into_iter().map(PublicKey::of).collect::<Result<_, _>>()?;
        let jwks = serde_json::to_string(&KeySet { keys }).map_err(Error::internal)?;
        Ok(Self { leaf, jwks: jwks.into() })
    }
}

/// Signs registry tokens with the newest leaf. It has none until the keys were read from the store.
#[derive(Default)]
pub struct Signer(RwLock<Option<Arc<Keys>>>);

impl Signer {
    /// The signed token that says `claims`.
    ///
    /// # Errors
    /// [`Error::Internal`] when the machine gives no randomness, or there are no keys yet.
    pub fn sign(&self, claims: &Claims<'_>) -> Result<String, Error> {
        self.keys()?.leaf.sign(claims)
    }

    /// The document of `/.well-known/jwks.json`.
    ///
    /// # Errors
    /// [`Error::Internal`] when there are no keys yet.
    pub fn jwks(&self) -> Result<Arc<str>, Error> {
        Ok(Arc::clone(&self.keys()?.jwks))
    }

    /// From now on signs with these.
    pub fn replace(&self, keys: Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
    }

    fn keys(&self) -> Result<Arc<Keys>, Error> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.clone().ok_or_else(|| Error::internal("there is no signing key"))
    }
}

#[cfg(test)]
mod tests {
    use claviger_domain::{Chance, UnixMillis};
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::*;

    struct Fixed;
    impl Chance for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    const NOW: UnixMillis = UnixMillis(1_795_321_999_000);

    fn signer() -> (Signer, Minted) {
        let authority = mint_authority(&Fixed, NOW).unwrap();
        let leaf = mint_leaf(&authority.pkcs8, &Fixed, NOW).unwrap();
        let key = Leaf::new(&leaf.pkcs8, &leaf.certificate).unwrap();
        let signer = Signer::default();
        signer.replace(Keys::new(key, [leaf.certificate.as_slice()]).unwrap());
        (signer, leaf)
    }

    fn token(signer: &Signer) -> String {
        let access = [Access {
            kind: "repository",
            name: "team/\"app\u{1}\u{e4}".into(),
            actions: vec!["push", "pull"],
        }];
        let claims = Claims {
            iss: "https://keys.example.com",
            sub: "alice",
            aud: "registry",
            exp: 1_795_322_299,
            nbf: 1_795_321_994,
            iat: 1_795_321_999,
            jti: "00000000-0000-4000-8000-00000000000d".parse().unwrap(),
            access: &access,
        };
        signer.sign(&claims).unwrap()
    }

    fn part(token: &str, at: usize) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()
    }

    #[test]
    fn token_says_its_claims_as_integers_and_strings() {
        let (signer, leaf) = signer();
        let token = token(&signer);
        assert_eq!(token.capacity(), token.len(), "one buffer of the right size");
        let claims = String::from_utf8(part(&token, 1)).unwrap();
        assert_eq!(
            claims,
            r#"{"iss":"https://keys.example.com","sub":"alice","aud":"registry","jti":"00000000-0000-4000-8000-00000000000d","exp":1795322299,"nbf":1795321994,"iat":1795321999,"access":[{"type":"repository","name":"team/\"app\u0001ä","actions":["push","pull"]}]}"#
        );
        let header: Value = serde_json::from_slice(&part(&token, 0)).unwrap();
        let kid = &PublicKey::of(&leaf.certificate).unwrap().kid;
        let x5c = [STANDARD.encode(&leaf.certificate)];
        assert_eq!(header, json!({"typ": "JWT", "alg": "ES256", "kid": kid, "x5c": x5c}));
    }

    #[test]
    fn signature_verifies_with_the_leafs_key_and_no_other() {
        let (signer, leaf) = signer();
        let token = token(&signer);
        let (message, _) = token.rsplit_once('.').unwrap();
        let verify = |certificate: &[u8]| {
            let point = certificate::point(certificate).unwrap();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message.as_bytes(), &part(&token, 2))
        };
        assert!(verify(&leaf.certificate).is_ok());
        assert!(verify(&self::signer().1.certificate).is_err());
    }

    #[test]
    fn replaced_keys_sign_at_once_and_both_are_published() {
        let (signer, old) = signer();
        let (_, new) = self::signer();
        let before = token(&signer);
        let leaf = Leaf::new(&new.pkcs8, &new.certificate).unwrap();
        signer.replace(
            Keys::new(leaf, [new.certificate.as_slice(), old.certificate.as_slice()]).unwrap(),
        );
        let after = token(&signer);
        assert_ne!(part(&before, 0), part(&after, 0));
        let jwks: Value = serde_json::from_str(&signer.jwks().unwrap()).unwrap();
        let kids: Vec<_> = jwks["keys"].as_array().unwrap().iter().map(|k| &k["kid"]).collect();
        let header = |token: &str| serde_json::from_slice::<Value>(&part(token, 0)).unwrap();
        assert_eq!(kids, [&header(&after)["kid"], &header(&before)["kid"]]);
        assert_eq!(jwks["keys"][0]["crv"], "P-256");
    }
}
