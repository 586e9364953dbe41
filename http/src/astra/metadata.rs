//! Metadata: labels, and who made and changed a thing when.
//!
//! Source: `contract/astra.md` section 6.

use claviger_domain::{
    UnixMillis,
    account::{Label, LabelError},
    id::PrincipalId,
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::{NIL, body::Fields, problem::Problem};

const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// What a resource says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Metadata {
    labels: Vec<ShownLabel>,
    #[serde(rename = "creationTimestamp")]
    created_at: String,
    #[serde(rename = "modificationTimestamp")]
    modified_at: String,
    #[serde(rename = "createdBy")]
    created_by: String,
    #[serde(rename = "modifiedBy", skip_serializing_if = "Option::is_none")]
    modified_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ShownLabel {
    name: String,
    value: String,
}

impl Metadata {
    /// Of a thing that was made by `created_by`, or by the program.
    pub(crate) fn new(
        labels: &[Label],
        (created_at, created_by): (UnixMillis, Option<PrincipalId>),
        (modified_at, modified_by): (Option<UnixMillis>, Option<PrincipalId>),
    ) -> Self {
        let label = |label: &Label| ShownLabel {
            name: label.name().to_owned(),
            value: label.value().to_owned(),
        };
        Self {
            labels: labels.iter().map(label).collect(),
            created_at: timestamp(created_at),
            modified_at: timestamp(modified_at.unwrap_or(created_at)),
            created_by: by(created_by),
            modified_by: modified_by.map(|id| id.to_string()),
        }
    }
}

/// An id, or that of the program.
pub(crate) fn by(id: Option<PrincipalId>) -> String {
    id.map_or_else(|| NIL.to_owned(), |id| id.to_string())
}

/// An instant, with six digits behind the second.
pub(crate) fn timestamp(at: UnixMillis) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).ok();
    at.and_then(|at| at.format(FORMAT).ok()).unwrap_or_default()
}

/// The labels that a body gives, in its `metadata`; `None` where it says nothing of them. What else
/// it says is checked for its form: we know better.
///
/// # Errors
/// Problem 8 for what does not fit the schema, 9 for labels that there cannot be.
pub(crate) fn labels(fields: &mut Fields) -> Result<Option<Vec<Label>>, Problem> {
    let Some(mut metadata) = fields.object("metadata")? else { return Ok(None) };
    let given = metadata.objects("labels")?;
    for name in ["creationTimestamp", "modificationTimestamp"] {
        if metadata.text(name)?.is_some_and(|text| !is_timestamp(&text)) {
            return Err(Problem::misfit(format!("metadata.{name} must be an instant in UTC")));
        }
    }
    for name in ["createdBy", "modifiedBy"] {
        metadata.id(name)?;
    }
    metadata.end()?;
    let Some(given) = given else { return Ok(None) };
    let refused = |error: LabelError| Problem::field("metadata.labels", error);
    let mut labels = Vec::with_capacity(given.len().min(Label::MOST));
    for mut label in given {
        let (name, value) = (label.text("name")?, label.text("value")?);
        let (name, value) = (label.required("name", name)?, label.required("value", value)?);
        label.end()?;
        labels.push(Label::new(&name, &value).map_err(refused)?);
    }
    Label::check_all(&labels).map_err(refused)?;
    Ok(Some(labels))
}

/// Whether `text` is `YYYY-MM-DDThh:mm:ss`, with up to nine digits of a second, and a `Z`.
fn is_timestamp(text: &str) -> bool {
    let Some(text) = text.strip_suffix('Z') else { return false };
    let (whole, fraction) = text.split_at_checked(19).unwrap_or((text, ""));
    let form = |at: usize, byte: u8| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    let digits = fraction.strip_prefix(['.', ',']);
    let fraction = fraction.is_empty()
        || digits.is_some_and(|digits| {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
    whole.len() == 19 && whole.bytes().enumerate().all(|(at, byte)| form(at, byte)) && fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_six_digits_behind_the_second() {
        assert_eq!(timestamp(UnixMillis(1_709_287_200_123)), "2024-03-01T10:00:00.123000Z");
        for good in
            ["2024-03-01T10:00:00Z", "2024-03-01T10:00:00.1Z", "2024-03-01T10:00:00,123456789Z"]
        {
            assert!(is_timestamp(good), "{good}");
        }
        for bad in [
            "",
            "Z",
            "2024-03-01",
            "2024-03-01T10:00:00",
            "2024-03-01T10:00:00.Z",
            "2024-03-01 10:00:00Z",
        ] {
            assert!(!is_timestamp(bad), "{bad}");
        }
        assert!(super::super::body::is_id(&by(None)));
    }
}
