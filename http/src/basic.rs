//! A user name and a secret, as `Basic` brings them.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use claviger_service::passwords::Password;
use http::{HeaderMap, header::AUTHORIZATION};

/// Padding or none: clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A user name and what came with it.
#[derive(Debug)]
pub(crate) struct Basic {
    pub(crate) user: String,
    pub(crate) secret: Password,
}

/// The header cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotBasic;

/// The Basic login of a request, if it has an `Authorization` header.
pub(crate) fn read(headers: &HeaderMap) -> Option<Result<Basic, NotBasic>> {
    let value = headers.get(AUTHORIZATION)?;
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        return None;
    }
    Some(parse(text).ok_or(NotBasic))
}

/// The Basic login that the value of a header is.
pub(crate) fn parse(text: &str) -> Option<Basic> {
    let (scheme, code) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(code.trim()).ok()?).ok()?;
    let (user, secret) = pair.split_once(':')?;
    Some(Basic { user: user.to_owned(), secret: Password::given(secret) })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn basic_is_read_as_clients_write_it() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(text).unwrap());
            super::read(&headers)
                .map(|login| login.map(|basic| (basic.user, basic.secret.expose().to_owned())))
        };
        let pair = |user: &str, secret: &str| Some(Ok((user.to_owned(), secret.to_owned())));
        assert_eq!(read("Basic YWxpY2U6YTpi"), pair("alice", "a:b"));
        assert_eq!(read("bAsIc  YWxpY2U6"), pair("alice", ""));
        assert_eq!(read("Basic Og"), pair("", ""));
        assert_eq!(read(""), None);
        for bad in ["Basic !!!notbase64", "Basic bm9jb2xvbg==", "Bearer YWxpY2U6", "Basic", "x"] {
            assert_eq!(read(bad), Some(Err(NotBasic)), "{bad}");
        }
    }
}
