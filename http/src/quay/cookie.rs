//! The session cookie: one, `__Host-claviger` on https, `claviger` on plain http.
//!
//! Source: `SECURITY.md` section 4. Upstream's has another name; clients send back what they got.

use claviger_domain::UnixMillis;
use claviger_service::keys::OpaqueSecret;
use http::{HeaderMap, HeaderValue, header::COOKIE};
use time::{OffsetDateTime, format_description::FormatItem, macros::format_description};

const PLAIN: &str = "claviger";
const SECURE: &str = "__Host-claviger";
const HTTP_DATE: &[FormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// What the cookie is called.
pub(crate) const fn name(https: bool) -> &'static str {
    if https { SECURE } else { PLAIN }
}

/// The value that the browser holds; the first one counts.
pub(crate) fn read(headers: &HeaderMap, https: bool) -> Option<String> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).map(str::trim);
    let value = pairs.find_map(|pair| pair.strip_prefix(name(https))?.strip_prefix('='))?;
    Some(value.to_owned())
}

/// The header that gives the browser `secret`, until `expires_at` or until it is closed.
pub(crate) fn set(
    secret: &OpaqueSecret,
    expires_at: Option<UnixMillis>,
    https: bool,
) -> Option<HeaderValue> {
    let expires = expires_at
        .and_then(|at| {
            OffsetDateTime::from_unix_timestamp(at.seconds()).ok()?.format(HTTP_DATE).ok()
        })
        .map(|date| format!("; Expires={date}"))
        .unwrap_or_default();
    let secure = if https { "; Secure" } else { "" };
    let (name, secret) = (name(https), secret.expose());
    let text = format!("{name}={secret}{expires}; HttpOnly; Path=/; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_cookie_of_our_name_counts() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; clavigerx=1; claviger=one"));
        headers.append(COOKIE, HeaderValue::from_static("claviger=two; __Host-claviger=three"));
        assert_eq!(read(&headers, false).as_deref(), Some("one"));
        assert_eq!(read(&headers, true).as_deref(), Some("three"));
    }
}
