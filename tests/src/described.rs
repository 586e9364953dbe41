//! What `/openapi.json` says, and whether an answer is as it says. Every answer that a test gets from
//! the doors described there is held against it.

use claviger_domain::{collection::Instant, id::TokenId};
use http::Method;
use serde_json::Value;

use crate::answer::Answer;

/// Where what is described lives.
const BELOW: [&str; 4] =
    ["/claviger/v1/", "/access/v1/", "/.well-known/authzen-configuration", "/openapi.json"];

/// The description.
pub struct Described(Value);

impl Described {
    /// What a server says of itself.
    pub const fn new(document: Value) -> Self {
        Self(document)
    }

    /// The method and the template of every operation.
    pub fn operations(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().expect("paths").iter();
        let methods = paths.flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").keys();
            let methods = methods.filter(|method| *method != "parameters");
            methods.map(|method| (method.to_uppercase(), path.clone()))
        });
        methods.collect()
    }

    /// What is wrong with the answer to a request; nothing where none is described.
    pub fn faults(&self, method: &Method, path: &str, answer: &Answer) -> Vec<String> {
        if !BELOW.iter().any(|below| path.starts_with(below)) {
            return Vec::new();
        }
        let Some(operation) = self.operation(method, path) else { return Vec::new() };
        let status = answer.status.as_str();
        let response = self.resolve(&operation["responses"][status]);
        if response.is_null() {
            return vec![format!("{status} is not described")];
        }
        let mut faults = Vec::new();
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            if self.resolve(header)["required"] == true && answer.header(name).is_none() {
                faults.push(format!("{status} without {name}"));
            }
        }
        let kind = answer.header("content-type").unwrap_or_default();
        match response["content"].as_object().map(|content| content.get(kind)) {
            None if answer.body.is_empty() => {}
            None => faults.push(format!("{status} has a body")),
            Some(None) => faults.push(format!("{status} in the content type `{kind}`")),
            Some(Some(content)) => self.fit(&content["schema"], &answer.json(), "#", &mut faults),
        }
        faults
    }

    /// The operation at a path: where two templates fit, of the longer one.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let fitting = self.0["paths"].as_object().expect("paths").iter();
        let fitting = fitting.filter(|(template, _)| fits(template, path));
        let (_, item) = fitting.max_by_key(|(template, _)| template.len())?;
        item.get(method.as_str().to_lowercase())
    }

    /// What a reference stands for. What stands beside a reference only describes.
    fn resolve<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        while let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("a place in this document");
            value = self.0.pointer(pointer).unwrap_or_else(|| panic!("no {reference}"));
        }
        value
    }

    /// Adds what keeps `value` from being what `schema` says.
    fn fit(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let schema = self.resolve(schema).as_object().expect("a schema");
        for (keyword, rule) in schema {
            let good = match keyword.as_str() {
                "type" => is_of_type(rule, value),
                "const" => rule == value,
                "enum" => rule.as_array().expect("values").contains(value),
                "format" => value.as_str().is_none_or(|text| has_format(rule, text)),
                "minimum" => value.as_f64().is_none_or(|n| rule.as_f64().expect("a number") <= n),
                "maximum" => value.as_f64().is_none_or(|n| rule.as_f64().expect("a number") >= n),
                "minItems" => {
                    let least = rule.as_u64().expect("a number");
                    value.as_array().is_none_or(|all| all.len() as u64 >= least)
                }
                "required" => {
                    let mut names = rule.as_array().expect("names").iter();
                    names.all(|name| value.get(name.as_str().expect("a name")).is_some())
                }
                "additionalProperties" => {
                    assert_eq!(rule, false);
                    let known = schema["properties"].as_object().expect("properties");
                    let mut members = value.as_object().into_iter().flatten();
                    members.all(|(name, _)| known.contains_key(name))
                }
                "properties" => {
                    for (name, inner) in rule.as_object().expect("properties") {
                        if let Some(member) = value.get(name) {
                            self.fit(inner, member, &format!("{at}/{name}"), faults);
                        }
                    }
                    true
                }
                "items" => {
                    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.fit(rule, item, &format!("{at}/{n}"), faults);
                    }
                    true
                }
                "anyOf" => rule.as_array().expect("schemas").iter().any(|one| {
                    let mut wrong = Vec::new();
                    self.fit(one, value, at, &mut wrong);
                    wrong.is_empty()
                }),
                // they describe, or are for what is sent to us
                "description" | "examples" | "default" | "pattern" | "minLength" | "maxLength" => {
                    true
                }
                other => panic!("this test cannot read `{other}`"),
            };
            if !good {
                faults.push(format!("{at} is not as `{keyword}` says: {value}"));
            }
        }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (forms, mut segments) = (template.split('/'), path.split('/').collect::<Vec<_>>());
    if let Some(at) = forms.clone().position(|form| form == "{repository}") {
        // its name has slashes in it
        let after = forms.clone().count() - at - 1;
        let end = segments.len().saturating_sub(after);
        segments.drain((at + 1).min(end)..end);
    }
    forms.clone().count() == segments.len()
        && forms.zip(segments).all(|(form, segment)| match form.split_once('}') {
            Some((_, verb)) => segment.len() > verb.len() && segment.ends_with(verb),
            None => form == segment,
        })
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().expect("a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type `{other}`"),
    };
    rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is))
}

fn has_format(rule: &Value, text: &str) -> bool {
    match rule.as_str().expect("a format") {
        "uuid" => text.parse::<TokenId>().is_ok(),
        "date-time" => text.parse::<Instant>().is_ok(),
        other => panic!("no format `{other}`"),
    }
}
