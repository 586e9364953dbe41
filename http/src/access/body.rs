//! The requests of AuthZEN, read once into what borrows from the body. Unknown fields are passed
//! over; a known one of the wrong type spoils the request, and a doubled one too.

use std::{borrow::Cow, fmt, marker::PhantomData};

use claviger_domain::name::RepoName;
use claviger_service::questions::{Object, Question, Subject};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

use super::refusal::Refusal;

/// As many evaluations as one request may ask.
pub(super) const MOST_EVALUATIONS: usize = 1_000;

/// Text that borrows from the body, unless it is written with escapes.
pub(super) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// The text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;
        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowing)
    }
}

/// An object and nothing else: what is derived would also read an array.
pub(super) struct Strict<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Something of which nothing is looked at but that it is an object.
#[derive(Deserialize)]
pub(super) struct Anything {}

pub(super) type Properties = Option<Strict<Anything>>;

#[derive(Deserialize)]
pub(super) struct Entity<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(rename = "properties")]
    _properties: Properties,
}

#[derive(Deserialize)]
pub(super) struct Action<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(rename = "properties")]
    _properties: Properties,
}

#[derive(Deserialize)]
pub(super) struct Context<'a> {
    #[serde(borrow)]
    token: Option<Text<'a>>,
    explain: Option<bool>,
}

/// The four things that a question is made of, where they are there.
#[derive(Deserialize)]
pub(super) struct Tuple<'a> {
    #[serde(borrow)]
    subject: Option<Strict<Entity<'a>>>,
    #[serde(borrow)]
    action: Option<Strict<Action<'a>>>,
    #[serde(borrow)]
    resource: Option<Strict<Entity<'a>>>,
    #[serde(borrow)]
    context: Option<Strict<Context<'a>>>,
}

/// When several evaluations end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Semantic {
    /// With the last one.
    #[default]
    ExecuteAll,
    /// With the first that is refused.
    DenyOnFirstDeny,
    /// With the first that is allowed.
    PermitOnFirstPermit,
}

#[derive(Deserialize)]
struct Options {
    evaluations_semantic: Option<Semantic>,
}

/// Several questions, each not read yet: a bad one spoils itself alone.
#[derive(Default)]
pub(super) struct Items<'a> {
    items: Vec<&'a RawValue>,
    more: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Some;
        impl<'de> Visitor<'de> for Some {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut found = Items::default();
                while found.items.len() < MOST_EVALUATIONS {
                    match seq.next_element()? {
                        Option::Some(item) => found.items.push(item),
                        None => return Ok(found),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    found.more = true;
                }
                Ok(found)
            }
        }
        deserializer.deserialize_seq(Some)
    }
}

/// A request for several evaluations.
#[derive(Deserialize)]
pub(super) struct Batch<'a> {
    #[serde(borrow)]
    subject: Option<Strict<Entity<'a>>>,
    #[serde(borrow)]
    action: Option<Strict<Action<'a>>>,
    #[serde(borrow)]
    resource: Option<Strict<Entity<'a>>>,
    #[serde(borrow)]
    context: Option<Strict<Context<'a>>>,
    #[serde(borrow)]
    evaluations: Option<Items<'a>>,
    options: Option<Strict<Options>>,
}

/// A question as it was asked, and whether the reasons are wanted.
pub(super) struct Asked<'a> {
    pub(super) question: Question<'a>,
    pub(super) explain: bool,
}

/// Reads `body`, an object. What was sent is not repeated: it can hold a secret.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    let read = serde_json::from_slice::<Strict<T>>(body);
    read.map(|Strict(request)| request).map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        match error.classify() {
            _ if body.is_empty() => Refusal::bad("the body is empty"),
            serde_json::error::Category::Data => {
                Refusal::bad(format!("a field has the wrong type or stands there twice: {at}"))
            }
            _ => Refusal::bad(format!("the body is not valid JSON: {at}")),
        }
    })
}

