//! The master keys, one for each generation, as a file or a variable holds them.
//!
//! ```text
//! 1 q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=
//! 2 …
//! ```
//! A line is a generation (1 to 255) and 32 bytes in base64; a bare key is generation 1. Where the
//! text lies is the program's affair.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_domain::{Chance, time::random};
use zeroize::Zeroizing;

/// The key from which all others of a generation are derived.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A new key.
    pub fn draw(chance: &dyn Chance) -> Self {
        Self(Zeroizing::new(random(chance)))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why a text does not hold master keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// There is no key in it.
    #[error("holds no master key")]
    Empty,
    /// A line is not a generation and a key; its number, from 1.
    #[error("line {0} is not a generation (1 to 255) and a key of 32 bytes in base64")]
    Line(usize),
    /// Two lines are of the same generation.
    #[error("generation {0} stands there twice")]
    Twice(u8),
    /// There are 255 generations already.
    #[error("has no room for another generation")]
    Full,
}

/// The master keys of an installation, the oldest generation first.
#[derive(Debug)]
pub struct MasterKeys(Vec<(u8, MasterKey)>);

impl MasterKeys {
    /// Generation 1, newly drawn.
    pub fn draw(chance: &dyn Chance) -> Self {
        Self(vec![(1, MasterKey::draw(chance))])
    }

    /// Reads a key file, or a bare key.
    ///
    /// # Errors
    /// When a line is not what it must be; the sentence never shows it.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let mut keys: Vec<(u8, MasterKey)> = Vec::new();
        let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
        for (line, number) in lines {
            let (generation, key) = line.split_once([' ', '\t']).unwrap_or(("1", line));
            let generation = generation.parse().ok().filter(|generation| *generation > 0);
            let generation: u8 = generation.ok_or(MasterKeyError::Line(number))?;
            let mut bytes = Zeroizing::new([0; 32]);
            match STANDARD.decode_slice(key.trim(), bytes.as_mut_slice()) {
                Ok(32) => {}
                _ => return Err(MasterKeyError::Line(number)),
            }
            if keys.iter().any(|(known, _)| *known == generation) {
                return Err(MasterKeyError::Twice(generation));
            }
            keys.push((generation, MasterKey(bytes)));
        }
        keys.sort_by_key(|(generation, _)| *generation);
        if keys.is_empty() { Err(MasterKeyError::Empty) } else { Ok(Self(keys)) }
    }

    /// Draws the key of a new generation, the one after the newest; gives its number.
    ///
    /// # Errors
    /// [`MasterKeyError::Full`] after 255 of them.
    pub fn add_generation(&mut self, chance: &dyn Chance) -> Result<u8, MasterKeyError> {
        let next = self.newest().checked_add(1).ok_or(MasterKeyError::Full)?;
        self.0.push((next, MasterKey::draw(chance)));
        Ok(next)
    }

    /// The newest generation.
    pub fn newest(&self) -> u8 {
        self.0.last().map_or(0, |(generation, _)| *generation)
    }

    /// The key of `generation`.
    pub fn get(&self, generation: u8) -> Option<&MasterKey> {
        self.0.iter().find(|(known, _)| *known == generation).map(|(_, key)| key)
    }

    /// The text of the key file.
    pub fn to_text(&self) -> Zeroizing<String> {
        // as long as it will be, so that growing leaves no copy behind
        let mut text = Zeroizing::new(String::with_capacity(self.0.len() * 64));
        for (generation, key) in &self.0 {
            text.push_str(&generation.to_string());
            text.push(' ');
            STANDARD.encode_string(key.bytes(), &mut text);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn a_bare_key_is_generation_one_and_lines_are_sorted() {
        let bare = MasterKeys::parse(&format!("{KEY}\n")).unwrap();
        assert_eq!(bare.newest(), 1);
        assert_eq!(bare.get(1).unwrap().bytes()[31], 31);
        let text = format!("1 {KEY}\n2 {KEY}\n");
        assert_eq!(*MasterKeys::parse(&text).unwrap().to_text(), text);
        let turned = MasterKeys::parse(&format!("\n2  {KEY}\r\n1 {KEY}")).unwrap();
        assert_eq!(*turned.to_text(), text);
    }

    #[test]
    fn other_texts_are_refused_without_being_shown() {
        let short = "AAECAwQFBgcICQoLDA0ODw==";
        let long = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
        for bad in ["0 ", "256 ", "x ", "1 1 "].map(|before| format!("{before}{KEY}")) {
            assert_eq!(MasterKeys::parse(&bad).unwrap_err(), MasterKeyError::Line(1), "{bad}");
        }
        for bad in [short, long, "1", "not base64!"] {
            assert_eq!(MasterKeys::parse(bad).unwrap_err(), MasterKeyError::Line(1), "{bad}");
        }
        assert_eq!(MasterKeys::parse(" \n").unwrap_err(), MasterKeyError::Empty);
        let twice = format!("2 {KEY}\n2 {KEY}\n");
        assert_eq!(MasterKeys::parse(&twice).unwrap_err(), MasterKeyError::Twice(2));
        assert!(!format!("{:?}", MasterKeys::parse(KEY)).contains("AAEC"));
    }
}
