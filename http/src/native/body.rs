//! Bodies. They are read when the request arrives and judged only when the resource asks for them:
//! who may not is refused before what he sends is looked at.

use std::convert::Infallible;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::{Map, Value};

use super::problem::{Flaw, Problem};
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

/// `application/json`, or the media type of a change (RFC 7396); parameters allowed.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind == "application/merge-patch+json"
}

impl Body {
    /// The members of the object that the body is.
    ///
    /// # Errors
    /// 415, 413, 400; 422 for JSON that is no object.
    pub(crate) fn members(self) -> Result<Members, Problem> {
        let bytes = self.bytes?;
        if !self.json {
            return Err(Problem::not_json());
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(left)) => Ok(Members { left, flaws: Vec::new() }),
            Ok(_) => Err(Problem::invalid(vec![Flaw::member("", "must be an object")])),
            Err(_) => Err(Problem::malformed()),
        }
    }

    /// The same where the body may be left out.
    ///
    /// # Errors
    /// As [`Body::members`], for a body that is there.
    pub(crate) fn members_if_any(self) -> Result<Members, Problem> {
        match &self.bytes {
            Ok(bytes) if bytes.is_empty() => Ok(Members { left: Map::new(), flaws: Vec::new() }),
            _ => self.members(),
        }
    }
}

/// A whole number, not negative, which JSON may write as `5`, `5.0` or `5e0`.
pub(super) fn whole(value: &Value) -> Option<u64> {
    // beyond this not every whole number has a float
    const LARGEST: f64 = 9_007_199_254_740_991.0;
    let float = || value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..=LARGEST).contains(n));
    value.as_u64().or_else(|| format!("{:.0}", float()?.abs()).parse().ok())
}

/// The members of a body, while they are read. What nobody has read when all is done is unknown.
#[derive(Debug)]
pub(crate) struct Members {
    left: Map<String, Value>,
    flaws: Vec<Flaw>,
}

impl Members {
    /// The member `name`, whatever it is.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.left.remove(name)
    }

    /// Says what is wrong with a member.
    pub(crate) fn flaw(&mut self, name: &'static str, text: impl Into<String>) {
        self.flaws.push(Flaw::member(name, text));
    }

    /// A member that is text.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.parse(name, "must be text", |value| value.as_str().map(str::to_owned))
    }

    /// A member that is true or false.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.parse(name, "must be true or false", Value::as_bool)
    }

    /// A member that is a whole number, not negative.
    pub(crate) fn number(&mut self, name: &'static str) -> Option<u64> {
        self.parse(name, "must be a whole number, not negative", whole)
    }

    /// A member as `read` reads it; `wrong` says what is wrong with what it does not read.
    pub(crate) fn parse<T>(
        &mut self,
        name: &'static str,
        wrong: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let found = read(&value);
        if found.is_none() {
            self.flaw(name, wrong);
        }
        found
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with all that is wrong.
    pub(crate) fn done(mut self) -> Result<(), Problem> {
        let unknown = self.left.keys().map(|name| Flaw::member(name, "is unknown"));
        self.flaws.extend(unknown);
        if self.flaws.is_empty() { Ok(()) } else { Err(Problem::invalid(self.flaws)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        assert_eq!(whole(&json!(5)), Some(5));
        assert_eq!(whole(&json!(5.0)), Some(5));
        assert_eq!(whole(&json!(-0.0)), Some(0));
        assert_eq!(whole(&json!(u64::MAX)), Some(u64::MAX));
        for bad in [json!(5.5), json!(-1), json!(1e300), json!("5"), json!(null)] {
            assert_eq!(whole(&bad), None, "{bad}");
        }
    }
}
