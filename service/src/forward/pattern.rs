//! The path of a route: segments, of which some stand for any.
//!
//! ```text
//! {x}    one segment          {x*}   one or more          **   any number, also none
//! ```
//! Of `{x*}` and `**` a path has at most one, so that there is one way only to match it.

/// What a route's path is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    before: Vec<Piece>,
    middle: Middle,
    after: Vec<Piece>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    One,
}

/// What may lie between `before` and `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Middle {
    Nothing,
    /// `{x*}`
    Some,
    /// `**`
    Any,
}

/// Where in a path a variable stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind so many segments from the left.
    Before(usize),
    Middle,
    /// Behind so many segments from the right.
    After(usize),
}

/// The variables of a path, by name.
pub(super) type Variables<'t> = Vec<(&'t str, Place)>;

impl Pattern {
    /// Reads a template, and where its variables stand.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence about the path.
    pub(super) fn read(template: &str) -> Result<(Self, Variables<'_>), &'static str> {
        let path = template.strip_prefix('/').ok_or("which does not begin with `/`")?;
        let mut pattern = Self { before: Vec::new(), middle: Middle::Nothing, after: Vec::new() };
        let mut variables = Variables::new();
        let count = path.split('/').count();
        for (at, segment) in path.split('/').enumerate() {
            let in_front = pattern.middle == Middle::Nothing;
            let name = variable(segment)?;
            let many = name.and_then(|name| name.strip_suffix('*'));
            let (name, place) = if segment == "**" || many.is_some() {
                if !in_front {
                    return Err("which has more than one `{name*}` or `**`");
                }
                pattern.middle = if many.is_some() { Middle::Some } else { Middle::Any };
                (many, Place::Middle)
            } else {
                let piece = match name {
                    Some(_) => Piece::One,
                    None if segment.is_empty() && at + 1 < count => return Err(NO_REQUEST),
                    None => Piece::Text(segment.into()),
                };
                let pieces = if in_front { &mut pattern.before } else { &mut pattern.after };
                pieces.push(piece);
                (name, if in_front { Place::Before(at) } else { Place::After(count - at - 1) })
            };
            if let Some(name) = name {
                if variables.iter().any(|(known, _)| *known == name) {
                    return Err("which has two variables of one name");
                }
                variables.push((name, place));
            }
        }
        Ok((pattern, variables))
    }

    /// Whether `path` has this form.
    pub(super) fn fits(&self, path: &str) -> bool {
        self.middle_of(path).is_some()
    }

    /// What lies in the middle, with its leading slash; `None` when `path` has another form.
    fn middle_of<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut left = path;
        for piece in &self.before {
            let rest = left.strip_prefix('/')?;
            // looking for a byte costs a quarter of looking for a character
            let end = rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
            let (segment, after) = rest.split_at_checked(end)?;
            piece.fits(segment).then_some(())?;
            left = after;
        }
        for piece in self.after.iter().rev() {
            let (before, rest) = left.split_at_checked(left.bytes().rposition(|b| b == b'/')?)?;
            piece.fits(rest.strip_prefix('/')?).then_some(())?;
            left = before;
        }
        let good = match self.middle {
            Middle::Nothing => left.is_empty(),
            // only the last segment of a path can be empty
            Middle::Some => left.len() > 1 && !left.ends_with('/'),
            Middle::Any => true,
        };
        good.then_some(left)
    }

    /// What `path`, which has this form, has in `place`.
    pub(super) fn at<'p>(&self, place: Place, path: &'p str) -> &'p str {
        let found = match place {
            // the first of all is what stands before the leading slash
            Place::Before(at) => path.split('/').nth(at + 1),
            Place::Middle => self.middle_of(path).map(|middle| middle.trim_start_matches('/')),
            Place::After(at) => path.rsplit('/').nth(at),
        };
        found.unwrap_or_default()
    }

    /// Whether every path of the form `other` has this form, too.
    ///
    /// It is tried with segments that nobody can have written into a template: whatever fits them
    /// fits every segment. More of them than this pattern is long tell nothing new.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let most = self.before.len() + self.after.len() + 1;
        let counts = match other.middle {
            Middle::Nothing => 0..=0,
            Middle::Some => 1..=most,
            Middle::Any => 0..=most,
        };
        counts.into_iter().all(|count| {
            let whole = other.example(count);
            let open = other.middle == Middle::Any && other.after.is_empty();
            (whole.is_empty() || self.fits(&whole)) && (!open || self.fits(&(whole + "/")))
        })
    }

    /// A path of this form with `count` segments in the middle, and nothing behind the last slash
    /// that is not in the template.
    fn example(&self, count: usize) -> String {
        let pieces = |pieces: &[Piece]| -> String {
            let text = |piece: &Piece| match piece {
                Piece::Text(text) => format!("/{text}"),
                Piece::One => UNHEARD_OF.to_owned(),
            };
            pieces.iter().map(text).collect()
        };
        [pieces(&self.before), UNHEARD_OF.repeat(count), pieces(&self.after)].concat()
    }
}

/// A segment that no template and no request can have.
const UNHEARD_OF: &str = "/\u{1}";
const NO_REQUEST: &str = "which no request can have";