impl<'a> Batch<'a> {
    /// What holds for each evaluation that does not say otherwise; then the evaluations, and when
    /// they end.
    pub(super) fn parts(self) -> Result<(Tuple<'a>, Vec<&'a RawValue>, Semantic), Refusal> {
        let Self { subject, action, resource, context, evaluations, options } = self;
        let Items { items, more } = evaluations.unwrap_or_default();
        if more {
            return Err(Refusal::bad(format!("at most {MOST_EVALUATIONS} evaluations at once")));
        }
        let semantic = options.and_then(|Strict(options)| options.evaluations_semantic);
        let defaults = Tuple { subject, action, resource, context };
        Ok((defaults, items, semantic.unwrap_or_default()))
    }
}

impl<'a> Tuple<'a> {
    /// The whole question. What is not here is taken, as a whole, from `or`.
    pub(super) fn question(&'a self, or: Option<&'a Self>) -> Result<Asked<'a>, Refusal> {
        let subject = self.subject.as_ref().or(or.and_then(|or| or.subject.as_ref()));
        let action = self.action.as_ref().or(or.and_then(|or| or.action.as_ref()));
        let resource = self.resource.as_ref().or(or.and_then(|or| or.resource.as_ref()));
        let context = self.context.as_ref().or(or.and_then(|or| or.context.as_ref()));
        let context = context.map(|Strict(context)| context);
        let question = Question {
            subject: subject_of(&subject.ok_or_else(|| missing("subject"))?.0)?,
            secret: context.and_then(Context::secret),
            action: action.ok_or_else(|| missing("action"))?.0.named()?,
            object: object_of(&resource.ok_or_else(|| missing("resource"))?.0)?,
        };
        let explain = context.and_then(|context| context.explain).unwrap_or_default();
        Ok(Asked { question, explain })
    }
}

impl Tuple<'_> {
    /// The repository that it is about, if it is about one that can be.
    pub(super) fn repository(&self) -> Option<RepoName> {
        let Strict(resource) = self.resource.as_ref()?;
        match object_of(resource) {
            Ok(Object::Repository(name)) => name.parse().ok(),
            _ => None,
        }
    }
}

impl Action<'_> {
    /// Its name, which must be there.
    pub(super) fn named(&self) -> Result<&str, Refusal> {
        text(self.name.as_ref(), "action.name")
    }
}

impl Context<'_> {
    /// The secret that was presented.
    pub(super) fn secret(&self) -> Option<&str> {
        self.token.as_ref().map(|Text(token)| &**token)
    }
}

/// That a field is not there.
pub(super) fn missing(field: &'static str) -> Refusal {
    Refusal::bad(format!("`{field}` is missing"))
}

/// A text that must be there.
pub(super) fn text<'a>(
    field: Option<&'a Text<'a>>,
    name: &'static str,
) -> Result<&'a str, Refusal> {
    field.map(|Text(text)| &**text).ok_or_else(|| missing(name))
}

/// A subject, of whatever type.
pub(super) fn subject_of<'a>(entity: &'a Entity<'a>) -> Result<Subject<'a>, Refusal> {
    let kind = text(entity.kind.as_ref(), "subject.type")?;
    let id = text(entity.id.as_ref(), "subject.id")?;
    Ok(match kind {
        "user" => Subject::User(id),
        "robot" => Subject::Robot(id),
        "token" => Subject::Token(id),
        _ => Subject::Unknown,
    })
}

/// An object, of whatever type.
pub(super) fn object_of<'a>(entity: &'a Entity<'a>) -> Result<Object<'a>, Refusal> {
    let kind = text(entity.kind.as_ref(), "resource.type")?;
    let id = text(entity.id.as_ref(), "resource.id")?;
    Ok(match kind {
        "repository" => Object::Repository(id),
        "organization" => Object::Organisation(id),
        _ => Object::Unknown,
    })
}
