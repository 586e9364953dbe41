//! What the original request was, as each proxy says it, and with what its client comes.
//!
//! | proxy | method | path and query |
//! | --- | --- | --- |
//! | nginx | `X-Original-Method` | `X-Original-URL`, a whole URL |
//! | Traefik, Caddy | `X-Forwarded-Method` | `X-Forwarded-Uri` |
//! | Envoy | that of the sub-request | behind our prefix |
//!
//! The headers of the other proxies are not looked at: they can be the client's own.

use claviger_service::forward::{Asked, Login, Target};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE, request::Parts};

use super::answer::Words;
use crate::{
    basic::{self, Basic},
    client_ip::FORWARDED_FOR,
};

const ENVOY: &str = "/forward/envoy";
const BEARER: &str = "bearer ";

/// A header that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    OriginalMethod,
    OriginalUrl,
    ForwardedMethod,
    ForwardedUri,
    Authorization,
    Secret,
}

impl Read {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "x-original-method" => Self::OriginalMethod,
            "x-original-url" => Self::OriginalUrl,
            "x-forwarded-method" => Self::ForwardedMethod,
            "x-forwarded-uri" => Self::ForwardedUri,
            "authorization" => Self::Authorization,
            "x-forward-secret" => Self::Secret,
            _ => return None,
        })
    }
}

/// What a sub-request says in its headers, which are looked through once.
#[derive(Default)]
pub(super) struct Said<'h> {
    values: [Times<'h>; 6],
    /// The body of the original request may say what a query says.
    form: bool,
    disguised: bool,
}

#[derive(Clone, Copy, Default)]
enum Times<'h> {
    #[default]
    Never,
    Once(&'h HeaderValue),
    Often,
}

impl<'h> Said<'h> {
    pub(super) fn read(headers: &'h HeaderMap) -> Self {
        let mut said = Self::default();
        for (name, value) in headers {
            let name = name.as_str();
            if let Some(read) = Read::of(name) {
                if let Some(times) = said.values.get_mut(read as usize) {
                    *times = match times {
                        Times::Never => Times::Once(value),
                        Times::Once(_) | Times::Often => Times::Often,
                    };
                }
            } else if name == CONTENT_TYPE.as_str() {
                said.form |= is_form(value);
            } else if name.as_bytes().contains(&b'_') {
                said.disguised |= is_disguised(name);
            }
        }
        said
    }

    fn times(&self, read: Read) -> Times<'h> {
        self.values.get(read as usize).copied().unwrap_or_default()
    }

    /// The value of a header that must be there once.
    pub(super) fn only(&self, read: Read) -> Result<&'h [u8], Words> {
        match self.times(read) {
            Times::Once(value) => Ok(value.as_bytes()),
            Times::Never | Times::Often => Err(Words::HEADER),
        }
    }

    /// With what the client comes.
    pub(super) fn login(&self) -> Result<Login<'h>, Words> {
        let value = match self.times(Read::Authorization) {
            Times::Never => return Ok(Login::Nobody),
            Times::Once(value) => value,
            Times::Often => return Err(Words::HEADER),
        };
        let Ok(text) = value.to_str() else { return Ok(Login::Unreadable) };
        let text = text.trim();
        if text.is_empty() {
            return Ok(Login::Nobody);
        }
        if let Some((scheme, token)) = text.split_at_checked(BEARER.len())
            && scheme.eq_ignore_ascii_case(BEARER)
        {
            return Ok(Login::Bearer(token.trim()));
        }
        Ok(match basic::parse(text) {
            Some(Basic { user, secret }) => Login::Basic { user, secret },
            None => Login::Unreadable,
        })
    }
}

/// Whether `name`, which has an underscore, is for some servers that of a header which is read:
/// they take `X_Original_URL` for `X-Original-URL`. Where one comes by, somebody tries what we are.
fn is_disguised(name: &str) -> bool {
    let plain = name.replace('_', "-");
    Read::of(&plain).is_some() || [FORWARDED_FOR, CONTENT_TYPE].iter().any(|read| *read == *plain)
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    Nginx,
    Traefik,
    Caddy,
    Envoy,
}

impl Proxy {
    pub(super) const ALL: [Self; 4] = [Self::Nginx, Self::Traefik, Self::Caddy, Self::Envoy];

    pub(super) const fn template(self) -> &'static str {
        match self {
            Self::Nginx => "/forward/nginx",
            Self::Traefik => "/forward/traefik",
            Self::Caddy => "/forward/caddy",
            Self::Envoy => "/forward/envoy/{path*}",
        }
    }

    /// The proxy that asks at `path`.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/forward/nginx" => Some(Self::Nginx),
            "/forward/traefik" => Some(Self::Traefik),
            "/forward/caddy" => Some(Self::Caddy),
            _ => path.strip_prefix(ENVOY)?.starts_with('/').then_some(Self::Envoy),
        }
    }

    /// What it asks about.
    pub(super) fn asked<'h>(self, head: &'h Parts, said: &Said<'h>) -> Result<Asked<'h>, Words> {
        if said.disguised {
            return Err(Words::HEADER);
        }
        let (method, target) = match self {
            Self::Nginx => {
                let target = Target::read_url(said.only(Read::OriginalUrl)?);
                (said.only(Read::OriginalMethod)?, target)
            }
            Self::Traefik | Self::Caddy => {
                let target = Target::read(said.only(Read::ForwardedUri)?);
                (said.only(Read::ForwardedMethod)?, target)
            }
            Self::Envoy => {
                // `GET http://host/path` is for a proxy, which this is not
                let origin_form = head.uri.scheme().is_none() && head.uri.authority().is_none();
                let whole = head.uri.path_and_query().filter(|_| origin_form);
                let target = whole.and_then(|whole| whole.as_str().strip_prefix(ENVOY));
                (
                    head.method.as_str().as_bytes(),
                    Target::read(target.unwrap_or_default().as_bytes()),
                )
            }
        };
        let target = target.map_err(|_| Words::AMBIGUOUS)?;
        Ok(Asked { method, target, form: said.form })
    }
}

