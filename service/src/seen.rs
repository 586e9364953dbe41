//! Which state of a thing somebody has seen, so that nobody changes what he does not know.
//!
//! A tag names a state: what somebody could have changed, and not what happens by itself, such as
//! the last use of a token.

use std::fmt::Write as _;

use claviger_domain::{Conflict, Error};
use ring::digest::{SHA256, digest};

/// The states that somebody wants to change; `None`: whatever it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(Option<Vec<String>>);

impl Seen {
    /// One of the states with these tags.
    pub const fn one_of(tags: Vec<String>) -> Self {
        Self(Some(tags))
    }

    /// Checks that the thing is in such a state. `tag` is asked for only when it matters; one that
    /// is not there has none.
    ///
    /// # Errors
    /// [`Conflict::Changed`].
    pub(crate) fn check(&self, tag: impl FnOnce() -> Option<String>) -> Result<(), Error> {
        let Some(tags) = &self.0 else { return Ok(()) };
        match tag() {
            Some(tag) if tags.contains(&tag) => Ok(()),
            _ => Err(Conflict::Changed.into()),
        }
    }
}

/// The tag of a state. It tells states apart and protects nothing.
pub fn tag(state: &serde_json::Value) -> String {
    let mut tag = String::with_capacity(32);
    for byte in digest(&SHA256, state.to_string().as_bytes()).as_ref().iter().take(16) {
        // writing to a string does not fail
        let _ = write!(tag, "{byte:02x}");
    }
    tag
}
