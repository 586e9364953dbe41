//! The text of a token: `header.claims.signature`, each part in base64url without padding.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_domain::{Error, id::RequestId};
use serde::Serialize;

/// An ES256 signature in base64url, and the dot before it.
const SIGNATURE_CHARS: usize = 87;

/// Room for the claims of nearly all tokens.
const CLAIMS_BYTES: usize = 512;

/// What a registry token says. Times are seconds since 1970 and integers: distribution refuses
/// fractions.
#[derive(Debug)]
pub struct Claims<'a> {
    /// The issuer that the registry is configured with.
    pub iss: &'a str,
    /// The name of who is calling; empty for nobody.
    pub sub: &'a str,
    /// The registry's service: one string, never a list.
    pub aud: &'a str,
    /// When the token ends.
    pub exp: i64,
    /// When it begins.
    pub nbf: i64,
    /// When it was made.
    pub iat: i64,
    /// Different in every token: the request that it is made for.
    pub jti: RequestId,
    /// What may be done.
    pub access: &'a [Access],
}

impl Claims<'_> {
    /// The claims as JSON, written by hand: the general way takes three times as long, for each
    /// token.
    fn json(&self) -> Result<Vec<u8>, Error> {
        let Self { iss, sub, aud, exp, nbf, iat, jti, access } = self;
        let mut json = Vec::with_capacity(CLAIMS_BYTES);
        for (key, text) in [
            (br#"{"iss":"#.as_slice(), *iss),
            (br#","sub":"#, sub),
            (br#","aud":"#, aud),
            (br#","jti":"#, &jti.text()),
        ] {
            json.extend_from_slice(key);
            string(&mut json, text)?;
        }
        for (key, time) in [(br#","exp":"#, exp), (br#","nbf":"#, nbf), (br#","iat":"#, iat)] {
            json.extend_from_slice(key);
            serde_json::to_writer(&mut json, time).map_err(Error::internal)?;
        }
        json.extend_from_slice(br#","access":["#);
        for (at, access) in access.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            access.write(&mut json)?;
        }
        json.extend_from_slice(b"]}");
        Ok(json)
    }
}

/// What may be done with one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What it is, such as `repository`.
    pub kind: &'static str,
    /// Its name, as it was asked.
    pub name: String,
    /// What may be done with it.
    pub actions: Vec<&'static str>,
}

impl Access {
    fn write(&self, json: &mut Vec<u8>) -> Result<(), Error> {
        json.extend_from_slice(br#"{"type":"#);
        string(json, self.kind)?;
        json.extend_from_slice(br#","name":"#);
        string(json, &self.name)?;
        json.extend_from_slice(br#","actions":["#);
        for (at, action) in self.actions.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            string(json, action)?;
        }
        json.extend_from_slice(b"]}");
        Ok(())
    }
}

/// `text` as JSON. What was asked for may hold anything; what else there is needs no escapes.
fn string(json: &mut Vec<u8>, text: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte >= b' ' && !matches!(byte, b'"' | b'\\');
    // to the end in any case, which is quicker for so little than to look at one after the other
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
        Ok(())
    } else {
        serde_json::to_writer(json, text).map_err(Error::internal)
    }
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
    x5c: [&'a str; 1],
}

/// The header of every token of one leaf, and the dot behind it. `certificate` is the leaf's DER
/// in base64.
pub(super) fn header(kid: &str, certificate: &str) -> Result<String, Error> {
    let header = Header { typ: "JWT", alg: "ES256", kid, x5c: [certificate] };
    let json = serde_json::to_vec(&header).map_err(Error::internal)?;
    Ok(format!("{}.", URL_SAFE_NO_PAD.encode(json)))
}

/// `header` and the claims: what is signed.
pub(super) fn unsigned(header: &str, claims: &Claims<'_>) -> Result<String, Error> {
    let json = claims.json()?;
    let chars = (json.len() * 4).div_ceil(3);
    let mut token = String::with_capacity(header.len() + chars + SIGNATURE_CHARS);
    token.push_str(header);
    URL_SAFE_NO_PAD.encode_string(json, &mut token);
    Ok(token)
}

/// Appends the signature.
pub(super) fn append(token: &mut String, signature: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
}
