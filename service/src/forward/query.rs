//! One parameter of a query, read so that no upstream can read another value.

use std::borrow::Cow;

use super::target::{Ambiguous, hex};

/// The value of the parameter `name`; `None` when it is not there.
///
/// # Errors
/// [`Ambiguous`] when it is there twice or in other letters, or when the query is written in a way
/// that servers cut differently.
pub(super) fn parameter<'q>(
    query: &'q [u8],
    name: &str,
) -> Result<Option<Cow<'q, str>>, Ambiguous> {
    if query.contains(&b';') {
        return Err(Ambiguous);
    }
    let mut found = None;
    for pair in query.split(|byte| *byte == b'&') {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (key, value) = pair.split_at_checked(at).unwrap_or_default();
        let key = decode(key)?;
        if !key.eq_ignore_ascii_case(name) {
            continue;
        }
        if key != name || found.is_some() {
            return Err(Ambiguous);
        }
        found = Some(decode(value.strip_prefix(b"=").unwrap_or_default())?);
    }
    Ok(found)
}

fn decode(text: &[u8]) -> Result<Cow<'_, str>, Ambiguous> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return std::str::from_utf8(text).map(Cow::Borrowed).map_err(|_| Ambiguous);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next())? << 4 | hex(bytes.next())?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Ambiguous)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_is_decoded_once() {
        let from = |query: &'static str| parameter(query.as_bytes(), "from").unwrap();
        for (query, value) in [
            ("", None),
            ("mount=x", None),
            ("from=acme/app", Some("acme/app")),
            ("mount=sha256%3Aab&from=acme%2Fapp", Some("acme/app")),
            ("%66rom=a%252Fb&x", Some("a%2Fb")),
            ("from", Some("")),
            ("from=", Some("")),
            ("from=a=b", Some("a=b")),
            ("from=a+b", Some("a b")),
            ("fromm=x&rom=y", None),
        ] {
            assert_eq!(from(query).as_deref(), value, "{query}");
        }
    }

    #[test]
    fn parameter_with_two_readings_is_refused() {
        for query in [
            "from=a&from=b",
            "from=a&%66rom=b",
            "From=a",
            "from=a&FROM=b",
            "from=%",
            "from=%zz",
            "from=%ff",
            "%=1",
            "from=a;from=b",
            "a=1;from=b",
        ] {
            assert_eq!(parameter(query.as_bytes(), "from"), Err(Ambiguous), "{query}");
        }
    }
}
