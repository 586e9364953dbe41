//! Where a page of a search ended, as a text that its asker brings back. Nothing of it is kept.
//!
//! The text is base64 of a small JSON object with a MAC over it and over what was asked by whom, so
//! that it leads on with the same question alone. It names places by ids, and by such names only as
//! the asker may know.
//!
//! Not here: lists with filters and orders ([`crate::collection`]).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_domain::Error;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    keys::{KeyRing, KeyedHash, Purpose},
};

/// How many are given at once if nothing is said.
const USUAL: u64 = 100;
/// How many are given at once at the most.
pub const MOST: u64 = 1_000;

/// Which page is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paging<'a> {
    /// How many results at the most.
    pub limit: Option<u64>,
    /// What the page before gave.
    pub token: Option<&'a str>,
}

/// A page of what was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<T> {
    /// What was found.
    pub items: Vec<T>,
    /// What leads to the next page; `None`: there is none. A page may be short, or empty, and have
    /// a next one: it ends when enough was looked at.
    pub next: Option<String>,
}

/// Where a page ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Which of the sets that are looked through one after the other; 0 is the first, too.
    pub(crate) set: u8,
    /// Behind which key of it; empty: at its beginning.
    pub(crate) after: String,
    /// Inside what has that key, behind what.
    pub(crate) inside: Option<(String, i64)>,
}

impl Place {
    /// Behind `after` in a set.
    pub(crate) fn behind(set: u8, after: String) -> Self {
        Self { set, after, inside: None }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    at: Place,
    limit: Option<u64>,
    generation: u8,
    /// Empty while it is made.
    mac: String,
}

/// A page that is being read: of what, how large, and from where.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// What was asked by whom.
    bound: String,
    asked: Option<u64>,
    /// Where it begins.
    pub(crate) at: Place,
}

impl Turn {
    /// How many results at the most.
    pub(crate) fn limit(&self) -> usize {
        usize::try_from(self.asked.unwrap_or(USUAL).min(MOST)).unwrap_or(1)
    }
}

/// What is wrong with a page that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The text leads nowhere, or belongs to another question.
    Token,
    /// No page has this size.
    Limit,
    /// The text was given for pages of another size.
    OtherLimit,
}

impl App {
    /// Where the page begins that is asked for. `bound` is the question and who asks; with
    /// `same_size`, how much may be on a page belongs to it.
    pub(crate) fn turn(
        &self,
        bound: &impl Serialize,
        paging: Paging<'_>,
        same_size: bool,
    ) -> Result<Turn, Wrong> {
        let bound = serde_json::to_string(bound).map_err(|_| Wrong::Token)?;
        if paging.limit == Some(0) {
            return Err(Wrong::Limit);
        }
        let asked = paging.limit;
        let Some(token) = paging.token.filter(|token| !token.is_empty()) else {
            return Ok(Turn { bound, asked, at: Place::default() });
        };
        let written = read(&self.keys, &bound, token).ok_or(Wrong::Token)?;
        if same_size && asked.is_some() && asked != written.limit {
            return Err(Wrong::OtherLimit);
        }
        Ok(Turn { bound, asked: asked.or(written.limit), at: written.at })
    }

    /// The page, with the text that leads on from `end`.
    pub(crate) fn part<T>(
        &self,
        turn: &Turn,
        items: Vec<T>,
        end: Option<Place>,
    ) -> Result<Part<T>, Error> {
        let next = end.map(|at| make(&self.keys, turn, at)).transpose()?;
        Ok(Part { items, next })
    }
}

fn make(keys: &KeyRing, turn: &Turn, at: Place) -> Result<String, Error> {
    let generation = keys.generation();
    let written = Written { at, limit: turn.asked, generation, mac: String::new() };
    let hash = keys.keyed_hash(Purpose::Cursor, &signed(&turn.bound, &written)?);
    let mac = URL_SAFE_NO_PAD.encode(hash.lookup);
    print(&Written { mac, ..written })
}

/// What a text says; `None`: it is not ours, or belongs to another question.
fn read(keys: &KeyRing, bound: &str, token: &str) -> Option<Written> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let mut written: Written = serde_json::from_slice(&bytes).ok()?;
    // one spelling only: whatever is changed in a text spoils it
    if print(&written).ok()? != token {
        return None;
    }
    let mac = URL_SAFE_NO_PAD.decode(std::mem::take(&mut written.mac)).ok()?;
    let hash = KeyedHash { generation: written.generation, lookup: mac.try_into().ok()? };
    let signed = signed(bound, &written).ok()?;
    keys.matches(Purpose::Cursor, &signed, &hash).then_some(written)
}

/// What the MAC is over. What a list signs is an array of three, so neither passes for the other.
fn signed(bound: &str, written: &Written) -> Result<String, Error> {
    serde_json::to_string(&("search", bound, "", written)).map_err(Error::internal)
}

fn print(written: &Written) -> Result<String, Error> {
    serde_json::to_vec(written).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(Error::internal)
}
