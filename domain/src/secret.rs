//! Token secrets: the string that opens. How it is written, read and looked up.
//!
//! ```text
//! clv a _ 0123…  46 base62 characters   4gfFC3
//! │   │ │ └ format, key generation, selector (16 bytes), MAC (16 bytes)
//! │   │ │                               └ CRC-32 of all before, so that typos need no look-up
//! │   │ └ not in kind `k`: the Astra door wants plain base64 of a length that needs no padding
//! │   └ kind
//! └ prefix
//! ```
//! Who knows the selector alone opens nothing: the MAC is made with a key that is not in the store.
//! Not here: keys, and whether the MAC is right (`service::keys`).

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    base62,
    time::{Chance, random},
    token::TokenKind,
};

/// The only format so far: selector and MAC of 16 bytes each.
pub const FORMAT: u8 = 1;
/// The bytes that a MAC is made over: format, kind, generation, selector.
pub const MAC_INPUT_BYTES: usize = 19;

const BODY_BYTES: usize = 34;
const BODY_CHARS: usize = 46;
const CHECK_CHARS: usize = 6;
const TAIL_CHARS: usize = BODY_CHARS + CHECK_CHARS;

/// Under which a secret is stored: the SHA-256 of a selector, or a keyed hash.
pub type Lookup = [u8; 32];

/// What every token begins with, such as `clv`, so that scanners find leaks: 3, 7, 11 or 15
/// lower-case letters and digits, a letter first. The lengths make a token of kind `k` a multiple
/// of four characters long, as its door demands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    bytes: [u8; Self::MAX_BYTES],
    length: u8,
}

/// The text cannot be a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 3, 7, 11 or 15 lower-case letters and digits that begin with a letter")]
pub struct PrefixError;

impl Prefix {
    const MAX_BYTES: usize = 15;

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl Default for Prefix {
    /// `clv`.
    fn default() -> Self {
        let mut bytes = [0; Self::MAX_BYTES];
        if let Some(start) = bytes.first_chunk_mut() {
            *start = *b"clv";
        }
        Self { bytes, length: 3 }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let mut bytes = [0; Self::MAX_BYTES];
        let good = matches!(text.len(), 3 | 7 | 11 | 15)
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && text.starts_with(|first: char| first.is_ascii_lowercase());
        let length = u8::try_from(text.len()).map_err(|_| PrefixError)?;
        match bytes.get_mut(..text.len()) {
            Some(start) if good => start.copy_from_slice(text.as_bytes()),
            _ => return Err(PrefixError),
        }
        Ok(Self { bytes, length })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TokenKind {
    /// The letter that stands for it in a secret.
    pub const fn letter(self) -> u8 {
        match self {
            Self::App => b'a',
            Self::Oauth => b'o',
            Self::Authorization => b'z',
            Self::Api => b'k',
            Self::Robot => b'r',
            Self::Refresh => b'f',
        }
    }

    fn from_letter(letter: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.letter() == letter)
    }

    /// What stands between prefix and body.
    const fn mark(self) -> &'static str {
        match self {
            Self::App => "a_",
            Self::Oauth => "o_",
            Self::Authorization => "z_",
            Self::Api => "k",
            Self::Robot => "r_",
            Self::Refresh => "f_",
        }
    }
}

/// The random half of a secret: 128 bits, never the id that anybody sees.
pub struct Selector([u8; 16]);

impl Selector {
    /// A new selector.
    pub fn random(chance: &dyn Chance) -> Self {
        Self(random(chance))
    }

