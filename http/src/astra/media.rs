//! In which media type a resource is answered.
//!
//! Source: `contract/astra.md` section 2.5.

use http::{HeaderMap, HeaderValue, header::ACCEPT};

use super::problem::Problem;

/// A kind of resource: what its `type` says, of one and of a list, and its `version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Such as `application/astra-token`.
    pub(crate) one: &'static str,
    /// Such as `application/astra-tokens`.
    pub(crate) list: &'static str,
    /// Such as `1.0`.
    pub(crate) version: &'static str,
}

/// The media type of an answer, as the client wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Media(pub(super) HeaderValue);

const JSON: &str = "application/json";

impl Kind {
    /// The media type that `headers` ask for: that of the resource, of one or of a list, only where
    /// it is named.
    ///
    /// # Errors
    /// 406 when nothing that we write is wanted.
    pub(crate) fn accepted(&self, headers: &HeaderMap) -> Result<Media, Problem> {
        let mut asked = headers.get_all(ACCEPT).iter().peekable();
        if asked.peek().is_none() {
            return Ok(Media(HeaderValue::from_static(JSON)));
        }
        let best = asked
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|range| self.fits(range))
            // the first of equal ones
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        let (_, media) = best.ok_or_else(Problem::format)?;
        HeaderValue::from_str(&media).map(Media).map_err(|_| Problem::format())
    }

    /// How much a range of an `Accept` header is wanted, in thousandths, and what fits it.
    fn fits(&self, range: &str) -> Option<(u16, String)> {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1000), |(_, weight)| thousandths(weight.trim()))?;
        let own = |kind: &str| name.strip_suffix("+json").is_some_and(|name| name == kind);
        let media = match name.as_str() {
            "*/*" | "application/*" | JSON => JSON.to_owned(),
            _ if own(&self.one.to_ascii_lowercase()) => format!("{}+json", self.one),
            _ if own(&self.list.to_ascii_lowercase()) => format!("{}+json", self.list),
            _ => return None,
        };
        (weight > 0).then_some((weight, media))
    }
}

fn thousandths(weight: &str) -> Option<u16> {
    let weight: f32 = weight.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    (0.0..=1.0).contains(&weight).then_some((weight * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Kind =
        Kind { one: "application/astra-token", list: "application/astra-tokens", version: "1.0" };

    #[test]
    fn resource_type_is_answered_where_it_is_named() {
        let media = |accept: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(ACCEPT, HeaderValue::from_static(value));
            }
            TOKEN.accepted(&headers).ok().map(|media| media.0.to_str().unwrap().to_owned())
        };
        let (one, list) = ("application/astra-token+json", "application/astra-tokens+json");
        for (accept, expected) in [
            (&[][..], Some(JSON)),
            (&["*/*"], Some(JSON)),
            (&["application/*"], Some(JSON)),
            (&[one], Some(one)),
            (&[list], Some(list)),
            (&["APPLICATION/astra-TOKEN+json; charset=utf-8"], Some(one)),
            (&["application/astra-token+json, */*"], Some(one)),
            (&["application/astra-token+json;q=0.5, */*"], Some(JSON)),
            (&["text/html", "application/json;q=0.1"], Some(JSON)),
            (&["text/csv"], None),
            (&["application/astra-user+json"], None),
            (&["*/*;q=0"], None),
            (&["*/*;q=x"], None),
            (&[""], None),
        ] {
            assert_eq!(media(accept).as_deref(), expected, "{accept:?}");
        }
    }
}
