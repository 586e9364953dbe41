//! Lists: pages of resources, whole or as rows of the fields that were asked for.
//!
//! Source: `contract/astra.md` sections 4.2 and 4.3. Not here: the grammar of the query
//! (`claviger_domain::collection`).

use claviger_domain::{Error, collection::Field};
use claviger_service::collection::{Bad, Page, QueryError};
use serde::Serialize;
use serde_json::Value;

use super::{
    media::{Kind, Media},
    problem::{Flaw, Problem},
    reply::Reply,
};

#[derive(Serialize)]
struct Shown<S> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    items: Vec<Item<S>>,
    metadata: Metadata,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Item<S> {
    Whole(S),
    Row(Vec<Value>),
}

#[derive(Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The columns of each row; `None`: whole resources.
pub(crate) type Columns = Option<Vec<&'static Field>>;

/// 200 with a page of resources of one kind, as `show` shows each.
///
/// # Errors
/// Problem 34 when it cannot be written.
pub(crate) fn show<'a, T, S: Serialize>(
    media: Media,
    kind: &Kind,
    columns: &Columns,
    page: &'a Page<T>,
    show: impl Fn(&'a T) -> S,
) -> Result<Reply, Problem> {
    let item = |item: &'a T| match columns {
        Some(fields) => row(fields, &show(item)).map(Item::Row),
        None => Ok(Item::Whole(show(item))),
    };
    let items = page.items.iter().map(item).collect::<Result<_, Problem>>()?;
    let metadata = Metadata { count: page.count, next: page.next.clone() };
    Reply::shown(media, &Shown { kind: kind.list, version: kind.version, items, metadata })
}

/// What a resource has in `fields`; what it does not have is null, so that columns stay in place.
fn row(fields: &[&'static Field], resource: &impl Serialize) -> Result<Vec<Value>, Problem> {
    let shown = serde_json::to_value(resource).map_err(Error::internal)?;
    Ok(fields.iter().map(|field| shown.get(field.path).cloned().unwrap_or_default()).collect())
}

impl From<QueryError> for Problem {
    /// Of unknown parameters where there are some, else of bad values.
    fn from(error: QueryError) -> Self {
        let flaws = |bad: Vec<Bad>| bad.into_iter().map(|bad| Flaw::new(bad.name, bad.reason));
        if error.unknown.is_empty() {
            Self::parameters(flaws(error.invalid).collect())
        } else {
            Self::unknown_parameters(flaws(error.unknown).collect())
        }
    }
}