/// Whether a content type is that of a form.
fn is_form(value: &HeaderValue) -> bool {
    let forms = ["application/x-www-form-urlencoded", "multipart/form-data"];
    let kind = value.as_bytes().split(|byte| matches!(byte, b';' | b',')).next();
    let kind = kind.unwrap_or_default().trim_ascii();
    forms.iter().any(|form| kind.eq_ignore_ascii_case(form.as_bytes()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method("GET").uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn asked(target: &str, headers: &[(&str, &str)]) -> Option<(String, String)> {
        let head = head(target, headers);
        let asked = Proxy::of(head.uri.path())?.asked(&head, &Said::read(&head.headers)).ok()?;
        let method = String::from_utf8(asked.method.to_vec()).unwrap();
        Some((method, asked.target.path().to_owned()))
    }

    const NGINX: [(&str, &str); 2] =
        [("x-original-method", "PUT"), ("x-original-url", "https://app.example.com/a/b?c")];
    const CADDY: [(&str, &str); 2] = [("x-forwarded-method", "PUT"), ("x-forwarded-uri", "/a/b?c")];

    #[test]
    fn each_proxy_is_read_in_its_own_way_only() {
        let put = Some(("PUT".to_owned(), "/a/b".to_owned()));
        let get = Some(("GET".to_owned(), "/a/b".to_owned()));
        assert_eq!(asked("/forward/nginx", &NGINX), put);
        assert_eq!(asked("/forward/nginx", &CADDY), None);
        for path in ["/forward/traefik", "/forward/caddy"] {
            assert_eq!(asked(path, &CADDY), put);
            assert_eq!(asked(path, &NGINX), None);
        }
        for headers in [&[][..], &NGINX, &CADDY] {
            assert_eq!(asked("/forward/envoy/a/b?c", headers), get);
        }
        assert_eq!(asked("/forward/envoy/", &[]).unwrap().1, "/");
        for nowhere in
            ["/forward", "/forward/", "/forward/nginx/", "/forward/envoy", "/forward/envoyx"]
        {
            assert_eq!(asked(nowhere, &NGINX), None, "{nowhere}");
        }
        assert_eq!(asked("http://x/forward/envoy/a", &[]), None);
    }

    #[test]
    fn what_is_missing_doubled_or_disguised_is_refused() {
        for at in 0..2 {
            let missing: Vec<_> = [NGINX[1 - at]].to_vec();
            assert_eq!(asked("/forward/nginx", &missing), None);
            let doubled = [&NGINX[..], &[NGINX[at]]].concat();
            assert_eq!(asked("/forward/nginx", &doubled), None);
            let doubled = [&CADDY[..], &[CADDY[at]]].concat();
            assert_eq!(asked("/forward/caddy", &doubled), None);
        }
        for name in [
            "X_Original_URL",
            "x_original-method",
            "x-forwarded_uri",
            "x_forwarded_for",
            "x_forward_secret",
            "content_type",
        ] {
            let disguised = [&NGINX[..], &[(name, "x")]].concat();
            assert_eq!(asked("/forward/nginx", &disguised), None, "{name}");
        }
        let harmless = [&NGINX[..], &[("x_other", "x")]].concat();
        assert!(asked("/forward/nginx", &harmless).is_some());
    }

    #[test]
    fn form_is_told_by_its_type() {
        for (kind, form) in [
            ("application/x-www-form-urlencoded", true),
            ("Application/X-WWW-Form-Urlencoded ; charset=utf-8", true),
            ("multipart/form-data; boundary=x", true),
            ("application/octet-stream", false),
            ("", false),
        ] {
            let head = head("/", &[("content-type", "text/plain"), ("content-type", kind)]);
            assert_eq!(Said::read(&head.headers).form, form, "{kind}");
        }
    }

    #[test]
    fn login_is_bearer_or_basic() {
        let login = |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
            match Said::read(&head("/", &headers).headers).login() {
                Ok(Login::Nobody) => "nobody".to_owned(),
                Ok(Login::Bearer(token)) => format!("bearer {token}"),
                Ok(Login::Basic { user, secret }) => format!("{user} {}", secret.expose()),
                Ok(Login::Unreadable) => "unreadable".to_owned(),
                Err(_) => "refused".to_owned(),
            }
        };
        for (values, read) in [
            (&[][..], "nobody"),
            (&[""], "nobody"),
            (&["bEaReR  abc "], "bearer abc"),
            (&["Basic YWxpY2U6YTpi"], "alice a:b"),
            (&["Bearer"], "unreadable"),
            (&["Basic ?"], "unreadable"),
            (&["Digest x"], "unreadable"),
            (&["Bearer a", "Bearer a"], "refused"),
        ] {
            assert_eq!(login(values), read, "{values:?}");
        }
    }
}
