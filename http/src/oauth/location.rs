//! Where the browser is sent with an answer. Parameters go behind those that the registered address
//! has; the token goes into the fragment, and never stands last there, because clients of Quay cut
//! it out at the next `&`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a form leaves as it is, beside letters and digits.
const FORM: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b' ');

/// `application/x-www-form-urlencoded`.
fn encode(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace(' ', "+")
}

/// `redirect_uri` with `parameters` behind those that it has.
pub(super) fn with_parameters(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<_> =
        parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let glue = if redirect_uri.contains('?') { '&' } else { '?' };
    format!("{redirect_uri}{glue}{}", pairs.join("&"))
}

/// An error, as the application hears of it.
pub(super) fn with_error(redirect_uri: &str, error: &str) -> String {
    with_parameters(redirect_uri, &[("error", error)])
}

/// The answer of the implicit grant.
pub(super) fn with_token(
    redirect_uri: &str,
    scope: &str,
    state: Option<&str>,
    token: &str,
    expires_in: i64,
) -> String {
    let query = with_parameters(redirect_uri, &scope_and_state(scope, state));
    format!("{query}#access_token={token}&token_type=Bearer&expires_in={expires_in}")
}

/// The answer of the code flow.
pub(super) fn with_code(
    redirect_uri: &str,
    scope: &str,
    state: Option<&str>,
    code: &str,
) -> String {
    let mut parameters = scope_and_state(scope, state);
    parameters.push(("code", code));
    with_parameters(redirect_uri, &parameters)
}

fn scope_and_state<'a>(scope: &'a str, state: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let state = state.map(|state| ("state", state));
    std::iter::once(("scope", scope)).chain(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_goes_into_the_fragment_and_is_not_the_last_there() {
        assert_eq!(
            with_token("https://a.b/cb", "repo:admin org:admin", Some("x&y 1"), "T", 9),
            "https://a.b/cb?scope=repo%3Aadmin+org%3Aadmin&state=x%26y+1\
             #access_token=T&token_type=Bearer&expires_in=9"
        );
    }

    #[test]
    fn parameters_of_the_registered_address_stay() {
        assert_eq!(
            with_code("https://a.b/cb?x=1", "repo:read", None, "C"),
            "https://a.b/cb?x=1&scope=repo%3Aread&code=C"
        );
        assert_eq!(with_error("https://a.b/", "invalid_scope"), "https://a.b/?error=invalid_scope");
    }

    #[test]
    fn state_cannot_break_out_of_its_parameter() {
        let location = with_token("https://a.b/", "", Some("\r\nx: y#&=\u{e4}"), "T", 1);
        assert!(location.contains("state=%0D%0Ax%3A+y%23%26%3D%C3%A4#access_token"), "{location}");
    }
}
