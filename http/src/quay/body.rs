//! Bodies. They are read when the request arrives and judged only when the resource asks for them,
//! because this door refuses a caller before it looks at what he sends.

use std::convert::Infallible;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{error::QuayError, schema::Schema};
use crate::limit::{self, BodyError};

/// What was sent.
#[derive(Debug)]
pub(crate) struct Body {
    json: bool,
    bytes: Result<Bytes, BodyError>,
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let json = is_json(request.headers());
        let bytes = limit::read(request.into_body()).await;
        Ok(Self { json, bytes })
    }
}

/// `application/json` or `application/*+json`, parameters allowed.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

impl Body {
    /// The body as `T`, after `schema` has found it good.
    ///
    /// # Errors
    /// 415 for another content type, 413 for a body above the limit, 400 for anything else.
    pub(crate) fn read<T: DeserializeOwned>(&self, schema: &Schema) -> Result<T, QuayError> {
        let value = self.json()?;
        if value.is_null() {
            return Err(QuayError::invalid("Missing JSON body"));
        }
        schema.check(&value).map_err(QuayError::invalid)?;
        serde_json::from_value(value).map_err(|_| not_understood())
    }

    /// The same where a body may be left out, or be empty whatever its type.
    ///
    /// # Errors
    /// As [`Body::read`], for a body that is there.
    pub(crate) fn read_or_default<T: DeserializeOwned + Default>(
        &self,
        schema: &Schema,
    ) -> Result<T, QuayError> {
        match &self.bytes {
            Ok(bytes) if bytes.is_empty() => Ok(T::default()),
            _ => self.read(schema),
        }
    }

    fn json(&self) -> Result<Value, QuayError> {
        if !self.json {
            return Err(QuayError::framework(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Did not attempt to load JSON data because the request Content-Type was not \
                 'application/json'.",
            ));
        }
        match &self.bytes {
            Ok(bytes) => serde_json::from_slice(bytes).map_err(|_| not_understood()),
            Err(BodyError::TooLarge) => Err(QuayError::too_large()),
            Err(_) => Err(not_understood()),
        }
    }
}

fn not_understood() -> QuayError {
    QuayError::framework(
        StatusCode::BAD_REQUEST,
        "The browser (or proxy) sent a request that this server could not understand.",
    )
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{
        super::schema::{Field, Kind},
        *,
    };

    const SCHEMA: Schema = Schema(&[Field::required("title", Kind::String)]);

    #[derive(Debug, Default, Deserialize)]
    struct Titled {
        title: String,
    }

    fn body(kind: &str, bytes: &[u8]) -> Body {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        Body { json: is_json(&headers), bytes: Ok(Bytes::copy_from_slice(bytes)) }
    }

    fn status(body: &Body) -> u16 {
        let error = body.read::<Titled>(&SCHEMA).unwrap_err();
        error.render("").status().as_u16()
    }

    #[test]
    fn json_types_are_taken_and_others_refused() {
        let good = br#"{"title": "a"}"#;
        for kind in
            ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"]
        {
            assert_eq!(body(kind, good).read::<Titled>(&SCHEMA).unwrap().title, "a", "{kind}");
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "text/json", ""] {
            assert_eq!(status(&body(kind, good)), 415, "{kind}");
        }
    }

    #[test]
    fn last_of_duplicate_keys_wins() {
        let body = body("application/json", br#"{"title": "first", "title": "second"}"#);
        assert_eq!(body.read::<Titled>(&SCHEMA).unwrap().title, "second");
    }

    #[test]
    fn bad_bodies_are_refused_cleanly() {
        let deep = "[".repeat(100_000);
        for bytes in [&b""[..], b"{", b"{\"title\": \"\xff\"}", deep.as_bytes(), b"null", b"3"] {
            assert_eq!(status(&body("application/json", bytes)), 400);
        }
    }

    #[test]
    fn absent_body_is_a_default_where_it_may_be() {
        let body = body("application/json", b"");
        assert_eq!(body.read_or_default::<Titled>(&SCHEMA).unwrap().title, "");
    }

    #[test]
    fn body_above_the_limit_is_413_in_the_words_of_the_door() {
        assert_eq!(status(&Body { json: true, bytes: Err(BodyError::TooLarge) }), 413);
    }
}
