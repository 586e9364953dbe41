//! What a client asked for originally: path and query, read once.
//!
//! A path that two servers could read in two ways is refused, because we decide over one reading
//! and the upstream acts on another: dot segments, empty segments, backslashes, parameters behind
//! `;`, fragments, control characters, what is not UTF-8, and everything that is percent-encoded
//! although it changes how a path is cut (`%2f`, `%5c`, `%00`, `%25`, `%3b`, `%3f`, `%23`). Whatever
//! else is percent-encoded is decoded, once.

use std::borrow::Cow;

/// The path can be read in more than one way, or in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// Path and query of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    path: Cow<'a, str>,
    query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// Reads `/path?query`.
    ///
    /// # Errors
    /// [`Ambiguous`]; also for every other form.
    pub fn read(text: &'a [u8]) -> Result<Self, Ambiguous> {
        let (path, query) = match text.iter().position(|byte| *byte == b'?') {
            None => (text, None),
            Some(at) => {
                let (path, rest) = text.split_at_checked(at).ok_or(Ambiguous)?;
                (path, rest.get(1..))
            }
        };
        // a query is the upstream's to read; it must only end where we think it ends
        let plain = |byte: &u8| *byte > b' ' && *byte != 0x7f && *byte != b'#';
        if !query.unwrap_or_default().iter().all(plain) {
            return Err(Ambiguous);
        }
        Ok(Self { path: read_path(path)?, query })
    }

    /// The same from a whole URL, `http://host/path?query`. Who the host is does not matter, but
    /// it must not hide where the path begins.
    ///
    /// # Errors
    /// [`Ambiguous`]; also without scheme and host.
    pub fn read_url(text: &'a [u8]) -> Result<Self, Ambiguous> {
        let scheme = |name: &[u8]| text.strip_prefix(name);
        let rest = scheme(b"http://").or_else(|| scheme(b"https://")).ok_or(Ambiguous)?;
        let at = rest.iter().position(|byte| *byte == b'/').ok_or(Ambiguous)?;
        let (host, target) = rest.split_at_checked(at).ok_or(Ambiguous)?;
        if is_host(host) { Self::read(target) } else { Err(Ambiguous) }
    }

    /// The path, decoded; it begins with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What stands behind the question mark, as it was sent.
    pub fn query(&self) -> &[u8] {
        self.query.unwrap_or_default()
    }
}

/// Whether `text` is a name or an address, with or without a port.
fn is_host(text: &[u8]) -> bool {
    let port = text.iter().rposition(|byte| *byte == b':').filter(|_| !text.ends_with(b"]"));
    let (name, port) = text.split_at_checked(port.unwrap_or(text.len())).unwrap_or_default();
    let bracketed = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
    let good = match bracketed {
        Some(address) => {
            address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }
        None => name.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(byte)),
    };
    let port = port.strip_prefix(b":").unwrap_or(b"0");
    good && !name.is_empty() && !port.is_empty() && port.iter().all(u8::is_ascii_digit)
}

/// What a byte of a path is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    /// Between two segments.
    Slash,
    /// The beginning of what is percent-encoded.
    Percent,
    /// Nothing that a path may hold.
    Never,
}

#[expect(clippy::indexing_slicing, reason = "a byte is below 256, and it is compiled away")]
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Never; 256];
    let mut byte: u8 = 0;
    while byte < 0x7f {
        classes[byte as usize] = match byte {
            b'%' => Class::Percent,
            b'#' | b';' | b'\\' => Class::Never,
            b'/' => Class::Slash,
            b'!'..=b'~' => Class::Plain,
            _ => Class::Never,
        };
        byte += 1;
    }
    classes
};

fn read_path(path: &[u8]) -> Result<Cow<'_, str>, Ambiguous> {
    let mut encoded = false;
    let mut begin = 0;
    for (at, byte) in path.iter().enumerate() {
        match CLASSES.get(usize::from(*byte)) {
            Some(Class::Plain) => {}
            Some(Class::Slash) => {
                check_segment(path.get(begin..at), at > 0)?;
                begin = at + 1;
            }
            Some(Class::Percent) => encoded = true,
            Some(Class::Never) | None => return Err(Ambiguous),
        }
    }
    check_segment(path.get(begin..), false)?;
    if path.first() != Some(&b'/') {
        return Err(Ambiguous);
    }
    let text = std::str::from_utf8(path).map_err(|_| Ambiguous)?;
    if !encoded {
        return Ok(Cow::Borrowed(text));
    }
    let decoded = decode(text)?;
    for segment in decoded.as_bytes().split(|byte| *byte == b'/') {
        check_segment(Some(segment), false)?;
    }
    Ok(Cow::Owned(decoded))
}

