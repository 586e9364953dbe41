//! Text and lists that lie in their place when they are short, so that they take no allocation to
//! make and no further look into memory to read.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
};

/// How many bytes lie in place: as many as make it 32 bytes, half a line of a cache.
const SHORT: usize = 30;

/// A text; nearly every name is short.
#[derive(Clone, PartialEq, Eq)]
pub struct InlineText(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    /// The first so many of the bytes; the others are zero.
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

impl InlineText {
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
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // it was made of text
            Kept::Short(..) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Kept::Long(text) => text,
        }
    }

    /// The same as bytes, which need not be looked through.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kept::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Kept::Long(text) => text.as_bytes(),
        }
    }

    /// How many bytes it takes beside itself.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Kept::Short(..) => 0,
            Kept::Long(text) => text.len(),
        }
    }
}

impl From<&str> for InlineText {
    fn from(text: &str) -> Self {
        Self::joined(&[text])
    }
}

impl AsRef<[u8]> for InlineText {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq<str> for InlineText {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Deref for InlineText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for InlineText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialOrd for InlineText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InlineText {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for InlineText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for InlineText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A list; up to `N` items lie in place.
#[derive(Clone)]
pub struct InlineList<T, const N: usize>(Items<T, N>);

#[derive(Clone)]
enum Items<T, const N: usize> {
    /// The first so many of the items; the others repeat the first.
    Short(u8, [T; N]),
    /// Too many, or none: none has no first item.
    Long(Box<[T]>),
}

impl<T: Copy, const N: usize> InlineList<T, N> {
    /// The places that lie in it, used or not; none when all of it lies elsewhere.
    pub fn places(&self) -> &[T] {
        match &self.0 {
            Items::Short(_, items) => items,
            Items::Long(_) => &[],
        }
    }

    /// How many bytes it takes beside itself.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Items::Short(..) => 0,
            Items::Long(all) => size_of_val(&**all),
        }
    }
}

impl<T, const N: usize> Deref for InlineList<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Items::Short(length, items) => items.get(..usize::from(*length)).unwrap_or(items),
            Items::Long(all) => all,
        }
    }
}

impl<T: Copy, const N: usize> From<&[T]> for InlineList<T, N> {
    fn from(items: &[T]) -> Self {
        match (items.first(), u8::try_from(items.len())) {
            (Some(first), Ok(length)) if items.len() <= N => {
                let item = |at| items.get(at).copied().unwrap_or(*first);
                Self(Items::Short(length, std::array::from_fn(item)))
            }
            _ => Self(Items::Long(items.into())),
        }
    }
}

impl<T: Copy, const N: usize, const M: usize> From<[T; M]> for InlineList<T, N> {
    fn from(items: [T; M]) -> Self {
        items.as_slice().into()
    }
}

impl<T: Copy, const N: usize> From<Vec<T>> for InlineList<T, N> {
    fn from(items: Vec<T>) -> Self {
        items.as_slice().into()
    }
}

impl<T: Copy, const N: usize> FromIterator<T> for InlineList<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a, T, const N: usize> IntoIterator for &'a InlineList<T, N> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq, const N: usize> PartialEq for InlineList<T, N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq, const N: usize> Eq for InlineList<T, N> {}

impl<T: fmt::Debug, const N: usize> fmt::Debug for InlineList<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_is_itself_and_no_other() {
        for length in [0, 1, 29, 30, 31, 32, 255, 256, 300] {
            let text = "é".repeat(length / 2) + &"n".repeat(length % 2);
            let name = InlineText::joined(&[&text]);
            assert_eq!(matches!(name.0, Kept::Short(..)), length <= SHORT);
            assert_eq!(name.as_str(), text);
            assert_eq!(name.as_bytes(), text.as_bytes());
            assert_eq!(name.heap_bytes(), if length <= SHORT { 0 } else { length });
            let (begin, end) = text.split_at(length / 3 / 2 * 2);
            assert_eq!(name, InlineText::joined(&[begin, end]));
            for other in [text.clone() + "\0", text.clone() + "x", format!("x{text}")] {
                let (named, other) = (InlineText::joined(&[&other]), other);
                assert_ne!(name, named);
                assert_eq!(name.cmp(&named), text.cmp(&other));
            }
        }
    }

    #[test]
    fn it_is_half_a_line_of_a_cache() {
        assert_eq!(size_of::<InlineText>(), 32);
    }

    #[test]
    fn a_list_of_any_length_is_itself_and_no_other() {
        for length in 0..300_u16 {
            let items: Vec<_> = (0..length).collect();
            let list: InlineList<u16, 3> = items.as_slice().into();
            assert_eq!(*list, *items);
            assert_eq!(list.heap_bytes(), if length <= 3 { 0 } else { items.len() * 2 });
            assert_eq!(list, items.iter().copied().collect());
            let longer: Vec<_> = (0..=length).collect();
            assert_ne!(list, longer.into());
        }
    }
}