    /// The selector that a store kept; `None` unless it is 16 bytes long.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Under which the store finds it: its SHA-256, from which it cannot be had back.
    pub fn lookup(&self) -> Lookup {
        // by reference: nothing zeroes a copy
        Sha256::digest(self.as_bytes()).into()
    }
}

impl Drop for Selector {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The bytes that the MAC of a secret is made over.
pub fn mac_input(
    format: u8,
    kind: TokenKind,
    generation: u8,
    selector: &Selector,
) -> [u8; MAC_INPUT_BYTES] {
    let mut input = [0; MAC_INPUT_BYTES];
    if let Some((head, tail)) = input.split_first_chunk_mut() {
        *head = [format, kind.letter(), generation];
        tail.copy_from_slice(&selector.0);
    }
    input
}

/// The text of a token, as its owner gets it. It is shown by [`TokenSecret::expose`] alone, and
/// its memory is zeroed.
pub struct TokenSecret(Zeroizing<String>);

impl TokenSecret {
    /// A secret that came from elsewhere.
    pub fn foreign(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text; only where an answer shows it to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A secret that somebody brings along, such as a robot's preset token: 20 to 255 visible ASCII
/// characters, so that it is not guessed and fits into every header.
#[derive(Debug)]
pub struct GivenSecret(TokenSecret);

/// Why a text is no secret to bring along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenSecretError {
    /// It is too short or too long.
    #[error("must have {} to {} characters", GivenSecret::CHARS.start(), GivenSecret::CHARS.end())]
    Length,
    /// It would not survive a header.
    #[error("must consist of visible ASCII characters")]
    Characters,
}

impl GivenSecret {
    const CHARS: std::ops::RangeInclusive<usize> = 20..=255;

    /// Takes `text`.
    ///
    /// # Errors
    /// When it is no such secret.
    pub fn new(text: String) -> Result<Self, GivenSecretError> {
        let text = TokenSecret::foreign(text);
        if !text.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            Err(GivenSecretError::Characters)
        } else if Self::CHARS.contains(&text.expose().len()) {
            Ok(Self(text))
        } else {
            Err(GivenSecretError::Length)
        }
    }

    /// The secret, to be kept and shown.
    pub fn into_secret(self) -> TokenSecret {
        self.0
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a secret says of itself; nothing of it is proven before the MAC is.
pub struct ParsedSecret {
    /// What it begins with.
    pub prefix: Prefix,
    /// What it says it is.
    pub kind: TokenKind,
    /// How it is made up.
    pub format: u8,
    /// The generation of the key that the MAC was made with.
    pub generation: u8,
    /// The random half.
    pub selector: Selector,
    /// The half that cannot be made up.
    pub mac: Zeroizing<[u8; 16]>,
}

/// Why a text is not a token's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not look like one of ours.
    #[error("is not a token of this installation")]
    Foreign,
    /// It looks like one, but was mistyped or cut.
    #[error("is damaged")]
    Damaged,
}

impl ParsedSecret {
    /// Reads `text`, which must begin with one of `prefixes`.
    ///
    /// # Errors
    /// [`SecretError::Foreign`] when prefix, kind, length or alphabet are not ours;
    /// [`SecretError::Damaged`] when the check characters or the body are wrong.
    pub fn parse(text: &str, prefixes: &[Prefix]) -> Result<Self, SecretError> {
        let (head, tail) = text
            .len()
            .checked_sub(TAIL_CHARS)
            .and_then(|at| text.split_at_checked(at))
            .ok_or(SecretError::Foreign)?;
        let (prefix, kind) = Self::head(head, prefixes).ok_or(SecretError::Foreign)?;
        let (before, check) = text.split_at_checked(text.len() - CHECK_CHARS).unwrap_or_default();
        let right = base62::decode(check.as_bytes()) == Some([crc32(before).into()]);
        let (body, _) = tail.split_at_checked(BODY_CHARS).unwrap_or_default();
        let body = if right { base62::decode(body.as_bytes()) } else { None };
        let body = body.map(Zeroizing::<[u64; 5]>::new);
        let Some(body) = body else {
            let ours = tail.bytes().all(|b| b.is_ascii_alphanumeric());
            return Err(if ours { SecretError::Damaged } else { SecretError::Foreign });
        };
        let [mac_low, mac_high, selector_low, selector_high, head] = *body;
        let head = u16::try_from(head).map_err(|_| SecretError::Damaged)?;
        let [format, generation] = head.to_be_bytes();
        let selector = Selector(joined(selector_high, selector_low));
        let mac = Zeroizing::new(joined(mac_high, mac_low));
        Ok(Self { prefix, kind, format, generation, selector, mac })
    }

