//! Bodies: JSON whatever the content type says, objects that know their properties.
//!
//! A property that stands there twice makes no JSON here: of two readers one would see the first and
//! one the second. Source: `contract/astra.md` sections 2 and 3.1.

use std::{collections::BTreeMap, fmt, str::FromStr};

use claviger_domain::account::{ItemName, ItemNameError};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};

use super::problem::Problem;

/// JSON in which no object has a property twice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    /// A text.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(BTreeMap<String, Json>),
    /// A number, `true`, `false` or `null`, which no resource of this door has.
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<Json, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((name, value)) = properties.next_entry::<String, Json>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a property stands there twice"));
            }
        }
        Ok(Json::Object(object))
    }
}

/// The properties of an object; each is taken once, and none may be left.
#[derive(Debug)]
pub(crate) struct Fields {
    left: BTreeMap<String, Json>,
    /// Where the object stands, such as `metadata.`.
    at: String,
}

impl Fields {
    /// The object that a body is.
    ///
    /// # Errors
    /// Problem 7 for what is no JSON, 8 for what is no object.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Json::Object(left)) => Ok(Self { left, at: String::new() }),
            Ok(_) => Err(Problem::misfit("the body must be an object")),
            Err(_) => Err(Problem::not_json()),
        }
    }

    fn must(&self, name: &str, what: impl fmt::Display) -> Problem {
        Problem::misfit(format!("{}{name} must be {what}", self.at))
    }

    /// A text that may be left out.
    ///
    /// # Errors
    /// Problem 8 (so for all of these).
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.left.remove(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.must(name, "a string")),
        }
    }

    /// A text that may be left out, of at most `most` characters.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn text_within(
        &mut self,
        name: &str,
        least: usize,
        most: usize,
    ) -> Result<Option<String>, Problem> {
        let text = self.text(name)?;
        let good = |text: &String| (least..=most).contains(&text.chars().count());
        match text {
            Some(text) if !good(&text) => {
                Err(self.must(name, format_args!("{least} to {most} characters")))
            }
            text => Ok(text),
        }
    }

    /// One of the texts `words`, which may be left out.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn word(
        &mut self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let known = words.iter().find(|word| **word == text).copied();
        let list = || words.join(", ");
        known.map(Some).ok_or_else(|| self.must(name, format_args!("one of {}", list())))
    }

    /// `"true"` or `"false"`, which are texts in this dialect; it may be left out.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        Ok(self.word(name, &["true", "false"])?.map(|word| word == "true"))
    }

    /// What must be there.
    ///
    /// # Errors
    /// Problem 8 when it is not.
    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Problem> {
        value.ok_or_else(|| Problem::misfit(format!("{}{name} is missing", self.at)))
    }

    /// A text that must be `value`.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn constant(&mut self, name: &str, value: &'static str) -> Result<(), Problem> {
        let given = self.text(name)?;
        let given = self.required(name, given)?;
        if given == value { Ok(()) } else { Err(self.must(name, value)) }
    }

    /// The version of the resource, one of those there are.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn version(&mut self, versions: &[&'static str]) -> Result<(), Problem> {
        let given = self.word("version", versions)?;
        self.required("version", given).map(drop)
    }

    /// An id of any resource, which may be left out: a UUID of version 4 or 5, or all zeros.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn id(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.text(name)? {
            Some(text) if !is_id(&text) => Err(self.must(name, "a UUID in lower case")),
            text => Ok(text),
        }
    }

    /// An object that may be left out.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Problem> {
        match self.left.remove(name) {
            None => Ok(None),
            Some(Json::Object(left)) => Ok(Some(Self { left, at: format!("{}{name}.", self.at) })),
            Some(_) => Err(self.must(name, "an object")),
        }
    }

    /// An array of texts that may be left out.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Problem> {
        let Some(items) = self.array(name)? else { return Ok(None) };
        let texts = items.into_iter().map(|item| match item {
            Json::Text(text) => Ok(text),
            _ => Err(self.must(name, "an array of strings")),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// An array of objects that may be left out.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn objects(&mut self, name: &str) -> Result<Option<Vec<Self>>, Problem> {
        let Some(items) = self.array(name)? else { return Ok(None) };
        let at = format!("{}{name}[].", self.at);
        let objects = items.into_iter().map(|item| match item {
            Json::Object(left) => Ok(Self { left, at: at.clone() }),
            _ => Err(self.must(name, "an array of objects")),
        });
        objects.collect::<Result<_, _>>().map(Some)
    }

    fn array(&mut self, name: &str) -> Result<Option<Vec<Json>>, Problem> {
        match self.left.remove(name) {
            None => Ok(None),
            Some(Json::Array(items)) => Ok(Some(items)),
            Some(_) => Err(self.must(name, "an array")),
        }
    }

    /// Checks that nothing is left: the object knows its properties.
    ///
    /// # Errors
    /// Problem 8.
    pub(crate) fn end(self) -> Result<(), Problem> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(Problem::misfit(format!("{}{name} is not known", self.at))),
        }
    }
}

