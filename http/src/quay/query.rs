//! Query parameters: of a repeated one the first counts, unknown ones are ignored.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query as AxumQuery};
use http::request::Parts;

/// The parameters of a request. A query that cannot be read has none.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = AxumQuery::try_from_uri(&head.uri);
        Ok(query.map_or_else(|_| Self::default(), |AxumQuery(pairs)| Self(pairs)))
    }
}

impl Query {
    /// The value of `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether `name` is there and says yes: everything but a few spellings of no does.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.text(name)
            .map(|value| !matches!(value, "false" | "False" | "FALSE" | "0" | "null" | ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn first_value_counts_and_nearly_everything_is_yes() {
        let uri = "/?a=1&a=0&no=no&f=False&e=&b=x+y%2F";
        let mut head = http::Request::get(uri).body(()).unwrap().into_parts().0;
        let query = Query::from_request_parts(&mut head, &()).await.unwrap();
        assert_eq!(query.text("b"), Some("x y/"));
        assert_eq!(query.flag("a"), Some(true));
        assert_eq!(query.flag("no"), Some(true));
        assert_eq!((query.flag("f"), query.flag("e")), (Some(false), Some(false)));
        assert_eq!(query.flag("absent"), None);
    }
}
