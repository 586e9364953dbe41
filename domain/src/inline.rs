//! Text that lies in its place when it is short, so that it takes no allocation to make and no
//! further look into memory to read.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// How many bytes lie in place: as many as make it 32 bytes, half a line of a cache.
const SHORT: usize = 30;

/// A text; nearly every name is short.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Inline(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    /// The first so many of the bytes; the others are zero.
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

impl Inline {
    /// `parts`, one behind the other.
    pub(crate) fn joined(parts: &[&str]) -> Self {
        let mut bytes = [0; SHORT];
        let mut free = bytes.as_mut_slice();
        for part in parts {
            let Some((place, rest)) = free.split_at_mut_checked(part.len()) else {
                return Self(Kept::Long(parts.concat().into()));
            };
            place.copy_from_slice(part.as_bytes());
            free = rest;
        }
        let length = SHORT - free.len();
        Self(Kept::Short(u8::try_from(length).unwrap_or_default(), bytes))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            // it was made of text
            Kept::Short(..) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Kept::Long(text) => text,
        }
    }

    /// The same as bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kept::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Kept::Long(text) => text.as_bytes(),
        }
    }

    /// How many bytes it takes beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Kept::Short(..) => 0,
            Kept::Long(text) => text.len(),
        }
    }
}

impl PartialOrd for Inline {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Inline {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Inline {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_is_itself_and_no_other() {
        for length in [0, 1, 29, 30, 31, 32, 255, 256, 300] {
            let text = "é".repeat(length / 2) + &"n".repeat(length % 2);
            let name = Inline::joined(&[&text]);
            assert_eq!(matches!(name.0, Kept::Short(..)), length <= SHORT);
            assert_eq!(name.as_str(), text);
            assert_eq!(name.as_bytes(), text.as_bytes());
            assert_eq!(name.heap_bytes(), if length <= SHORT { 0 } else { length });
            let (begin, end) = text.split_at(length / 3 / 2 * 2);
            assert_eq!(name, Inline::joined(&[begin, end]));
            for other in [text.clone() + "\0", text.clone() + "x", format!("x{text}")] {
                let (named, other) = (Inline::joined(&[&other]), other);
                assert_ne!(name, named);
                assert_eq!(name.cmp(&named), text.cmp(&other));
            }
        }
    }

    #[test]
    fn it_is_half_a_line_of_a_cache() {
        assert_eq!(size_of::<Inline>(), 32);
    }
}
