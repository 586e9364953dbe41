//! Identifiers: one type for each kind of thing, so that mixing two does not compile.
//!
//! Every id is a UUID version 4, made from passed-in randomness and stable for ever. Whoever sees
//! it, the store among them, sees its lower-case text; here it is 16 bytes, because facts are full
//! of ids. Ids of what is written all the time begin with the time of their making
//! instead, so that their rows lie together in every index: decision 0006.

use std::{fmt, str::FromStr};

use crate::time::{Chance, UnixMillis, random};

/// The text is not a UUID in its lower-case, hyphenated form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID in lower case")]
pub struct IdError;

/// Where the digits of each two bytes stand in the text, of four bytes at a time.
const PLACES: [[usize; 2]; 4] = [[0, 4], [9, 14], [19, 24], [28, 32]];
/// Where the two digits of each byte stand in the text.
const DIGITS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
/// Where the hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// How many bytes of a UUID hold the time, where they do.
const TIME_BYTES: usize = 6;

/// `bytes` in the form of a UUID version 4.
fn uuid_v4(mut bytes: [u8; 16]) -> [u8; 16] {
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    bytes
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

/// The eight hexadecimal digits of a number, all at once.
const fn digits(number: u32) -> u64 {
    const SIX: u64 = 0x0606_0606_0606_0606;
    const ONE: u64 = 0x0101_0101_0101_0101;
    // a nibble for each byte
    let all = number as u64;
    let all = (all | all << 16) & 0x0000_ffff_0000_ffff;
    let all = (all | all << 8) & 0x00ff_00ff_00ff_00ff;
    let all = (all | all << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // from ten on letters, which begin 39 places behind the digit nine
    let letters = (all + SIX) >> 4 & ONE;
    all + ONE * b'0' as u64 + letters * 39
}

/// The text of an id: 36 lower-case hexadecimal digits and hyphens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdText([u8; 36]);

impl IdText {
    fn of(bytes: &[u8; 16]) -> Self {
        let mut text = [b'-'; 36];
        let (quarters, _) = bytes.as_chunks();
        for (quarter, places) in quarters.iter().zip(PLACES) {
            let digits = digits(u32::from_be_bytes(*quarter)).to_be_bytes();
            let (pairs, _) = digits.as_chunks::<4>();
            for (pair, at) in pairs.iter().zip(places) {
                if let Some(place) = text.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                    *place = *pair;
                }
            }
        }
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The same as bytes.
    pub const fn as_bytes(&self) -> &[u8; 36] {
        &self.0
    }
}

impl From<IdText> for String {
    fn from(id: IdText) -> Self {
        id.as_str().to_owned()
    }
}

impl AsRef<str> for IdText {
    fn as_ref(&self) -> &str {
        self
    }
}

impl std::ops::Deref for IdText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

fn parse(text: &str) -> Result<[u8; 16], IdError> {
    let text: &[u8; 36] = text.as_bytes().try_into().map_err(|_| IdError)?;
    let digit = |at: usize| match text.get(at) {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        _ => Err(IdError),
    };
    if HYPHENS.iter().any(|at| text.get(*at) != Some(&b'-')) {
        return Err(IdError);
    }
    let mut bytes = [0; 16];
    for (byte, at) in bytes.iter_mut().zip(DIGITS) {
        *byte = digit(at)? << 4 | digit(at + 1)?;
    }
    Ok(bytes)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

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
            pub fn text(&self) -> IdText {
                IdText::of(&self.0)
            }

            /// Its 16 bytes, which have the order of the text.
            pub const fn bytes(&self) -> [u8; 16] {
                self.0
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
                f.write_str(&self.text())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text())
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
        assert_eq!(&*id.text(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(id.text().parse(), Ok(id));
    }

    #[test]
    fn dated_ids_have_the_form_of_version_4_and_the_order_of_their_times() {
        let id = TokenId::dated(UnixMillis(0x0190_1234_5678), &Ones);
        assert_eq!(&*id.text(), "01901234-5678-4fff-bfff-ffffffffffff");
        let later = TokenId::dated(UnixMillis(0x0190_1234_5679), &Ones);
        assert!(id < later && *id.text() < *later.text());
        let before = TokenId::dated(UnixMillis(0), &Ones);
        assert_eq!(&*before.text(), "00000000-0000-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn upper_case_and_bare_hexadecimal_are_refused() {
        for bad in ["", "FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF", "ffffffffffff4fffbfffffffffffffff"]
        {
            assert_eq!(bad.parse::<TokenId>(), Err(IdError), "{bad}");
        }
    }
}
