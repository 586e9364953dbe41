//! JSON as Python writes it: a space after every comma and colon, ASCII only, a line feed at the
//! end. Clients compare some of these bodies as text.

use std::io::{self, Write};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

pub(crate) const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer in this dialect's JSON.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match to_line(&self.0) {
            Ok(line) => ([(CONTENT_TYPE, APPLICATION_JSON)], line).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written as JSON");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// 204, which has a content type all the same.
#[derive(Debug)]
pub(crate) struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        (StatusCode::NO_CONTENT, [(CONTENT_TYPE, APPLICATION_JSON)]).into_response()
    }
}

/// `{"success": true}`.
#[derive(Debug, Serialize)]
pub(crate) struct Success {
    success: bool,
}

impl Success {
    pub(crate) const fn json() -> Json<Self> {
        Json(Self { success: true })
    }
}

/// `value` on one line, with a line feed at its end.
///
/// # Errors
/// When `value` refuses to be serialized.
pub(crate) fn to_line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(128);
    value.serialize(&mut Serializer::with_formatter(&mut line, Python))?;
    line.push(b'\n');
    Ok(line)
}

struct Python;

impl Formatter for Python {
    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| !c.is_ascii()) {
            let (plain, other) = rest.split_at(at);
            out.write_all(plain.as_bytes())?;
            let mut chars = other.chars();
            let mut units = [0; 2];
            for unit in chars.next().map_or(&[][..], |c| c.encode_utf16(&mut units)) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_written_as_python_writes_it() {
        let value = json!({"a": [1, "\u{43a}\u{1f511}\"\n\u{1}"], "b": {}, "c": null});
        assert_eq!(
            String::from_utf8(to_line(&value).unwrap()).unwrap(),
            "{\"a\": [1, \"\\u043a\\ud83d\\udd11\\\"\\n\\u0001\"], \"b\": {}, \"c\": null}\n"
        );
    }
}
