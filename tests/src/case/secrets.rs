//! The secrets in the seed are placeholders: a server makes its own. A request that carries one is
//! sent with ours in its place; one that carries a spoilt one is sent with ours spoilt likewise.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

/// Each secret of the seed, and ours in its place.
#[derive(Debug, Default)]
pub struct Secrets(HashMap<String, String>);

impl Secrets {
    /// From now on `ours` stands in the place of `recorded`.
    pub fn insert(&mut self, recorded: &str, ours: &str) {
        self.0.insert(recorded.to_owned(), ours.to_owned());
    }

    /// Ours for a recorded secret, spoilt as it is spoilt; anything else as it stands.
    pub fn ours(&self, given: &str) -> String {
        if let Some(ours) = self.0.get(given) {
            return ours.clone();
        }
        let spoilt = self.0.iter().find_map(|(recorded, ours)| {
            let half = ours.len() / 2;
            if let Some(more) = given.strip_prefix(recorded.as_str()) {
                Some(format!("{ours}{more}"))
            } else if given.len() >= 20 && recorded.starts_with(given) {
                Some(ours[..half].to_owned())
            } else if given == recorded.to_lowercase() {
                Some(ours.to_lowercase())
            } else if given.len() == recorded.len() && given.get(..60) == recorded.get(..60) {
                Some(format!("{}{}", &ours[..half], "0".repeat(ours.len() - half)))
            } else {
                None
            }
        });
        spoilt.unwrap_or_else(|| given.to_owned())
    }

    /// An `Authorization` header with our secret in it.
    pub fn in_authorization(&self, header: &str) -> String {
        let Some((scheme, given)) = header.split_once(' ') else { return header.to_owned() };
        if scheme.eq_ignore_ascii_case("bearer") {
            return format!("{scheme} {}", self.ours(given));
        }
        let decoded = BASE64_STANDARD.decode(given).ok().and_then(|b| String::from_utf8(b).ok());
        match decoded.as_deref().and_then(|pair| pair.split_once(':')) {
            Some((user, password)) => {
                let pair = format!("{user}:{}", self.ours(password));
                format!("{scheme} {}", BASE64_STANDARD.encode(pair))
            }
            None => header.to_owned(),
        }
    }

    /// A JSON value with our secrets in it.
    pub fn in_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.0.get(text).cloned().unwrap_or_else(|| text.clone()).into(),
            Value::Array(items) => items.iter().map(|item| self.in_json(item)).collect(),
            Value::Object(map) => {
                map.iter().map(|(key, value)| (key.clone(), self.in_json(value))).collect()
            }
            other => other.clone(),
        }
    }

    /// A form body with our secrets in it.
    pub fn in_form(&self, form: &str) -> String {
        let pairs = form.split('&').map(|pair| match pair.split_once('=') {
            Some((key, value)) => {
                format!("{key}={}", self.0.get(value).map_or(value, String::as_str))
            }
            None => pair.to_owned(),
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoilt_secret_becomes_ours_spoilt_likewise() {
        let recorded = format!("{}{}", "F".repeat(60), "G".repeat(60));
        let mut secrets = Secrets::default();
        secrets.insert(&recorded, "clva_AbCdEf");
        assert_eq!(secrets.ours(&recorded), "clva_AbCdEf");
        assert_eq!(secrets.ours(&format!("{recorded}X")), "clva_AbCdEfX");
        assert_eq!(secrets.ours(&"F".repeat(60)), "clva_");
        assert_eq!(secrets.ours(&recorded.to_lowercase()), "clva_abcdef");
        let wrong = format!("{}{}", "F".repeat(60), "H".repeat(60));
        assert_eq!(secrets.ours(&wrong), "clva_000000");
        assert_eq!(secrets.ours("something else"), "something else");
    }
}
