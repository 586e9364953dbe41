//! Pages of a collection, and the `continue` token that leads from one to the next.
//!
//! The token is base64 of a small JSON object: filter, order and skip of the result set, where the
//! page ended, and a MAC over these and over which collection it is. Nothing of it is kept; it can be
//! used again and does not end. Its characters are chosen so that base64 needs no `+`, `/` or `=`:
//! it survives clients that do not encode.
//!
//! Source: `contract/astra.md`, section 4.3.
//! Not here: the grammar (`domain::collection`), the rows (`store::collection`).

use std::fmt::Write as _;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
pub use claviger_domain::collection::{Asked, Bad, QueryError, Shape};
use claviger_domain::{
    Error,
    collection::{Key, ListQuery, Order, Parameter, Position},
};
use claviger_store::{Query, collection};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    keys::{KeyRing, KeyedHash, Purpose},
};

/// A page of a collection.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Its items.
    pub items: Vec<T>,
    /// How many match in all, when that was asked.
    pub count: Option<u64>,
    /// The token of the next page; `None`: there is none.
    pub next: Option<String>,
}

/// What a token says, in this order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The filter, as it can be asked again; empty: none.
    filter: String,
    /// The order, likewise.
    order: String,
    skip: u64,
    key: Option<WrittenKey>,
    id: String,
    generation: u8,
    /// Empty while it is made.
    mac: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenKey {
    Int(i64),
    Text(String),
}

/// A page to be read: of which collection, and what was asked of it.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What was asked.
    pub asked: Asked,
    shape: &'static Shape,
    whose: String,
}

impl App {
    /// What `raw`, a query string, asks of the collection `shape`. `whose` tells one collection of a
    /// shape from another, such as the account and user in its path.
    ///
    /// # Errors
    /// Every parameter that is unknown or has a bad value.
    pub fn listing(
        &self,
        shape: &'static Shape,
        whose: impl Into<String>,
        raw: &str,
    ) -> Result<Listing, QueryError> {
        let whose = whose.into();
        let asked = asked(&self.keys, shape, &whose, raw)?;
        Ok(Listing { asked, shape, whose })
    }

    /// Reads a page in a snapshot of one moment, and makes the token of the next one.
    ///
    /// # Errors
    /// What `page` says; [`Error::Unavailable`].
    pub(crate) async fn page<T: Send + 'static>(
        &self,
        list: Listing,
        page: impl FnOnce(&mut dyn Query, &Asked) -> Result<collection::Page<T>, Error> + Send + 'static,
    ) -> Result<Page<T>, Error> {
        let read = self.db.read(move |q: &mut dyn Query| Ok((page(q, &list.asked)?, list)));
        let (page, list) = read.await?;
        let token = |end| make(&self.keys, list.shape, &list.whose, &list.asked, end);
        let next = page.end.map(token).transpose()?;
        Ok(Page { items: page.items, count: page.count, next })
    }
}

fn asked(
    keys: &KeyRing,
    shape: &'static Shape,
    whose: &str,
    raw: &str,
) -> Result<Asked, QueryError> {
    let (query, mut error) = ListQuery::parse(shape, raw);
    let mut asked = Asked {
        include: query.include.clone(),
        limit: query.limit,
        skip: query.skip.unwrap_or(0),
        count: query.count,
        filter: query.filter.clone().unwrap_or_default(),
        order: query.order.unwrap_or(MADE),
        after: None,
    };
    if let Some(token) = &query.resume {
        match read(keys, shape, whose, token) {
            None => error.invalid(Parameter::Continue, "is not one that this collection gave"),
            Some((set, _)) if !repeats(&query, &set) => {
                let reason = "belongs to another filter, orderBy or skip";
                error.invalid(Parameter::Continue, reason);
            }
            Some((set, after)) => {
                asked.filter = set.filter.unwrap_or_default();
                asked.order = set.order.unwrap_or(MADE);
                asked.skip = set.skip.unwrap_or(0);
                asked.after = Some(after);
            }
        }
    }
    if error.unknown.is_empty() && error.invalid.is_empty() { Ok(asked) } else { Err(error) }
}

const MADE: Order = Order { field: None, descending: false };

/// Whether what `query` says of the result set is what `set` says, or nothing.
fn repeats(query: &ListQuery, set: &ListQuery) -> bool {
    (query.filter.is_none() || query.filter == set.filter)
        && (query.order.is_none() || query.order == set.order)
        && (query.skip.is_none() || query.skip == set.skip)
}

/// The token that leads to what comes after `end`.
fn make(
    keys: &KeyRing,
    shape: &Shape,
    whose: &str,
    asked: &Asked,
    end: Position,
) -> Result<String, Error> {
    let filter: Vec<String> = asked.filter.iter().map(ToString::to_string).collect();
    let order = match asked.order {
        Order { field: None, .. } => String::new(),
        Order { field: Some(field), descending: false } => field.path.to_owned(),
        Order { field: Some(field), descending: true } => format!("{} desc", field.path),
    };
    let written = Written {
        filter: filter.join(","),
        order,
        skip: asked.skip,
        key: end.key.map(|key| match key {
            Key::Int(number) => WrittenKey::Int(number),
            Key::Text(text) => WrittenKey::Text(text),
        }),
        id: end.id,
        generation: keys.generation(),
        mac: String::new(),
    };
    let hash = keys.keyed_hash(Purpose::Cursor, &signed(shape, whose, &written)?);
    print(&Written { mac: URL_SAFE_NO_PAD.encode(hash.lookup), ..written })
}

/// The result set and the position that a token speaks of; `None`: it is not ours, or was made for
/// another collection or with a key that is retired.
fn read(
    keys: &KeyRing,
    shape: &'static Shape,
    whose: &str,
    token: &str,
) -> Option<(ListQuery, Position)> {
    let bytes = STANDARD.decode(token).ok()?;
    let mut written: Written = serde_json::from_slice(&bytes).ok()?;
    // one spelling only: whatever is changed in a token spoils it
    if print(&written).ok()? != token {
        return None;
    }
    let mac = URL_SAFE_NO_PAD.decode(std::mem::take(&mut written.mac)).ok()?;
    let hash = KeyedHash { generation: written.generation, lookup: mac.try_into().ok()? };
    if !keys.matches(Purpose::Cursor, &signed(shape, whose, &written).ok()?, &hash) {
        return None;
    }
    let mut set = ListQuery::default();
    set.resume(shape, &written.filter, &written.order, written.skip).ok()?;
    let key = written.key.map(|key| match key {
        WrittenKey::Int(number) => Key::Int(number),
        WrittenKey::Text(text) => Key::Text(text),
    });
    Some((set, Position { key, id: written.id }))
}

/// What the MAC is over: which collection it is, and what the token says without its MAC.
fn signed(shape: &Shape, whose: &str, written: &Written) -> Result<String, Error> {
    serde_json::to_string(&(shape.name, whose, written)).map_err(Error::internal)
}

/// The token of `written`: ASCII without `>`, `?` and `~`, filled up to whole groups of base64.
fn print(written: &Written) -> Result<String, Error> {
    let json = serde_json::to_string(written).map_err(Error::internal)?;
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && !matches!(c, '>' | '?' | '~' | '\x7f') {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").map_err(Error::internal)?;
            }
        }
    }
    while !text.len().is_multiple_of(3) {
        text.push(' ');
    }
    Ok(STANDARD.encode(text))
}

#[cfg(test)]
mod tests;