impl Piece {
    fn fits(&self, segment: &str) -> bool {
        match self {
            Self::Text(text) => **text == *segment,
            Self::One => !segment.is_empty(),
        }
    }
}

/// The variable that a segment is, with its `*`.
fn variable(segment: &str) -> Result<Option<&str>, &'static str> {
    if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let plain = is_name(name.strip_suffix('*').unwrap_or(name));
        return if plain { Ok(Some(name)) } else { Err("whose variables are not `{name}`") };
    }
    if segment == "**" {
        return Ok(None);
    }
    if segment.contains(['{', '}', '*']) {
        return Err("in which a variable is not a whole segment");
    }
    let never = |c: char| c.is_control() || matches!(c, '\\' | '%' | ';' | '?' | '#');
    if segment.contains(never) || matches!(segment, "." | "..") {
        return Err(NO_REQUEST);
    }
    Ok(None)
}

/// Whether `text` can be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(template: &str) -> Pattern {
        Pattern::read(template).unwrap().0
    }

    #[test]
    fn form_is_matched_segment_by_segment() {
        for (template, good, bad) in [
            ("/", &["/"][..], &["/x", "/x/"][..]),
            ("/v2/", &["/v2/"], &["/v2", "/v2/x", "/V2/"]),
            ("/a/{x}", &["/a/b", "/a/b.c"], &["/a", "/a/", "/a/b/", "/a/b/c", "/b/b"]),
            ("/a/{x}/", &["/a/b/"], &["/a/b", "/a//", "/a/b/c"]),
            ("/a/{x*}", &["/a/b", "/a/b/c"], &["/a", "/a/", "/a/b/"]),
            ("/a/{x*}/z", &["/a/b/z", "/a/b/c/z", "/a/z/z"], &["/a/z", "/a/b/z/", "/b/z"]),
            ("/a/{x*}/z/{y}", &["/a/b/z/c", "/a/z/z/z"], &["/a/b/z", "/a/b/z/", "/a/z/c"]),
            ("/**", &["/", "/a", "/a/", "/a/b"], &[]),
            ("/a/**", &["/a", "/a/", "/a/b", "/a/b/"], &["/", "/ab", "/b/a"]),
            ("/**/z", &["/z", "/a/z", "/a/b/z"], &["/", "/z/", "/az"]),
            ("/a/**/z", &["/a/z", "/a/b/c/z"], &["/a", "/z", "/az", "/a/b"]),
        ] {
            let pattern = pattern(template);
            for path in good {
                assert!(pattern.fits(path), "{template} {path}");
            }
            for path in bad {
                assert!(!pattern.fits(path), "{template} {path}");
            }
        }
    }

    #[test]
    fn variables_are_what_stands_in_their_place() {
        let (pattern, variables) = Pattern::read("/v2/{org}/{rest*}/tags/{tag}/x").unwrap();
        let path = "/v2/acme/app/tags/sub/tags/1.0/x";
        let found: Vec<_> =
            variables.iter().map(|(name, place)| (*name, pattern.at(*place, path))).collect();
        assert_eq!(found, [("org", "acme"), ("rest", "app/tags/sub"), ("tag", "1.0")]);
    }

    #[test]
    fn template_that_no_request_can_match_is_refused() {
        for template in [
            "",
            "x",
            "/a//b",
            "//",
            "/./a",
            "/a/..",
            "/a;b",
            "/a%2f",
            "/a?b",
            "/a#b",
            "/a\\b",
            "/a\n",
            "/{a",
            "/a}",
            "/{}",
            "/{A}",
            "/{a b}",
            "/{a}b",
            "/x{a}",
            "/*",
            "/a*",
            "/***",
            "/{*}",
            "/{a**}",
            "/{a}/{a}",
            "/{a*}/{b*}",
            "/**/x/**",
            "/**/{a*}",
        ] {
            assert!(Pattern::read(template).is_err(), "{template:?}");
        }
    }

    #[test]
    fn one_form_covers_another() {
        for (wide, narrow) in [
            ("/**", "/"),
            ("/**", "/**"),
            ("/**", "/{x*}"),
            ("/{x}", "/a"),
            ("/{x*}", "/{y}"),
            ("/a/**", "/a"),
            ("/a/**", "/a/{x}/b"),
            ("/{x*}/z", "/a/{y*}/z"),
            ("/**/z", "/{x}/z"),
            ("/{x*}", "/a/**/z"),
            ("/a/**", "/a/b/**"),
        ] {
            assert!(pattern(wide).covers(&pattern(narrow)), "{wide} {narrow}");
        }
        for (other, not_narrower) in [
            ("/", "/**"),
            ("/{x*}", "/**"),
            ("/{x}", "/{y*}"),
            ("/a", "/{x}"),
            ("/a/**", "/**"),
            ("/{x}/{y}", "/{x*}"),
            ("/{x*}/z", "/{x*}"),
            ("/a/{x*}", "/a/**"),
            ("/a/b/**", "/a/**"),
            ("/{x}", "/{y}/"),
            ("/{x}/**", "/**"),
        ] {
            assert!(!pattern(other).covers(&pattern(not_narrower)), "{other} {not_narrower}");
        }
    }
}
