//! Forms in parts (`multipart/form-data`), as `curl --form` sends them: the fields that are no files.

use serde_json::Value;

use super::params::{Unreadable, field, text};

/// The fields of `body`; a body that breaks off has those before.
pub(super) fn pairs(kind: &str, body: &[u8]) -> Result<Vec<(String, Value)>, Unreadable> {
    let Some(boundary) = parameter(kind, "boundary") else { return Ok(Vec::new()) };
    let body = text(body)?;
    let delimiter = format!("\r\n--{boundary}");
    let whole = format!("\r\n{body}");
    let parts = whole.split(&delimiter).skip(1).take_while(|part| !part.starts_with("--"));
    Ok(parts.filter_map(part).collect())
}

fn part(part: &str) -> Option<(String, Value)> {
    let (head, value) = part.strip_prefix("\r\n")?.split_once("\r\n\r\n")?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    if parameter(disposition, "filename").is_some() {
        return None;
    }
    Some(field(parameter(disposition, "name")?, value.to_owned()))
}

/// The parameter `name` of a header's value, without quotes.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|parameter| {
        let (known, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"').to_owned();
        known.trim().eq_ignore_ascii_case(name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=\"xx\"";

    #[test]
    fn fields_are_read_and_files_are_not() {
        let body = "--xx\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\na\r\nb\r\n\
                    --xx\r\ncontent-disposition: form-data; name=f; filename=\"f\"\r\n\r\nzz\r\n\
                    --xx--\r\n";
        let pairs = pairs(KIND, body.as_bytes()).unwrap();
        assert_eq!(pairs, [("note".to_owned(), Value::from("a\r\nb"))]);
    }

    #[test]
    fn odd_bodies_are_no_trouble() {
        for body in ["", "--xx", "--xx\r\n", "--xx\r\n\r\n\r\nx", "--xx\r\nname\r\n\r\nx\r\n--xx--"]
        {
            assert_eq!(pairs(KIND, body.as_bytes()), Ok(Vec::new()), "{body:?}");
        }
        assert_eq!(pairs("multipart/form-data", b"x"), Ok(Vec::new()));
        assert_eq!(pairs(KIND, b"\xff"), Err(Unreadable::NotUtf8));
    }
}
