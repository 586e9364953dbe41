//! Under which id a name was found last. It is a hint: whoever takes it checks that the facts under
//! the id say the name.

use std::{mem::size_of, sync::Arc};

use claviger_domain::{id::PrincipalId, inline::InlineText};

use crate::table::{AROUND, Keyed, State, Table};

/// So much of `cache.memory` is room for hints.
const SHARE: usize = 20;
/// What a hint weighs, about.
const EACH: u64 = 112;

struct Hint {
    name: InlineText,
    id: PrincipalId,
}

impl Keyed for Hint {
    type Key = str;

    fn key(&self) -> &str {
        &self.name
    }

    fn weight(&self) -> u64 {
        u64::try_from(AROUND + size_of::<Self>() + self.name.heap_bytes()).unwrap_or(u64::MAX / 2)
    }

    fn touch(&self) -> u64 {
        let [first, ..] = self.id.bytes();
        u64::from(first) ^ self.name.as_bytes().len() as u64
    }
}

/// Ids by names.
pub(crate) struct Hints(Table<Hint>);

impl Hints {
    /// Beside facts that take `memory_bytes`.
    pub(crate) fn new(memory_bytes: usize) -> Self {
        let bytes = u64::try_from(memory_bytes / SHARE).unwrap_or(u64::MAX);
        Self(Table::new(State::default(), bytes, EACH))
    }

    /// The id that `name` had.
    pub(crate) fn get(&self, name: &str) -> Option<PrincipalId> {
        self.0.get(name).map(|hint| hint.id)
    }

    /// `name` has this id.
    pub(crate) fn keep(&self, name: &str, id: PrincipalId) {
        self.0.keep(Arc::new(Hint { name: name.into(), id }));
    }
}