/// Refuses a segment that leads elsewhere than it says. Only the first, before the leading slash,
/// and the last may be empty: any other must be `filled`.
fn check_segment(segment: Option<&[u8]>, filled: bool) -> Result<(), Ambiguous> {
    match segment {
        None | Some(b"." | b"..") => Err(Ambiguous),
        Some(b"") if filled => Err(Ambiguous),
        Some(_) => Ok(()),
    }
}

fn decode(text: &str) -> Result<String, Ambiguous> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let byte = hex(bytes.next())? << 4 | hex(bytes.next())?;
        if matches!(byte, b'/' | b'\\' | b'%' | b';' | b'?' | b'#') {
            return Err(Ambiguous);
        }
        decoded.push(byte);
    }
    let decoded = String::from_utf8(decoded).map_err(|_| Ambiguous)?;
    if decoded.chars().any(char::is_control) { Err(Ambiguous) } else { Ok(decoded) }
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: Option<u8>) -> Result<u8, Ambiguous> {
    match digit {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Option<String> {
        Target::read(text.as_bytes()).ok().map(|target| target.path().to_owned())
    }

    #[test]
    fn path_is_decoded_once() {
        for (text, expected) in [
            ("/", "/"),
            ("/v2/acme/app/manifests/1.0", "/v2/acme/app/manifests/1.0"),
            ("/v2/", "/v2/"),
            ("/a%20b/%C3%A4", "/a b/ä"),
            ("/%76%32/x", "/v2/x"),
            ("/v2/a/manifests/sha256:00", "/v2/a/manifests/sha256:00"),
            ("/a...b/.../..x/.x", "/a...b/.../..x/.x"),
            ("/a~b!$&'()*+,=:@-_", "/a~b!$&'()*+,=:@-_"),
            ("/x?a=//..;%00\\", "/x"),
        ] {
            assert_eq!(path(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn path_with_two_readings_is_refused() {
        for text in [
            "",
            "v2/",
            "*",
            "http://x/v2/",
            "//evil/v2/",
            "/a//b",
            "/a//",
            "/./a",
            "/a/./b",
            "/a/..",
            "/a/../b",
            "/%2e%2e/b",
            "/a/%2E%2e/",
            "/.%2e/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%25b",
            "/a%252fb",
            "/a;b",
            "/a%3bb",
            "/a/..;/b",
            "/a#b",
            "/a%23b",
            "/a%3Fb",
            "/a b",
            "/a\tb",
            "/a\0",
            "/a\x7f",
            "/a%7f",
            "/a%0d%0ab",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%-1",
            "/ä",
            "/%ff",
            "/%c0%ae%c0%ae/b",
            "/%c0%af",
            "/%e0%80%af",
            "/%ed%a0%80",
            "/%c2%85",
            "/a?b#c",
            "/a?b c",
            "/a?\x01",
            "/a?\x7f",
        ] {
            assert_eq!(path(text), None, "{text:?}");
        }
        assert_eq!(Target::read(b"/\xff"), Err(Ambiguous));
    }

    #[test]
    fn query_is_left_as_it_is() {
        let query = |text: &'static str| Target::read(text.as_bytes()).unwrap().query().to_owned();
        assert_eq!(query("/x"), b"");
        assert_eq!(query("/x?"), b"");
        assert_eq!(query("/x?a=%2F?b"), b"a=%2F?b");
    }

    #[test]
    fn url_has_a_plain_host() {
        let path = |text: &str| Target::read_url(text.as_bytes()).ok().map(|t| t.path().to_owned());
        for host in ["x", "app.example.com", "127.0.0.1:8080", "[::1]:80", "[::1]", "my_service"] {
            assert_eq!(path(&format!("https://{host}/a?b")).as_deref(), Some("/a"), "{host}");
        }
        for text in [
            "/a",
            "http:/x/a",
            "http://x",
            "http:///a",
            "http://x?/a",
            "http://x#/a",
            "ftp://x/a",
            "http://u@x/a",
            "http://x%2fy/a",
            "HTTP://x/a",
            "http://x\\/a",
            "//x/a",
            "http://x//a",
            "http://x y/a",
            "http://x:/a",
            "http://:80/a",
            "http://[::1/a",
            "http://[x]/a",
            "http://x:8x/a",
            "http://a:b:80/a",
        ] {
            assert_eq!(path(text), None, "{text}");
        }
    }
}
