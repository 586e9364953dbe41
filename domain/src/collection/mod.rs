//! Collections, as the Astra and native doors are asked for them: one grammar for all of them.
//!
//! ```text
//! ?include=id,name&filter=name in 'ci',metadata.labels[*].name eq 'env'&orderBy=name desc
//!  &limit=100&skip=10&count=true&continue=…
//! ```
//! A door says what a collection is with a [`Shape`]; [`ListQuery::parse`] reads a query string by it.
//! A page is remembered by the [`Position`] of its last item, not by a number of items, so that
//! nothing is shown twice or left out when others come and go.
//!
//! Source: `contract/astra.md`, section 4.
//! Not here: the rows (`store::collection`), the `continue` token (`service::collection`).

mod filter;
pub mod instant;
mod query;
mod shape;
#[cfg(test)]
mod tests;

pub use self::{
    filter::{Clause, Operand, Operator},
    instant::Instant,
    query::{Bad, ListQuery, QueryError, nothing},
    shape::{Field, Kind, Parameter, Shape},
};

/// In which order a collection is listed. Ties go by id, always upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The field; `None`: as the items were made.
    pub field: Option<&'static Field>,
    /// The greatest first.
    pub descending: bool,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last item's value of the field that orders; `None` when it has none.
    pub key: Option<Key>,
    /// Its id.
    pub id: String,
}

/// A value that orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A number, an instant in milliseconds.
    Int(i64),
    /// A text.
    Text(String),
}

/// What was asked of a collection, with the `continue` token understood.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The columns of each row; `None`: whole items.
    pub include: Option<Vec<&'static Field>>,
    /// The most items of this page; `None`: as many as we give.
    pub limit: Option<u64>,
    /// How many matches are passed over; of no meaning after a position.
    pub skip: u64,
    /// Whether all matches are counted.
    pub count: bool,
    /// What must hold of an item, all of it.
    pub filter: Vec<Clause>,
    /// In which order.
    pub order: Order,
    /// After which item this page begins.
    pub after: Option<Position>,
}
