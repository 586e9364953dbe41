//! Several things that are nearly always one or none: those take no allocation.

use std::{mem, ops::Deref};

/// A few things, in the order in which they came.
#[derive(Clone, Debug)]
pub struct Few<T>(Kept<T>);

#[derive(Clone, Debug)]
enum Kept<T> {
    One(Option<T>),
    More(Vec<T>),
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Kept::One(None))
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Kept::One(one) => one.as_slice(),
            Kept::More(all) => all,
        }
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        for item in more {
            self.0 = match mem::replace(&mut self.0, Kept::One(None)) {
                Kept::One(None) => Kept::One(Some(item)),
                Kept::One(Some(first)) => Kept::More(vec![first, item]),
                Kept::More(mut all) => {
                    all.push(item);
                    Kept::More(all)
                }
            };
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Self::default();
        few.extend(items);
        few
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn a_few_things_keep_their_order() {
        for count in 0..5 {
            let few: Few<u32> = (0..count).collect();
            assert_eq!(*few, *(0..count).collect::<Vec<_>>());
        }
    }
}
