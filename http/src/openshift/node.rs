//! What is answered, as a tree that becomes JSON or XML.
//!
//! JSON has the keys of objects in alphabetical order, XML has the elements in the order of the
//! tree. Source: `contract/openshift.md` section 8.

use serde::{Serialize, Serializer, ser::SerializeMap};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Nothing.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A version, such as 1.7.
    Decimal(f64),
    /// A text.
    Text(String),
    /// Values, and what XML calls each.
    List(&'static str, Vec<Node>),
    /// Fields.
    Object(Vec<(&'static str, Node)>),
    /// Links by name. They keep their order; XML has no names for them.
    Links(Vec<(&'static str, Node)>),
    /// A value that XML wraps in one more element.
    Wrapped(&'static str, Box<Node>),
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Node {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Decimal(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(_, items) => items.serialize(serializer),
            Self::Object(fields) => {
                let mut sorted: Vec<_> = fields.iter().collect();
                sorted.sort_by_key(|(name, _)| *name);
                let mut map = serializer.serialize_map(Some(sorted.len()))?;
                for (name, value) in sorted {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::Links(links) => {
                serializer.collect_map(links.iter().map(|(name, link)| (*name, link)))
            }
            Self::Wrapped(_, inner) => inner.serialize(serializer),
        }
    }
}

impl Node {
    /// The value as JSON; what is written here always can be.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The value as an XML document with this root.
    pub(super) fn xml(&self, root: &str) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.element(root, &mut out);
        out
    }

    fn element(&self, name: &str, out: &mut String) {
        let name = name.replace('_', "-");
        let mut inner = String::new();
        match self {
            Self::Null => {
                out.extend(["<", &name, " nil=\"true\"/>"]);
                return;
            }
            Self::List(_, items) if items.is_empty() => {
                out.extend(["<", &name, "/>"]);
                return;
            }
            Self::Flag(flag) => inner = flag.to_string(),
            Self::Number(number) => inner = number.to_string(),
            Self::Decimal(number) => inner = format!("{number:?}"),
            Self::Text(text) => escape(text, &mut inner),
            Self::List(each, items) => {
                for item in items {
                    item.element(each, &mut inner);
                }
            }
            Self::Object(fields) => {
                for (name, value) in fields {
                    value.element(name, &mut inner);
                }
            }
            Self::Links(links) => {
                for (_, link) in links {
                    link.element("link", &mut inner);
                }
            }
            Self::Wrapped(each, value) => value.element(each, &mut inner),
        }
        out.extend(["<", &name, ">", &inner, "</", &name, ">"]);
    }
}

/// Writes `text` so that it is nothing but text; what XML cannot say is replaced.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => *out += "&amp;",
            '<' => *out += "&lt;",
            '>' => *out += "&gt;",
            '"' => *out += "&quot;",
            '\'' => *out += "&#39;",
            '\r' => *out += "&#13;",
            '\t' | '\n' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_sorts_fields_and_keeps_links() {
        let node = Node::Object(vec![
            ("token", "t".into()),
            ("api_version", Node::Decimal(1.0)),
            ("links", Node::Links(vec![("UPDATE", Node::Null), ("DELETE", Node::Flag(true))])),
        ]);
        let json = r#"{"api_version":1.0,"links":{"UPDATE":null,"DELETE":true},"token":"t"}"#;
        assert_eq!(node.json(), json);
    }

    #[test]
    fn xml_keeps_the_order_and_names_no_link() {
        let node = Node::Object(vec![
            ("expires_in", Node::Number(5)),
            ("note", Node::Null),
            ("empty", Node::List("item", Vec::new())),
            ("valid_options", Node::List("valid_option", vec![Node::Flag(true)])),
            ("links", Node::Links(vec![("GET", "x".into())])),
            ("data", Node::Wrapped("datum", Box::new(Node::Null))),
        ]);
        assert_eq!(
            node.xml("response").lines().last(),
            Some(
                "<response><expires-in>5</expires-in><note nil=\"true\"/><empty/>\
                 <valid-options><valid-option>true</valid-option></valid-options>\
                 <links><link>x</link></links><data><datum nil=\"true\"/></data></response>"
            )
        );
    }

    #[test]
    fn text_stays_text() {
        let node = Node::from("</note><id>&\"'\0\u{8}\u{ffff}\r");
        let xml = node.xml("note");
        let escaped = "&lt;/note&gt;&lt;id&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}\u{fffd}&#13;";
        assert!(xml.ends_with(&format!("<note>{escaped}</note>")), "{xml}");
    }
}
