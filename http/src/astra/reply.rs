//! Answers: an item, a list, something made, nothing.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, ETAG, LOCATION},
};
use serde::Serialize;

use super::{etag::Etag, media::Media, problem::Problem};
use crate::headers::keep_nowhere;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    content: Option<(Media, Vec<u8>)>,
    etag: Option<Etag>,
    location: Option<String>,
}

impl Reply {
    /// 200 with a resource, or a list of some.
    ///
    /// # Errors
    /// Problem 34 when it cannot be written (so for all of these).
    pub(crate) fn shown(media: Media, resource: &impl Serialize) -> Result<Self, Problem> {
        let json = json(resource)?;
        let etag = Some(Etag::of(&json));
        Ok(Self { status: StatusCode::OK, content: Some((media, json)), etag, location: None })
    }

    /// 201 with what was made, which is to be found at `location` from now on.
    ///
    /// # Errors
    /// Problem 34.
    pub(crate) fn made(
        media: Media,
        resource: &impl Serialize,
        location: String,
    ) -> Result<Self, Problem> {
        let shown = Self::shown(media, resource)?;
        Ok(Self { status: StatusCode::CREATED, location: Some(location), ..shown })
    }

    /// The same, showing `whole` once: the tag stays that of the resource as it is shown later.
    ///
    /// # Errors
    /// Problem 34.
    pub(crate) fn showing_once(self, whole: &impl Serialize) -> Result<Self, Problem> {
        let json = json(whole)?;
        Ok(Self { content: self.content.map(|(media, _)| (media, json)), ..self })
    }

    /// 204.
    pub(crate) const fn none() -> Self {
        Self { status: StatusCode::NO_CONTENT, content: None, etag: None, location: None }
    }
}

/// The resource as it is written.
///
/// # Errors
/// Problem 34.
pub(crate) fn json(resource: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(resource).map_err(|error| claviger_domain::Error::internal(error).into())
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let (media, json) = self.content.unzip();
        let mut response = (self.status, Body::from(json.unwrap_or_default())).into_response();
        let headers = response.headers_mut();
        headers.remove(CONTENT_TYPE);
        if let Some(media) = media {
            headers.insert(CONTENT_TYPE, media.0);
        }
        if let Some(etag) = self.etag.and_then(|etag| etag.header()) {
            headers.insert(ETAG, etag);
        }
        if let Some(location) = self.location.and_then(|to| HeaderValue::from_str(&to).ok()) {
            headers.insert(LOCATION, location);
        }
        keep_nowhere(headers);
        response
    }
}
