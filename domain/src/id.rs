//! Identifiers: one type for each kind of thing, so that mixing two does not compile.
//!
//! Every id is a UUID version 4 in its lower-case text form, made from passed-in randomness and
//! stable for ever.

use std::{fmt, str::FromStr};

use crate::time::{Chance, random};

/// The text is not a UUID in its lower-case, hyphenated form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID in lower case")]
pub struct IdError;

const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A UUID version 4 as 36 characters.
fn uuid_v4(chance: &dyn Chance) -> [u8; 36] {
    let mut bytes: [u8; 16] = random(chance);
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
                Self(uuid_v4(chance))
            }

            /// The id as 36 characters of lower-case hexadecimal digits and hyphens.
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_default()
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
    fn upper_case_and_bare_hexadecimal_are_refused() {
        for bad in ["", "FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF", "ffffffffffff4fffbfffffffffffffff"]
        {
            assert_eq!(bad.parse::<TokenId>(), Err(IdError), "{bad}");
        }
    }
}
