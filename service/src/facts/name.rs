//! The name of a repository as the key of its fact.

use std::hash::{Hash, Hasher};

use quick_cache::Equivalent;

/// How many bytes of a name lie in the key itself: as many as make it 32 bytes.
const SHORT: usize = 30;

/// A name. A short one is found without another look into memory, and nearly every name is short.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// The first so many of the bytes; the others are zero.
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

impl Name {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short(length, bytes)
            }
            _ => Self::Long(text.into()),
        }
    }
}

/// As its text, by which it is looked for.
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::str::from_utf8(self.bytes()).unwrap_or_default().hash(state);
    }
}

impl Equivalent<Name> for str {
    fn equivalent(&self, name: &Name) -> bool {
        self.as_bytes() == name.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn a_name_of_any_length_is_found_by_its_text_and_by_no_other() {
        let state = RandomState::new();
        for length in [0, 1, 29, 30, 31, 255, 256, 300] {
            let text = "é".repeat(length / 2) + &"n".repeat(length % 2);
            let name = Name::from(text.clone());
            assert_eq!(matches!(name, Name::Short(..)), length <= SHORT);
            assert_eq!((name.len(), state.hash_one(&name)), (length, state.hash_one(&text)));
            assert!(text.as_str().equivalent(&name) && name == Name::from(text.clone()));
            for other in [text.clone() + "\0", text.clone() + "x", format!("x{text}")] {
                assert!(!other.as_str().equivalent(&name) && name != Name::from(other));
            }
        }
    }

    #[test]
    fn a_key_is_half_a_cache_line() {
        assert_eq!(size_of::<Name>(), 32);
    }
}
