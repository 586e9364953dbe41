//! As much XML as the door writes: elements, attributes, text. Anything else is a mistake of its.

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub tag: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// The root of a document.
    pub fn parse(document: &str) -> Self {
        let (head, rest) = document.split_once("?>").expect("it begins with <?xml … ?>");
        assert_eq!(head, "<?xml version=\"1.0\" encoding=\"UTF-8\"");
        let mut rest = rest.trim_start();
        let root = Self::read(&mut rest);
        assert_eq!(rest.trim(), "", "something follows the root");
        root
    }

    fn read(rest: &mut &str) -> Self {
        let (tag, after) = rest.strip_prefix('<').expect("a tag").split_once('>').expect("its end");
        let empty = tag.ends_with('/');
        let mut parts = tag.trim_end_matches('/').split(' ');
        let mut element = Self { tag: parts.next().expect("a name").to_owned(), ..Self::default() };
        for attribute in parts {
            let (name, value) = attribute.split_once('=').expect("an attribute");
            element.attributes.push((name.to_owned(), plain(value.trim_matches('"'))));
        }
        *rest = after;
        if empty {
            return element;
        }
        let end = format!("</{}>", element.tag);
        loop {
            let (text, _) = rest.split_once('<').expect("another tag");
            element.text += &plain(text);
            *rest = &rest[text.len()..];
            if let Some(after) = rest.strip_prefix(&end) {
                *rest = after;
                return element;
            }
            element.children.push(Self::read(rest));
        }
    }

    /// Every element at `path`, such as `data/link/rel`; `.` is this one.
    pub fn all(&self, path: &str) -> Vec<&Self> {
        if path == "." {
            return vec![self];
        }
        path.split('/').fold(vec![self], |found, tag| {
            found.iter().flat_map(|e| e.children.iter().filter(|c| c.tag == tag)).collect()
        })
    }
}

/// `text` without escapes.
fn plain(text: &str) -> String {
    assert!(!text.contains(['<', '>']), "{text}");
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, after) = after.split_once(';').expect("the end of an escape");
        plain += before;
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            number => {
                let number = number.strip_prefix('#').expect("a known escape");
                char::from_u32(number.parse().expect("a number")).expect("a character")
            }
        });
        rest = after;
    }
    plain + rest
}
