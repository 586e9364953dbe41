//! How this door, and the site where no door is, word what the porch refuses in their name.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header::ALLOW, request::Parts};

use super::{exchange, page, refusal::NOT_FOUND};
use crate::routes::Face;

/// Pages.
pub(crate) struct SiteFace;

impl Face for SiteFace {
    fn no_such_path(&self, _: &Parts) -> Response {
        NOT_FOUND.into_response()
    }

    fn no_such_method(&self, head: &Parts, allow: &[Method]) -> Response {
        let mut response = if head.method == Method::OPTIONS {
            StatusCode::OK.into_response()
        } else {
            let why = "This cannot be asked in this way.";
            page::refusal(StatusCode::METHOD_NOT_ALLOWED, why)
        };
        if head.uri.path() == exchange::PATH {
            exchange::allow_origins(response.headers_mut());
        }
        let allow: Vec<_> = allow.iter().chain([&Method::OPTIONS]).map(Method::as_str).collect();
        if let Ok(allow) = HeaderValue::from_str(&allow.join(", ")) {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }

    fn too_large(&self) -> Response {
        page::refusal(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.")
    }

    fn internal(&self) -> Response {
        page::refusal(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here.")
    }
}
