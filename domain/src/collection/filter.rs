//! Filters: `FIELD OP 'VALUE'`, joined by commas, all of which must hold.

use std::fmt;

use super::{
    instant::Instant,
    shape::{Field, Kind, Shape},
};

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Is equal.
    Eq,
    /// Is less.
    Lt,
    /// Is greater.
    Gt,
    /// Is less or equal.
    Lte,
    /// Is greater or equal.
    Gte,
    /// Contains the value, as a text.
    In,
}

impl Operator {
    const ALL: [Self; 6] = [Self::Eq, Self::Lt, Self::Gt, Self::Lte, Self::Gte, Self::In];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Lt => "lt",
            Self::Gt => "gt",
            Self::Lte => "lte",
            Self::Gte => "gte",
            Self::In => "in",
        }
    }

    /// Whether it holds between two values.
    pub fn holds<T: Ord + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Lt => left < right,
            Self::Gt => left > right,
            Self::Lte => left <= right,
            Self::Gte => left >= right,
            // of texts alone, and asked there
            Self::In => false,
        }
    }
}

/// What a field is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand<'a> {
    /// A text, by code points.
    Text(&'a str),
    /// An instant.
    Instant(Instant),
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The field.
    pub field: &'static Field,
    /// How it is compared.
    pub operator: Operator,
    value: String,
    instant: Option<Instant>,
}

impl Clause {
    /// With what the field is compared: an instant with an instant, unless it is searched as text.
    pub fn operand(&self) -> Operand<'_> {
        self.instant.map_or(Operand::Text(&self.value), Operand::Instant)
    }
}

/// As it was asked; what reads it again gets the same.
impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} '{}'", self.field.path, self.operator.as_str(), self.value)
    }
}

const FORM: &str = "must be FIELD OP 'VALUE' with OP one of eq, lt, gt, lte, gte, in";

/// Reads one `filter` parameter.
pub(super) fn parse(shape: &Shape, text: &str) -> Result<Vec<Clause>, String> {
    let mut clauses = Vec::new();
    let mut rest = text;
    loop {
        let (clause, after) = parse_clause(shape, rest)?;
        clauses.push(clause);
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.is_empty() => return Ok(clauses),
            None => return Err(FORM.to_owned()),
        };
    }
}

/// Reads one clause; what follows it.
fn parse_clause<'a>(shape: &Shape, text: &'a str) -> Result<(Clause, &'a str), String> {
    let end = text.find([' ', '%']).ok_or(FORM)?;
    let (path, rest) = text.split_at_checked(end).ok_or(FORM)?;
    let rest = separator(rest).ok_or(FORM)?;
    let found = Operator::ALL.into_iter().find_map(|operator| {
        let rest = separator(rest.strip_prefix(operator.as_str())?)?;
        Some((operator, rest))
    });
    let (operator, rest) = found.ok_or(FORM)?;
    let (value, rest) = rest.strip_prefix('\'').and_then(|r| r.split_once('\'')).ok_or(FORM)?;
    if !is_path(path) {
        return Err(FORM.to_owned());
    }
    let field = shape.filtered(path).ok_or_else(|| format!("has no field `{path}` to compare"))?;
    if !is_value(value, shape.wide_values) {
        return Err(format!("has a value for `{path}` with no or forbidden characters"));
    }
    let instant = if field.kind == Kind::Instant && operator != Operator::In {
        let instant = value.parse::<Instant>();
        Some(instant.map_err(|error| format!("has a value for `{path}` that {error}"))?)
    } else {
        None
    };
    Ok((Clause { field, operator, value: value.to_owned(), instant }, rest))
}

/// Takes away a separator: a space, or `%20` as those send it who encode twice.
pub(super) fn separator(text: &str) -> Option<&str> {
    text.strip_prefix(' ').or_else(|| text.strip_prefix("%20"))
}

/// Names joined by full stops, each with `[*]` behind it or not.
fn is_path(path: &str) -> bool {
    path.split('.').all(|step| is_name(step.strip_suffix("[*]").unwrap_or(step)))
}

/// Letters and digits.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The characters of Astra's pattern; or, in a `wide` one, all but controls.
fn is_value(value: &str, wide: bool) -> bool {
    let good = |c: char| match c {
        'a'..='z' | ' ' | '"' | ','..='_' | '{' | '}' => true,
        // what stands for bytes that were no text
        char::REPLACEMENT_CHARACTER => false,
        c => wide && !c.is_control(),
    };
    !value.is_empty() && value.chars().all(good)
}