    /// The accepted prefix and the kind of a token that begins with `head`.
    fn head(head: &str, prefixes: &[Prefix]) -> Option<(Prefix, TokenKind)> {
        let bare = head.strip_suffix('_').unwrap_or(head);
        let kind = TokenKind::from_letter(*bare.as_bytes().last()?)?;
        let prefix = head.strip_suffix(kind.mark())?;
        let prefix = prefixes.iter().find(|accepted| accepted.as_str() == prefix)?;
        Some((*prefix, kind))
    }

    /// The secret as its owner gets it.
    pub fn print(&self) -> TokenSecret {
        let mut body = Zeroizing::new([0; BODY_BYTES]);
        let parts = [self.format, self.generation].into_iter();
        let parts = parts.chain(*self.selector.as_bytes()).chain(*self.mac);
        for (to, from) in body.iter_mut().zip(parts) {
            *to = from;
        }
        let body = Zeroizing::new(base62::encode::<BODY_CHARS>(&*body));
        // as long as it will be, so that growing leaves no copy behind
        let mut text = String::with_capacity(Prefix::MAX_BYTES + 2 + TAIL_CHARS);
        text.push_str(self.prefix.as_str());
        text.push_str(self.kind.mark());
        text.extend(body.iter().map(|byte| char::from(*byte)));
        let check = checksum(&text);
        text.extend(check.map(char::from));
        TokenSecret(Zeroizing::new(text))
    }
}

impl fmt::Debug for ParsedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The 16 bytes of a number of 128 bits, the highest first.
const fn joined(high: u64, low: u64) -> [u8; 16] {
    ((high as u128) << 64 | low as u128).to_be_bytes()
}

/// The CRC-32 (as zip and png have it) of `text`.
fn crc32(text: &str) -> u32 {
    crc32fast::hash(text.as_bytes())
}

/// The same, as it stands at the end of a secret.
fn checksum(text: &str) -> [u8; CHECK_CHARS] {
    base62::encode(&crc32(text).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by hand (Python) from format 1, generation 1, selector 00…0f and MAC f0…ff.
    const GOLDEN: &str = "clva_043dJFZ5noBhx3ZcLwargveLgn3leLvZRb2VjQaS5G79uZ2VRqgy";

    fn golden() -> ParsedSecret {
        ParsedSecret {
            prefix: Prefix::default(),
            kind: TokenKind::App,
            format: FORMAT,
            generation: 1,
            selector: Selector(std::array::from_fn(|i| u8::try_from(i).unwrap())),
            mac: Zeroizing::new(std::array::from_fn(|i| 0xf0 + u8::try_from(i).unwrap())),
        }
    }

    fn parse(text: &str) -> Result<ParsedSecret, SecretError> {
        ParsedSecret::parse(text, &[Prefix::default(), "old".parse().unwrap()])
    }

    #[test]
    fn golden_secret_stays_as_it_is() {
        assert_eq!(golden().print().expose(), GOLDEN);
        assert_eq!(GOLDEN.len(), 57);
        let api = ParsedSecret { kind: TokenKind::Api, ..golden() }.print();
        assert_eq!(api.expose().len(), 56);
        assert!(api.expose().bytes().all(|b| b.is_ascii_alphanumeric()), "{}", api.expose());
    }

    #[test]
    fn a_secret_that_is_brought_along_is_long_enough_and_visible() {
        let given = |text: &str| GivenSecret::new(text.to_owned()).map(drop);
        assert_eq!(given(&"x".repeat(20)), Ok(()));
        assert_eq!(given(&"~".repeat(255)), Ok(()));
        for (text, why) in [
            ("x".repeat(19), GivenSecretError::Length),
            ("x".repeat(256), GivenSecretError::Length),
            (format!("{} x", "x".repeat(20)), GivenSecretError::Characters),
            (format!("{}\0", "x".repeat(20)), GivenSecretError::Characters),
            ("ä".repeat(20), GivenSecretError::Characters),
        ] {
            assert_eq!(given(&text), Err(why), "{text}");
        }
    }

    #[test]
    fn foreign_and_damaged_texts_are_told_apart() {
        for foreign in ["", "secret", "clva_", "clvz", &GOLDEN[1..], &"ä".repeat(40)] {
            assert_eq!(parse(foreign).err(), Some(SecretError::Foreign), "{foreign}");
        }
        for strange in [GOLDEN.replace('9', "-"), GOLDEN.replace("gy", "g_")] {
            assert_eq!(parse(&strange).err(), Some(SecretError::Foreign), "{strange}");
        }
        assert_eq!(parse(&GOLDEN.replace("clva_", "clvx_")).err(), Some(SecretError::Foreign));
        assert_eq!(parse(&GOLDEN.replace("clva_", "clva")).err(), Some(SecretError::Foreign));
        assert_eq!(parse(&GOLDEN.replace("clva_", "clvk_")).err(), Some(SecretError::Foreign));
        assert_eq!(parse(&GOLDEN.replace("clva_", "nope_")).err(), Some(SecretError::Foreign));
        assert_eq!(parse(&GOLDEN.replace("clva_", "clvo_")).err(), Some(SecretError::Damaged));
        let large = format!("clva_{}", "z".repeat(46));
        let large = format!("{large}{}", std::str::from_utf8(&checksum(&large)).unwrap());
        assert_eq!(parse(&large).err(), Some(SecretError::Damaged), "out of range");
    }

    #[test]
    fn prefixes_that_were_used_before_stay_accepted() {
        let old = ParsedSecret { prefix: "old".parse().unwrap(), ..golden() }.print();
        assert_eq!(parse(old.expose()).unwrap().prefix.as_str(), "old");
        assert!(ParsedSecret::parse(old.expose(), &[Prefix::default()]).is_err());
    }

    #[test]
    fn prefix_keeps_the_length_of_every_kind_right() {
        for good in ["clv", "acme123", "abcdefghijk", "abcdefghijklmno"] {
            assert_eq!(good.parse::<Prefix>().unwrap().as_str(), good);
        }
        for bad in ["", "c", "clav", "1lv", "Clv", "c_v", "abcdefghijklmnopqrs"] {
            assert_eq!(bad.parse::<Prefix>(), Err(PrefixError), "{bad}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let all = format!("{:?} {:?} {:?}", golden(), golden().selector, golden().print());
        assert_eq!(all, "[secret] [secret] [secret]");
    }

    #[test]
    fn every_change_of_one_character_is_refused() {
        for (at, from) in GOLDEN.char_indices() {
            for to in (0..=127u8).map(char::from).filter(|to| *to != from) {
                let text = format!("{}{to}{}", &GOLDEN[..at], &GOLDEN[at + 1..]);
                assert!(parse(&text).is_err(), "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(
            kind in prop::sample::select(TokenKind::ALL),
            format: u8, generation: u8, selector: [u8; 16], mac: [u8; 16],
        ) {
            let (selector, mac) = (Selector(selector), Zeroizing::new(mac));
            let prefix = Prefix::default();
            let secret = ParsedSecret { prefix, kind, format, generation, selector, mac };
            let back = parse(secret.print().expose()).unwrap();
            prop_assert_eq!((back.prefix, back.kind), (prefix, kind));
            prop_assert_eq!((back.format, back.generation), (format, generation));
            prop_assert_eq!(back.selector.as_bytes(), secret.selector.as_bytes());
            prop_assert_eq!(&*back.mac, &*secret.mac);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            prop_assert!(parse(&text).is_err());
        }
    }
}
