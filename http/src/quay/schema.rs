//! What a body must look like, and the words for one that does not.
//!
//! Upstream validates with Python's jsonschema and shows its message; clients and scripts look at
//! the first line of it. Of several errors the shallowest counts, then the first: the type of the
//! body, a missing property, then the properties in order.

use std::fmt::Write;

use serde_json::{Map, Value};

/// An object, and the properties that it must or may have; others are ignored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema(pub(crate) &'static [Field]);

/// One property.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    name: &'static str,
    required: bool,
    kind: Kind,
    or_null: bool,
    words: &'static [&'static str],
}

/// What a property may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// An object of any content.
    AnyObject,
    /// An object with properties of its own.
    Object(&'static Schema),
}

impl Field {
    /// A property that must be there.
    pub(crate) const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, required: true, kind, or_null: false, words: &[] }
    }

    /// A property that may be left out.
    pub(crate) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, required: false, kind, or_null: false, words: &[] }
    }

    /// The same property, which may be null.
    #[must_use]
    pub(crate) const fn or_null(self) -> Self {
        Self { or_null: true, ..self }
    }

    /// The same property, which must be one of `words`.
    #[must_use]
    pub(crate) const fn one_of(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    /// What it is, as a schema says it.
    fn describe(&self) -> Value {
        let mut map = Map::new();
        if !self.words.is_empty() {
            map.insert("enum".into(), self.words.into());
        }
        if let Kind::Object(schema) = self.kind {
            return schema.describe();
        }
        let kind = Value::from(self.kind.name());
        let kind = if self.or_null { Value::from(vec![kind, "null".into()]) } else { kind };
        map.insert("type".into(), kind);
        map.into()
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::AnyObject | Self::Object(_) => "object",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::Integer => {
                value.is_i64()
                    || value.is_u64()
                    || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            Self::AnyObject | Self::Object(_) => value.is_object(),
        }
    }
}

/// What is wrong, and where.
struct Fault {
    problem: String,
    keyword: &'static str,
    schema: Value,
    value: Value,
    path: Vec<&'static str>,
}

impl Schema {
    /// Checks `value`.
    ///
    /// # Errors
    /// The message for the client.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        let mut faults = Vec::new();
        self.faults(value, &mut Vec::new(), &mut faults);
        // the first of the shallowest
        match faults.into_iter().min_by_key(|fault| fault.path.len()) {
            Some(fault) => Err(fault.message()),
            None => Ok(()),
        }
    }

    fn faults(&self, value: &Value, path: &mut Vec<&'static str>, faults: &mut Vec<Fault>) {
        let fault = |problem, keyword, path: &[&'static str]| Fault {
            problem,
            keyword,
            schema: self.describe(),
            value: value.clone(),
            path: path.to_vec(),
        };
        let Some(map) = value.as_object() else {
            let problem = format!("{} is not of type 'object'", repr(value));
            faults.push(fault(problem, "type", path));
            return;
        };
        for field in self.0.iter().filter(|f| f.required && !map.contains_key(f.name)) {
            let problem = format!("'{}' is a required property", field.name);
            faults.push(fault(problem, "required", path));
        }
        for field in self.0 {
            if let Some(value) = map.get(field.name) {
                path.push(field.name);
                field.faults(value, path, faults);
                path.pop();
            }
        }
    }

    fn describe(&self) -> Value {
        let properties: Map<_, _> =
            self.0.iter().map(|field| (field.name.to_owned(), field.describe())).collect();
        let required: Vec<_> = self.0.iter().filter(|f| f.required).map(|f| f.name).collect();
        let mut map = Map::new();
        map.insert("properties".into(), properties.into());
        if !required.is_empty() {
            map.insert("required".into(), required.into());
        }
        map.insert("type".into(), "object".into());
        map.into()
    }
}

impl Field {
    fn faults(&self, value: &Value, path: &mut Vec<&'static str>, faults: &mut Vec<Fault>) {
        if self.or_null && value.is_null() {
            return;
        }
        if let (Kind::Object(schema), true) = (self.kind, value.is_object()) {
            return schema.faults(value, path, faults);
        }
        let word_fits = || value.as_str().is_some_and(|word| self.words.contains(&word));
        let (keyword, problem) = if !self.kind.fits(value) {
            let null = if self.or_null { ", 'null'" } else { "" };
            ("type", format!("{} is not of type '{}'{null}", repr(value), self.kind.name()))
        } else if !self.words.is_empty() && !word_fits() {
            let words = repr(&self.words.into());
            ("enum", format!("{} is not one of {words}", repr(value)))
        } else {
            return;
        };
        faults.push(Fault {
            problem,
            keyword,
            schema: self.describe(),
            value: value.clone(),
            path: path.clone(),
        });
    }
}

