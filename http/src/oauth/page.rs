//! The few pages of this door: consent, refusals, and where the built-in application shows a token.
//! Plain HTML: no inline script or style, so that the strictest policy holds.

use std::fmt::{self, Display, Write as _};

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};

use super::scopes::ScopeView;
use crate::headers::POLICY;

const TEXT_HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-cache, no-store, must-revalidate");

/// Text in which nothing is markup.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = Text(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         </head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    );
    (status, [(CONTENT_TYPE, TEXT_HTML), (CACHE_CONTROL, NO_STORE)], html).into_response()
}

/// A page that says no.
pub(super) fn refusal(status: StatusCode, why: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    page(status, title, &format!("<p>{}</p>\n", Text(why)))
}

/// A page that says that something was done.
pub(super) fn message(text: &str) -> Response {
    page(StatusCode::OK, "Done", &format!("<p>{}</p>\n", Text(text)))
}

/// What the consent page asks about.
pub(super) struct Consent<'a> {
    /// The application's name, and what is said of it.
    pub application: &'a str,
    pub description: &'a str,
    /// The organisation that it belongs to.
    pub organisation: &'a str,
    /// Who is asked.
    pub user: &'a str,
    pub scopes: &'a [ScopeView],
    /// The origin that the browser is sent to.
    pub origin: &'a str,
    /// What both forms send, hidden.
    pub fields: &'a [(&'static str, &'a str)],
}

/// The consent page. Its policy allows the form to end at the consented origin.
pub(super) fn consent(consent: &Consent<'_>) -> Response {
    let mut body = String::new();
    let _ = writeln!(
        body,
        "<p><strong>{}</strong> of the organization <strong>{}</strong> asks to act for you, \
         <strong>{}</strong>. The answer goes to <strong>{}</strong>.</p>",
        Text(consent.application),
        Text(consent.organisation),
        Text(consent.user),
        Text(consent.origin),
    );
    if !consent.description.is_empty() {
        let _ = writeln!(body, "<p>{}</p>", Text(consent.description));
    }
    body.push_str("<p>It will be able to:</p>\n<dl>\n");
    for scope in consent.scopes {
        let mark = if scope.is_dangerous() { " (dangerous)" } else { "" };
        let (title, text) = (Text(scope.title()), Text(scope.description()));
        let _ = writeln!(body, "<dt>{title}{mark}</dt>\n<dd>{text}</dd>");
    }
    body.push_str("</dl>\n");
    for (action, label) in [("/oauth/authorizeapp", "Authorize"), ("/oauth/denyapp", "Cancel")] {
        let _ = writeln!(body, "<form method=\"post\" action=\"{action}\">");
        for (name, value) in consent.fields {
            let value = Text(value);
            let _ = writeln!(body, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        }
        let _ = writeln!(body, "<button type=\"submit\">{label}</button>\n</form>");
    }
    let title = format!("Authorize {}", consent.application);
    let mut response = page(StatusCode::OK, &title, &body);
    if let Ok(policy) = HeaderValue::from_str(&format!("{POLICY} {}", source(consent.origin))) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The origin, as a policy names it: applications on a device have a scheme of their own and no
/// host that a policy could name.
fn source(origin: &str) -> &str {
    match origin.split_once("://") {
        Some((scheme, _))
            if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") =>
        {
            origin.get(..=scheme.len()).unwrap_or_default()
        }
        _ => origin,
    }
}

/// The page of the built-in application: its script shows the token, which only the browser knows.
pub(super) fn local_application() -> Response {
    let body = "<p>Your token:</p>\n<p><code id=\"token\"></code></p>\n\
                <p>It is shown only here. Keep it like a password.</p>\n\
                <noscript><p>The address of this page holds the token, behind \
                <code>access_token=</code>.</p></noscript>\n\
                <script src=\"/oauth/localapp.js\"></script>\n";
    page(StatusCode::OK, "Token", body)
}

/// The script of [`local_application`].
pub(super) async fn local_application_script() -> Response {
    const SCRIPT: &str = "const token = new URLSearchParams(location.hash.slice(1)).get(\"access_token\");\n\
        document.getElementById(\"token\").textContent = token ?? \"none\";\n\
        history.replaceState(null, \"\", location.pathname);\n";
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const SCRIPT: &str = "\"><script>alert('x')</script>&";

    async fn text(response: Response) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn hostile(origin: &str) -> Response {
        consent(&Consent {
            application: SCRIPT,
            description: SCRIPT,
            organisation: SCRIPT,
            user: SCRIPT,
            scopes: &[],
            origin,
            fields: &[("state", SCRIPT)],
        })
    }

    #[tokio::test]
    async fn nothing_that_others_wrote_is_markup() {
        let html = text(hostile(SCRIPT)).await;
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("value=\"\""), "{html}");
        assert!(html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(!text(refusal(StatusCode::NOT_FOUND, SCRIPT)).await.contains("<script"));
    }

    #[test]
    fn consent_form_may_end_at_the_consented_origin_and_nowhere_else() {
        for (origin, source) in [
            ("https://app.example:8443", "https://app.example:8443"),
            ("com.example.app://done", "com.example.app:"),
        ] {
            let response = hostile(origin);
            let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.ends_with(&format!("form-action 'self' {source}")), "{policy}");
        }
    }
}
