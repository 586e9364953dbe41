//! The text of a token: `header.claims.signature`, each part in base64url without padding.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_domain::Error;
use serde::Serialize;

/// An ES256 signature in base64url, and the dot before it.
const SIGNATURE_CHARS: usize = 87;

/// What a registry token says. Times are seconds since 1970 and integers: distribution refuses
/// fractions.
#[derive(Debug, Serialize)]
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
    /// Different in every token.
    pub jti: &'a str,
    /// What may be done.
    pub access: &'a [Access],
}

/// What may be done with one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    /// What it is, such as `repository`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its name, as it was asked.
    pub name: String,
    /// What may be done with it.
    pub actions: Vec<&'static str>,
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
    let json = serde_json::to_vec(claims).map_err(Error::internal)?;
    let mut token = String::with_capacity(header.len() + json.len() * 4 / 3 + 1 + SIGNATURE_CHARS);
    token.push_str(header);
    URL_SAFE_NO_PAD.encode_string(json, &mut token);
    Ok(token)
}

/// Appends the signature.
pub(super) fn append(token: &mut String, signature: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
}