/// A name of at least `least` characters, which may be left out.
///
/// # Errors
/// Problem 8 for its length, 9 for what it must not have in it.
pub(crate) fn name_in<T: FromStr<Err = ItemNameError>>(
    fields: &mut Fields,
    name: &str,
    least: usize,
) -> Result<Option<T>, Problem> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    match text.parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(ItemNameError::Length) => {
            let most = ItemName::MAX_CHARS;
            Err(fields.must(name, format_args!("{least} to {most} characters")))
        }
        Err(error @ ItemNameError::Form) => Err(Problem::field(name, error)),
    }
}

/// The name of an account or a token, which may be left out.
///
/// # Errors
/// As [`name_in`].
pub(crate) fn item_name(fields: &mut Fields, name: &str) -> Result<Option<ItemName>, Problem> {
    name_in(fields, name, 1)
}

/// Whether `text` can be the id of a resource.
pub(crate) fn is_id(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    let form = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'-' => hyphens.contains(&at),
            b'0'..=b'9' | b'a'..=b'f' => !hyphens.contains(&at),
            _ => false,
        });
    let at = |place: usize| text.as_bytes().get(place).copied().unwrap_or_default();
    let versioned = matches!(at(14), b'4' | b'5') && matches!(at(19), b'8' | b'9' | b'a' | b'b');
    form && (versioned || text == super::NIL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_knows_its_properties_and_has_each_once() {
        let read = |body: &str| Fields::read(body.as_bytes());
        let number = |problem: Problem| format!("{problem:?}").contains("number: 7");
        for bad in ["", "{", r#"{"a":"b","a":"b"}"#, r#"{"m":{"a":1,"a":2}}"#, &"[".repeat(100_000)]
        {
            assert!(number(read(bad).unwrap_err()), "{bad:.20}");
        }
        for bad in ["null", "[]", "3", "\"x\""] {
            assert!(!number(read(bad).unwrap_err()), "{bad}");
        }
        let mut fields = read(r#"{"type":"t","flag":"true","word":3,"more":{"x":"y"}}"#).unwrap();
        assert!(fields.constant("type", "t").is_ok());
        assert_eq!(fields.flag("flag").unwrap(), Some(true));
        assert!(fields.text("word").is_err());
        let mut more = fields.object("more").unwrap().unwrap();
        assert!(more.text("absent").unwrap().is_none());
        let problem = format!("{:?}", more.end().unwrap_err());
        assert!(problem.contains("more.x is not known"), "{problem}");
        assert!(fields.end().is_ok());
    }

    #[test]
    fn id_is_a_uuid_of_version_4_or_5_or_nil() {
        for good in [
            "7b6ae0b2-3b1d-4c57-8b1d-0b6a1f2c3d4e",
            "a198f052-5cd7-59d3-9f27-9ea32a21fbca",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert!(is_id(good), "{good}");
        }
        for bad in [
            "",
            "nobody",
            "7B6AE0B2-3B1D-4C57-8B1D-0B6A1F2C3D4E",
            "7b6ae0b2-3b1d-1c57-8b1d-0b6a1f2c3d4e",
            "7b6ae0b23b1d4c578b1d0b6a1f2c3d4e----",
        ] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
