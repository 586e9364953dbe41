//! What a path names.

use axum::extract::{FromRequestParts, Path};
use claviger_domain::Error;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The parameters of a path. What cannot be text names nothing.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::from_request_parts(head, state).await;
        let Path(named) =
            named.map_err(|_| Problem::from(Error::NotFound("thing of this name")))?;
        Ok(Self(named))
    }
}
