//! Identifiers: one type for each kind of thing, so that mixing two does not compile.
//!
//! Every id is a UUID version 4 in its lower-case text form, made from passed-in randomness and
//! stable for ever. Ids of what is written all the time begin with the time of their making
//! instead, so that their rows lie together in every index: decision 0006.

use std::{fmt, str::FromStr};

use crate::time::{Chance, UnixMillis, random};

/// The text is not a UUID in its lower-case, hyphenated form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID in lower case")]
pub struct IdError;

const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const HEX: &[u8; 16] = b"0123456789abcdef";

/// How many bytes of a UUID hold the time, where they do.
const TIME_BYTES: usize = 6;

/// `bytes` in the form of a UUID version 4, as 36 characters.
fn uuid_v4(mut bytes: [u8; 16]) -> [u8; 36] {
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    let mut nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    let mut text = [b'-'; 36];
    for (at, place) in text.iter_mut().enumerate() {
        if !HYPHENS.contains(&at) {
            let digit = nibbles.next().unwrap_or_default();
            *place = HEX.get(usize::from(digit)).copied().unwrap_or(b'0');
        }
    }
    text
}

/// Random bytes that begin with the milliseconds since 1970.
fn dated(now: UnixMillis, chance: &dyn Chance) -> [u8; 16] {
    let mut bytes: [u8; 16] = random(chance);
    let time = now.0.to_be_bytes();
    for (place, byte) in bytes.iter_mut().zip(time.iter().skip(time.len() - TIME_BYTES)) {
        *place = *byte;
    }
    bytes
}

fn parse(text: &str) -> Result<[u8; 36], IdError> {
    let bytes: [u8; 36] = text.as_bytes().try_into().map_err(|_| IdError)?;
    let good = bytes.iter().enumerate().all(|(at, byte)| {
        if HYPHENS.contains(&at) {
            *byte == b'-'
        } else {
            matches!(byte, b'0'..=b'9' | b'a'..=b'f')
        }
    });
    if good { Ok(bytes) } else { Err(IdError) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 36]);

        impl $name {
            /// A new id from `chance`.
            pub fn random(chance: &dyn Chance) -> Self {
                Self(uuid_v4(random(chance)))
            }

            /// A new id of what came to be at `now`: later ones are greater, and 74 bits of
            /// `chance` tell those of one millisecond apart.
            pub fn dated(now: UnixMillis, chance: &dyn Chance) -> Self {
                Self(uuid_v4(dated(now, chance)))
            }

            /// The id as 36 characters of lower-case hexadecimal digits and hyphens.
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_default()
            }

            /// The same as bytes.
            pub const fn as_bytes(&self) -> &[u8; 36] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}

ids! {
    /// The tenant of the Astra door.
    AccountId,
    /// A user, a robot or an organisation.
    PrincipalId,
    /// A team of an organisation.
    TeamId,
    /// A repository.
    RepoId,
    /// A token of any kind; never its selector.
    TokenId,
    /// A signed-in session.
    SessionId,
    /// An OAuth application (its row, not its public `client_id`).
    ApplicationId,
    /// An OAuth token assigned to a user who has not taken it yet.
    AssignmentId,
    /// A default permission of an organisation.
    PrototypeId,
    /// The role of a user in his account.
    BindingId,
    /// A signing key.
    SigningKeyId,
    /// One installation of Claviger; the salt of every derived key.
    InstallationId,
    /// One request, as logs and the audit name it.
    RequestId,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Chance for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[test]
    fn random_id_is_a_version_4_uuid_and_parses_back() {
        let id = TokenId::random(&Ones);
        assert_eq!(id.as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(id.as_str().parse(), Ok(id));
    }

    #[test]
    fn dated_ids_have_the_form_of_version_4_and_the_order_of_their_times() {
        let id = TokenId::dated(UnixMillis(0x0190_1234_5678), &Ones);
        assert_eq!(id.as_str(), "01901234-5678-4fff-bfff-ffffffffffff");
        let later = TokenId::dated(UnixMillis(0x0190_1234_5679), &Ones);
        assert!(id < later && id.as_str() < later.as_str());
        let before = TokenId::dated(UnixMillis(0), &Ones);
        assert_eq!(before.as_str(), "00000000-0000-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn upper_case_and_bare_hexadecimal_are_refused() {
        for bad in ["", "FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF", "ffffffffffff4fffbfffffffffffffff"]
        {
            assert_eq!(bad.parse::<TokenId>(), Err(IdError), "{bad}");
        }
    }
}
