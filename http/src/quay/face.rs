//! How this door words what the porch refuses in its name, and what every answer gets on its way
//! out: refusals become bytes, and scripts of other origins may read them.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, ALLOW, CONTENT_TYPE, VARY,
    },
    request::Parts,
};

use super::{
    error::{QuayError, TEXT_HTML},
    path::no_such_path,
};
use crate::routes::Face;

/// CORS, for callers that bring their credential themselves: no origin may use the cookie.
const CORS: [(HeaderName, HeaderValue); 4] = [
    (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, POST, PUT"),
    ),
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("21600")),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("AUTHORIZATION, CONTENT-TYPE, X-REQUESTED-WITH"),
    ),
];

/// The face of the door at `/api/v1`.
pub(crate) struct QuayFace {
    /// Where the door is reached from outside.
    pub(crate) public_url: String,
    /// Whether scripts of other origins may read the answers.
    pub(crate) cors: bool,
}

impl Face for QuayFace {
    fn no_such_path(&self, head: &Parts) -> Response {
        no_such_path(&head.method, &head.uri).into_response()
    }

    fn no_such_method(&self, head: &Parts, allow: &[Method]) -> Response {
        let mut response = if head.method == Method::OPTIONS {
            [(CONTENT_TYPE, TEXT_HTML)].into_response()
        } else {
            QuayError::framework(
                StatusCode::METHOD_NOT_ALLOWED,
                "The method is not allowed for the requested URL.",
            )
            .into_response()
        };
        let allow: Vec<_> = allow.iter().chain([&Method::OPTIONS]).map(Method::as_str).collect();
        if let Ok(allow) = HeaderValue::from_str(&allow.join(", ")) {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }

    fn too_large(&self) -> Response {
        QuayError::too_large().into_response()
    }

    fn internal(&self) -> Response {
        QuayError::internal().into_response()
    }

    fn finish(&self, mut response: Response) -> Response {
        let refusal = response.extensions_mut().remove::<QuayError>();
        if let Some(refusal) = &refusal {
            let mut bytes = refusal.render(&self.public_url);
            *bytes.extensions_mut() = std::mem::take(response.extensions_mut());
            bytes.headers_mut().extend(std::mem::take(response.headers_mut()));
            response = bytes;
        }
        if self.cors && refusal.is_none_or(|refusal| refusal.has_cors()) {
            response.headers_mut().extend(CORS);
        }
        response.headers_mut().entry(VARY).or_insert(HeaderValue::from_static("Cookie"));
        response
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, header::LOCATION};

    use super::*;

    fn answer(refused: impl FnOnce(&QuayFace) -> Response) -> Response {
        let face = QuayFace { public_url: "https://keys.example.com".to_owned(), cors: true };
        face.finish(refused(&face))
    }

    fn head(method: Method, path: &str) -> Parts {
        Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0
    }

    #[test]
    fn unknown_method_names_the_known_ones() {
        let allow = [Method::GET, Method::HEAD, Method::PUT];
        for (method, status) in [(Method::PATCH, 405), (Method::OPTIONS, 200)] {
            let head = head(method, "/api/v1/x");
            let response = answer(|face| face.no_such_method(&head, &allow));
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[ALLOW], "GET, HEAD, PUT, OPTIONS");
            assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        }
    }

    #[test]
    fn path_without_its_slash_is_moved_below_the_public_url() {
        let head = head(Method::GET, "/api/v1/user?a=b");
        let response = answer(|face| face.no_such_path(&head));
        assert_eq!(response.status(), 308);
        assert_eq!(response.headers()[LOCATION], "https://keys.example.com/api/v1/user/?a=b");
        assert!(!response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    }

    #[test]
    fn refusal_keeps_the_headers_that_a_handler_gave_it() {
        let response =
            answer(|_| ([("x-next-csrf-token", "t")], QuayError::not_found()).into_response());
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["x-next-csrf-token"], "t");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    }
}
