//! With what somebody comes: a token, or a user name and a password.
//!
//! Source: `contract/openshift.md` section 4.

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

/// What is in the header `Authorization`.
#[derive(Debug)]
pub(super) enum Login<'a> {
    /// A token.
    Bearer(&'a str),
    /// A user name and a password, neither of them blank.
    Basic(String, Password),
    /// Nothing that can be used.
    Nothing,
}

/// What a request comes with. Every scheme but `Bearer` counts as Basic, as upstream.
pub(super) fn read(headers: &HeaderMap) -> Login<'_> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, rest) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
    let rest = rest.trim();
    if scheme == "Bearer" && !rest.is_empty() {
        return Login::Bearer(rest);
    }
    basic(rest).unwrap_or(Login::Nothing)
}

fn basic(code: &str) -> Option<Login<'static>> {
    let pair = String::from_utf8(BASE64.decode(code).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    let blank = |text: &str| text.trim().is_empty();
    if blank(user) || blank(password) {
        return None;
    }
    Some(Login::Basic(user.to_owned(), Password::given(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        match read(&headers) {
            Login::Bearer(token) => format!("bearer {token}"),
            Login::Basic(user, password) => format!("{user} {}", password.expose()),
            Login::Nothing => String::new(),
        }
    }

    #[test]
    fn bearer_is_told_from_basic() {
        assert_eq!(login("Bearer   abc "), "bearer abc");
        for basic in ["Basic YWxpY2U6YTpi", "basic YWxpY2U6YTpi", "Other  YWxpY2U6YTpi"] {
            assert_eq!(login(basic), "alice a:b", "{basic}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_nothing() {
        // a blank password, a blank user, no colon, no base64
        for nothing in [
            "Basic YWxpY2U6",
            "Basic OmE=",
            "Basic YWxpY2U=",
            "Basic ?",
            "Bearer",
            "Bearer ",
            "",
            "bearer abc",
        ] {
            assert_eq!(login(nothing), "", "{nothing}");
        }
    }
}