impl Fault {
    fn message(&self) -> String {
        let below = |word: &str| {
            self.path.iter().fold(String::new(), |mut text, name| {
                text.push_str(word);
                let _ = write!(text, "['{name}']");
                text
            })
        };
        let (schema, instance) = (below("['properties']"), below(""));
        format!(
            "{}\n\nFailed validating '{}' in schema{schema}:\n    {}\n\nOn instance{instance}:\n    {}",
            self.problem,
            self.keyword,
            repr(&self.schema),
            repr(&self.value),
        )
    }
}

/// `value` as Python prints it.
fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => repr_float(float),
            _ => number.to_string(),
        },
        Value::String(text) => repr_text(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", repr_text(key), repr(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn repr_float(float: f64) -> String {
    let scientific = format!("{float:e}");
    let exponent = scientific.split_once('e').map_or("0", |(_, exponent)| exponent);
    match (exponent.parse::<i32>(), scientific.split_once('e')) {
        (Ok(exponent), Some((digits, _))) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => format!("{float:?}"),
    }
}

fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push(quote);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c == quote || c == '\\' => shown.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(shown, "\\x{:02x}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown.push(quote);
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLE: Schema =
        Schema(&[Field::required("role", Kind::String).one_of(&["read", "write", "admin"])]);
    const DELEGATE: Schema = Schema(&[
        Field::required("name", Kind::String),
        Field::required("kind", Kind::String).one_of(&["user", "team"]),
    ]);
    const PROTOTYPE: Schema = Schema(&[
        Field::required("role", Kind::String).one_of(&["read", "write", "admin"]),
        Field::required("delegate", Kind::Object(&DELEGATE)),
        Field::optional("note", Kind::String).or_null(),
    ]);

    fn first_line(schema: &Schema, value: &Value) -> Option<String> {
        schema.check(value).err().map(|text| text.lines().next().unwrap().to_owned())
    }

    #[test]
    fn first_line_is_in_jsonschemas_words() {
        let table = [
            (json!({}), "'role' is a required property"),
            (json!([]), "[] is not of type 'object'"),
            (json!("title"), "'title' is not of type 'object'"),
            (json!({"role": null}), "None is not of type 'string'"),
            (json!({"role": true}), "True is not of type 'string'"),
            (json!({"role": 5}), "5 is not of type 'string'"),
            (json!({"role": 1e22}), "1e+22 is not of type 'string'"),
            (json!({"role": 0.5}), "0.5 is not of type 'string'"),
            (json!({"role": ["read"]}), "['read'] is not of type 'string'"),
            (json!({"role": {"a": 1}}), "{'a': 1} is not of type 'string'"),
            (json!({"role": ""}), "'' is not one of ['read', 'write', 'admin']"),
            (json!({"role": "it's"}), "\"it's\" is not one of ['read', 'write', 'admin']"),
        ];
        for (value, line) in table {
            assert_eq!(first_line(&ROLE, &value).as_deref(), Some(line), "{value}");
        }
    }

    #[test]
    fn shallow_errors_come_first() {
        let value = json!({"delegate": {"kind": 1}, "role": "read", "note": null});
        assert_eq!(
            first_line(&PROTOTYPE, &value).as_deref(),
            Some("'name' is a required property"),
            "a missing property of an object stands above the type of another"
        );
        let value = json!({"delegate": {"kind": 1}, "role": 7});
        assert_eq!(first_line(&PROTOTYPE, &value).as_deref(), Some("7 is not of type 'string'"));
        let value = json!({"delegate": {"kind": 1}});
        assert_eq!(
            first_line(&PROTOTYPE, &value).as_deref(),
            Some("'role' is a required property")
        );
        let value = json!({"delegate": {"kind": "user", "name": "ann"}, "role": "read", "note": 1});
        assert_eq!(
            first_line(&PROTOTYPE, &value).as_deref(),
            Some("1 is not of type 'string', 'null'")
        );
    }

    #[test]
    fn message_says_where() {
        let text = ROLE.check(&json!({"role": ""})).unwrap_err();
        assert_eq!(
            text,
            "'' is not one of ['read', 'write', 'admin']\n\n\
             Failed validating 'enum' in schema['properties']['role']:\n    \
             {'enum': ['read', 'write', 'admin'], 'type': 'string'}\n\n\
             On instance['role']:\n    ''"
        );
    }

    #[test]
    fn unknown_properties_are_ignored() {
        assert_eq!(ROLE.check(&json!({"role": "read", "foo": 1})), Ok(()));
    }
}
