//! A collection's query string, read by hand: repeated keys count, and every refusal names its
//! parameter.

use super::{
    Order,
    filter::{self, Clause},
    shape::{Field, Parameter, Shape},
};

/// More clauses than anybody means; an engine has to nest them.
const MAX_CLAUSES: usize = 64;

/// A parameter that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its name.
    pub name: String,
    /// What is wrong, in words that follow the name.
    pub reason: String,
}

/// Why a query was refused. A door that cannot say both speaks of the unknown ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryError {
    /// Parameters that there are not.
    pub unknown: Vec<Bad>,
    /// Parameters with bad values.
    pub invalid: Vec<Bad>,
}

impl QueryError {
    fn is_empty(&self) -> bool {
        self.unknown.is_empty() && self.invalid.is_empty()
    }

    fn unknown(&mut self, name: &str) {
        if !self.unknown.iter().any(|bad| bad.name == name) {
            let reason = "is not supported here".to_owned();
            self.unknown.push(Bad { name: name.to_owned(), reason });
        }
    }

    /// Refuses the value of `parameter`; the first reason stands.
    pub fn invalid(&mut self, parameter: Parameter, reason: impl Into<String>) {
        let name = parameter.name();
        if !self.invalid.iter().any(|bad| bad.name == name) {
            self.invalid.push(Bad { name: name.to_owned(), reason: reason.into() });
        }
    }
}

/// What a query string asks; what was not in it is `None`.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// The columns of each row.
    pub include: Option<Vec<&'static Field>>,
    /// The most items.
    pub limit: Option<u64>,
    /// How many matches are passed over.
    pub skip: Option<u64>,
    /// Whether all matches are counted.
    pub count: bool,
    /// What must hold of an item, all of it; the same clause only once.
    pub filter: Option<Vec<Clause>>,
    /// In which order.
    pub order: Option<Order>,
    /// The token of the last page, not understood yet.
    pub resume: Option<String>,
}

/// Checks that a query string asks nothing, where nothing can be asked.
///
/// # Errors
/// Every parameter is unknown.
pub fn nothing(raw: &str) -> Result<(), QueryError> {
    let mut error = QueryError::default();
    for (name, _) in pairs(raw) {
        error.unknown(&name);
    }
    if error.is_empty() { Ok(()) } else { Err(error) }
}

impl ListQuery {
    /// Reads a query string (without its question mark), form-encoded: `+` is a space.
    ///
    /// What was good is given beside what was not, so that who understands `resume` can add his own
    /// refusals; with any refusal the query must not be answered.
    pub fn parse(shape: &Shape, raw: &str) -> (Self, QueryError) {
        let (mut query, mut error) = (Self::default(), QueryError::default());
        let mut seen = Vec::new();
        for (name, value) in pairs(raw) {
            let known = shape.takes.iter().copied().find(|parameter| parameter.name() == name);
            let Some(parameter) = known else {
                error.unknown(&name);
                continue;
            };
            if parameter != Parameter::Filter && seen.contains(&parameter) {
                error.invalid(parameter, "must be given only once");
                continue;
            }
            seen.push(parameter);
            if let Err(reason) = query.set(shape, parameter, &value) {
                error.invalid(parameter, reason);
            }
        }
        (query, error)
    }

    /// Takes the result set of an earlier query, as it was written down then.
    ///
    /// # Errors
    /// The reason why it cannot be asked (any more).
    pub fn resume(
        &mut self,
        shape: &Shape,
        filter: &str,
        order: &str,
        skip: u64,
    ) -> Result<(), String> {
        if !filter.is_empty() {
            self.set(shape, Parameter::Filter, filter)?;
        }
        if !order.is_empty() {
            self.set(shape, Parameter::OrderBy, order)?;
        }
        self.skip = (skip > 0).then_some(skip);
        Ok(())
    }

    fn set(&mut self, shape: &Shape, parameter: Parameter, value: &str) -> Result<(), String> {
        match parameter {
            Parameter::Include => self.include = Some(parse_include(shape, value)?),
            Parameter::Limit => self.limit = Some(parse_number(value)?),
            Parameter::Skip => self.skip = Some(parse_number(value)?),
            Parameter::Count if value == "true" => self.count = true,
            Parameter::Count => return Err("must be `true`".to_owned()),
            Parameter::Filter => {
                let filter = self.filter.get_or_insert_default();
                for clause in filter::parse(shape, value)? {
                    if !filter.contains(&clause) {
                        filter.push(clause);
                    }
                }
                if filter.len() > MAX_CLAUSES {
                    return Err(format!("must have at most {MAX_CLAUSES} clauses"));
                }
            }
            Parameter::OrderBy => self.order = Some(parse_order(shape, value)?),
            Parameter::Continue if value.is_empty() => {
                return Err("must not be empty".to_owned());
            }
            // base64 has no space, so it was a plus that nobody encoded
            Parameter::Continue => self.resume = Some(value.replace(' ', "+")),
        }
        Ok(())
    }
}

/// Reads names joined by single commas.
fn parse_include(shape: &Shape, value: &str) -> Result<Vec<&'static Field>, String> {
    let field = |name: &str| match shape.included(name) {
        Some(field) => Ok(field),
        None if filter::is_name(name) => Err(format!("has no field `{name}`")),
        None => Err("must be names of fields, joined by commas".to_owned()),
    };
    value.split(',').map(field).collect()
}

/// Reads a positive number; one beyond what we count is as good as any other such.
fn parse_number(value: &str) -> Result<u64, String> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    if digits && !value.is_empty() && !value.starts_with('0') {
        Ok(value.parse().unwrap_or(u64::MAX))
    } else {
        Err("must be a positive integer".to_owned())
    }
}

/// Reads a name, then perhaps ` desc`.
fn parse_order(shape: &Shape, value: &str) -> Result<Order, String> {
    let descending = value
        .strip_suffix("desc")
        .and_then(|rest| rest.strip_suffix(' ').or_else(|| rest.strip_suffix("%20")));
    let name = descending.unwrap_or(value);
    if !filter::is_name(name) {
        return Err("must be the name of one field, or that and ` desc`".to_owned());
    }
    match shape.ordered(name) {
        Some(field) => Ok(Order { field: Some(field), descending: descending.is_some() }),
        None => Err(format!("has no field `{name}` to order by")),
    }
}

/// The pairs of a form-encoded text.
fn pairs(raw: &str) -> impl Iterator<Item = (String, String)> {
    raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// `+` is a space, `%XX` a byte; a `%` that is no such stays what it is, and what is no text
/// becomes U+FFFD, which nothing here can hold.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
