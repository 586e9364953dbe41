//! What a client sends: the query of a GET or the form of a POST, and a Basic login.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use claviger_service::passwords::Password;
use http::{HeaderMap, header::AUTHORIZATION};
use percent_encoding::percent_decode_str;

/// Padding or none: clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The parameters of a query or a form, decoded, in their order.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `name=value&name=value`; what is not UTF-8 is replaced, and so refused where it
    /// matters.
    pub(super) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decoded(name), decoded(value))
                })
                .collect(),
        )
    }

    /// The first value of a parameter.
    pub(super) fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Every value of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// A user name and what came with it.
#[derive(Debug)]
pub(super) struct Basic {
    pub user: String,
    pub secret: Password,
}

/// The header cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotBasic;

/// The Basic login of a request, if it has an `Authorization` header.
pub(super) fn basic(headers: &HeaderMap) -> Option<Result<Basic, NotBasic>> {
    let value = headers.get(AUTHORIZATION)?;
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        return None;
    }
    Some(read_basic(text).ok_or(NotBasic))
}

fn read_basic(text: &str) -> Option<Basic> {
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
    fn form_keeps_repeated_parameters_in_their_order() {
        let form = Form::read("scope=repository%3Aa%2Fb%3Apull+x&&service=reg&scope=&flag&scope=c");
        assert_eq!(form.all("scope").collect::<Vec<_>>(), ["repository:a/b:pull x", "", "c"]);
        assert_eq!(form.first("service"), Some("reg"));
        assert_eq!(form.first("flag"), Some(""));
        assert_eq!(form.first("missing"), None);
    }

    #[test]
    fn basic_is_read_as_clients_write_it() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(text).unwrap());
            basic(&headers)
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
