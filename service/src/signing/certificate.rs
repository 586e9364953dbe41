//! P-256 keys and the certificates around them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_domain::{Chance, Error, UnixMillis, time::random};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use ring::digest::{SHA256, digest};
use time::OffsetDateTime;
use zeroize::Zeroizing;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// A certificate begins this long before it is made, so that a registry whose clock is behind
/// takes it at once.
const BACKDATED_MS: i64 = 2 * DAY_MS;
/// How long a new authority lives.
pub(super) const AUTHORITY_LIFE_MS: i64 = 7300 * DAY_MS;
/// How long a new leaf lives.
pub(super) const LEAF_LIFE_MS: i64 = 120 * DAY_MS;
const AUTHORITY_NAME: &str = "Claviger registry authority";
const LEAF_NAME: &str = "Claviger registry token";

/// What stands before the point in the DER form of a P-256 public key (RFC 5480).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The length of one coordinate of a point.
pub(super) const COORDINATE_BYTES: usize = 32;

/// A new key with its certificate.
pub struct Minted {
    /// The private key (PKCS#8).
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// The certificate (DER).
    pub certificate: Vec<u8>,
    /// When the certificate begins.
    pub not_before: UnixMillis,
    /// When it ends.
    pub not_after: UnixMillis,
}

/// A new authority: self-signed, good for 20 years.
///
/// # Errors
/// [`Error::Internal`] when the key cannot be made.
pub fn mint_authority(chance: &dyn Chance, now: UnixMillis) -> Result<Minted, Error> {
    let key = new_key()?;
    let params = authority(chance, now)?;
    let certificate = params.self_signed(&key).map_err(Error::internal)?;
    Ok(minted(&key, certificate.der(), now, AUTHORITY_LIFE_MS))
}

/// A new leaf, good for 120 days, signed by the authority whose private key (PKCS#8) is given.
///
/// # Errors
/// [`Error::Internal`] when a key cannot be made or read.
pub fn mint_leaf(
    authority_pkcs8: &[u8],
    chance: &dyn Chance,
    now: UnixMillis,
) -> Result<Minted, Error> {
    certified(&new_key()?, authority_pkcs8, chance, now)
}

/// A new certificate, good for 120 days, for a leaf that has its private key (PKCS#8) already.
///
/// # Errors
/// As [`mint_leaf`].
pub fn certify_leaf(
    leaf_pkcs8: &[u8],
    authority_pkcs8: &[u8],
    chance: &dyn Chance,
    now: UnixMillis,
) -> Result<Minted, Error> {
    certified(&read_key(leaf_pkcs8)?, authority_pkcs8, chance, now)
}

fn certified(
    key: &KeyPair,
    authority_pkcs8: &[u8],
    chance: &dyn Chance,
    now: UnixMillis,
) -> Result<Minted, Error> {
    let issuer = Issuer::new(authority(chance, now)?, read_key(authority_pkcs8)?);
    let mut params = base(chance, LEAF_NAME, now, LEAF_LIFE_MS)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(key, &issuer).map_err(Error::internal)?;
    Ok(minted(key, certificate.der(), now, LEAF_LIFE_MS))
}

/// The authority's parameters. As an issuer only its name and key matter, so it need not be the
/// certificate of old.
fn authority(chance: &dyn Chance, now: UnixMillis) -> Result<CertificateParams, Error> {
    let mut params = base(chance, AUTHORITY_NAME, now, AUTHORITY_LIFE_MS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

fn base(
    chance: &dyn Chance,
    name: &str,
    now: UnixMillis,
    life_ms: i64,
) -> Result<CertificateParams, Error> {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name;
    params.not_before = instant(now.plus_ms(-BACKDATED_MS))?;
    params.not_after = instant(now.plus_ms(life_ms))?;
    params.serial_number = Some(SerialNumber::from(random::<16>(chance).to_vec()));
    Ok(params)
}

fn instant(at: UnixMillis) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp(at.seconds()).map_err(Error::internal)
}

fn new_key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::internal)
}

fn read_key(pkcs8: &[u8]) -> Result<KeyPair, Error> {
    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &PKCS_ECDSA_P256_SHA256)
        .map_err(Error::internal)
}

fn minted(key: &KeyPair, certificate: &[u8], now: UnixMillis, life_ms: i64) -> Minted {
    Minted {
        pkcs8: Zeroizing::new(key.serialize_der()),
        certificate: certificate.to_vec(),
        not_before: now.plus_ms(-BACKDATED_MS),
        not_after: now.plus_ms(life_ms),
    }
}

/// A certificate in its text form.
pub fn to_pem(certificate: &[u8]) -> String {
    let body = STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = body.as_str();
    while let Some((line, more)) = rest.split_at_checked(64) {
        pem.extend([line, "\n"]);
        rest = more;
    }
    if !rest.is_empty() {
        pem.extend([rest, "\n"]);
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// The uncompressed point of the P-256 key in one of our certificates (DER), which holds it in the one
/// form that DER has for it.
pub(super) fn point(certificate: &[u8]) -> Option<&[u8]> {
    let at = certificate.windows(P256_SPKI.len()).position(|part| part == P256_SPKI)?;
    certificate.get(at + P256_SPKI.len()..)?.get(..1 + 2 * COORDINATE_BYTES)
}

/// The libtrust fingerprint of a P-256 public key, given as an uncompressed point: the first 240
/// bits of SHA-256 over its DER form, in base32, in groups of four.
///
/// Source: `contract/registry.md`, section 2.
pub(super) fn fingerprint(point: &[u8]) -> String {
    let hash = digest(&SHA256, &[P256_SPKI.as_slice(), point].concat());
    let digits = base32(hash.as_ref().get(..30).unwrap_or_default());
    let mut text = String::with_capacity(59);
    for (at, digit) in digits.enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push(':');
        }
        text.push(digit);
    }
    text
}

/// The base32 digits (RFC 4648) of `bytes`, whose length is a multiple of five.
fn base32(bytes: &[u8]) -> impl Iterator<Item = char> {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    bytes
        .chunks_exact(5)
        .flat_map(|five| {
            let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            (0..8).filter_map(move |at| {
                let digit = usize::try_from((bits >> (35 - 5 * at)) & 31).ok()?;
                DIGITS.get(digit).copied()
            })
        })
        .map(char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    // made with the command of `contract/registry.md`, section 2
    const POINT: &str = "04013b4448cd61375414bbb9ccf0562223b07dd3c68cfb0515a4a7ba853d31f076\
        15f265c4f4cc0d8ee89c7f5fe1c56dac40587de2808b9ad1a4af24c644282927";
    const FINGERPRINT: &str = "3A5V:LRKD:IGDS:FWK3:JV7L:PVWZ:Z5IS:SF2Y:AJJB:MYSK:BXTA:MSTQ";

    #[test]
    fn fingerprint_is_the_one_that_openssl_computes() {
        let point: Vec<u8> = (0..POINT.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&POINT[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(fingerprint(&point), FINGERPRINT);
    }

    #[test]
    fn pem_has_lines_of_64_characters() {
        let pem = to_pem(&[0; 60]);
        let lines: Vec<_> = pem.lines().map(str::len).collect();
        assert_eq!(lines, [27, 64, 16, 25]);
    }
}
