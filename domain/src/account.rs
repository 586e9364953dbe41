//! What the tenants' world has beside roles: the names of its things, labels, and who stands above
//! whom.
//!
//! Source: `contract/astra.md` sections 5, 6 and 7.1; `SECURITY.md` section 2, "Tenants".

use std::{fmt, str::FromStr};

use crate::role::AccountRole;

/// The name of an account or of a token, and each part of a person's name: 1 to 63 letters, digits,
/// blanks and `_ . , : @ -`. It begins with a letter or a digit, ends with one or with `_` or `.`,
/// and has neither `..` nor `--` in it; so it can be written in a filter, and in any page, as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct ItemName(Box<str>);

/// Why such a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemNameError {
    /// Too short or too long.
    #[error("must be between 1 and {} characters in length", ItemName::MAX_CHARS)]
    Length,
    /// A character or an order of characters that it must not have.
    #[error(
        "must be letters, digits, blanks and _ . , : @ - alone, begin with a letter or a digit, end \
         with one or with _ or ., and have neither .. nor -- in it"
    )]
    Form,
}

impl ItemName {
    /// The most characters it may have.
    pub const MAX_CHARS: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ItemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for ItemName {
    type Err = ItemNameError;

    fn from_str(text: &str) -> Result<Self, ItemNameError> {
        // a character has at most four bytes: count them only when it could matter
        if text.is_empty() || text.len() > Self::MAX_CHARS && text.chars().count() > Self::MAX_CHARS
        {
            return Err(ItemNameError::Length);
        }
        let inside = |b: u8| b.is_ascii_alphanumeric() || b" _.,:@-".contains(&b);
        let good = text.bytes().all(inside)
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.ends_with(|last: char| last.is_ascii_alphanumeric() || "_.".contains(last))
            && !text.contains("..")
            && !text.contains("--");
        if good { Ok(Self(text.into())) } else { Err(ItemNameError::Form) }
    }
}

/// A part of a person's name: as [`ItemName`], or empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PersonName(Box<str>);

impl PersonName {
    /// The name as text; `None` when it is empty.
    pub fn text(&self) -> Option<&str> {
        Some(&*self.0).filter(|name| !name.is_empty())
    }
}

impl FromStr for PersonName {
    type Err = ItemNameError;

    fn from_str(text: &str) -> Result<Self, ItemNameError> {
        if text.is_empty() { Ok(Self::default()) } else { Ok(Self(text.parse::<ItemName>()?.0)) }
    }
}

/// What somebody sticks on a thing, to find it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    name: Box<str>,
    value: Box<str>,
}

/// Why labels are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The name.
    #[error("the name of a label must be 1 to {} printable ASCII characters", Label::MAX_NAME)]
    Name,
    /// The value.
    #[error("the value of a label must be at most {} printable ASCII characters", Label::MAX_VALUE)]
    Value,
    /// Two are equal.
    #[error("no two labels may be equal")]
    Twice,
    /// Too many.
    #[error("must be at most {} labels", Label::MOST)]
    Many,
}

impl Label {
    const MAX_NAME: usize = 317;
    const MAX_VALUE: usize = 253;
    /// The most that one thing may have.
    pub const MOST: usize = 64;

    /// A label.
    ///
    /// # Errors
    /// For a name or a value that breaks the rule.
    pub fn new(name: &str, value: &str) -> Result<Self, LabelError> {
        let printable = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~'));
        if name.is_empty() || name.len() > Self::MAX_NAME || !printable(name) {
            Err(LabelError::Name)
        } else if value.len() > Self::MAX_VALUE || !printable(value) {
            Err(LabelError::Value)
        } else {
            Ok(Self { name: name.into(), value: value.into() })
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Checks that one thing may have all of `labels`: the same name may stand there twice, with
    /// another value.
    ///
    /// # Errors
    /// For too many, and for two that are equal.
    pub fn check_all(labels: &[Self]) -> Result<(), LabelError> {
        if labels.len() > Self::MOST {
            return Err(LabelError::Many);
        }
        let twice = labels
            .iter()
            .enumerate()
            .any(|(at, one)| labels.iter().skip(at + 1).any(|other| one == other));
        if twice { Err(LabelError::Twice) } else { Ok(()) }
    }
}

/// How high somebody stands in an account: nobody changes who stands above him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// No role.
    None,
    /// A role.
    Role(AccountRole),
    /// A superuser: above every owner, in every account.
    Superuser,
}

impl Rank {
    /// Of somebody with this role, who may be a superuser.
    pub fn of(role: Option<AccountRole>, superuser: bool) -> Self {
        match role {
            _ if superuser => Self::Superuser,
            Some(role) => Self::Role(role),
            None => Self::None,
        }
    }

    /// The role that somebody of this rank acts with; a superuser is an owner everywhere.
    pub fn role(self) -> Option<AccountRole> {
        match self {
            Self::None => None,
            Self::Role(role) => Some(role),
            Self::Superuser => Some(AccountRole::Owner),
        }
    }

    /// Whether somebody of this rank manages others of the rank `other`, or makes somebody one: he
    /// is an admin at least, and not below.
    pub fn manages(self, other: Self) -> bool {
        self >= Self::Role(AccountRole::Admin) && self >= other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_items_follow_the_rule() {
        for good in [
            "a",
            "Snapshot Script",
            "NetApp, Inc.",
            "ops@example.com",
            "v1.2.3",
            "x_",
            &"z".repeat(63),
        ] {
            assert!(good.parse::<ItemName>().is_ok(), "{good}");
        }
        for bad in [
            " a", "a ", "a,", "a..b", "a--b", "<b>", "a'b", "a/b", "a\n", "ü", "-a", "_a", "a%",
            "a;b",
        ] {
            assert_eq!(bad.parse::<ItemName>(), Err(ItemNameError::Form), "{bad:?}");
        }
        for bad in ["", &"z".repeat(64), &"ü".repeat(64)] {
            assert_eq!(bad.parse::<ItemName>(), Err(ItemNameError::Length), "{bad}");
        }
        assert_eq!("ü".repeat(63).parse::<ItemName>(), Err(ItemNameError::Form));
    }

    #[test]
    fn labels_are_printable_and_differ() {
        assert_eq!(Label::new("", "x"), Err(LabelError::Name));
        assert_eq!(Label::new("a", "ü"), Err(LabelError::Value));
        assert_eq!(Label::new("a", &"x".repeat(254)), Err(LabelError::Value));
        let one = Label::new("astra.netapp.io/labels/read-only/credType", "").unwrap();
        let other = Label::new(one.name(), "other").unwrap();
        assert_eq!(Label::check_all(&[one.clone(), other]), Ok(()));
        assert_eq!(Label::check_all(&[one.clone(), one.clone()]), Err(LabelError::Twice));
        let many: Vec<_> = (0..65).map(|n| Label::new("n", &n.to_string()).unwrap()).collect();
        assert_eq!(Label::check_all(&many), Err(LabelError::Many));
    }

    #[test]
    fn nobody_manages_who_stands_above_him() {
        let ranks = [
            Rank::None,
            Rank::Role(AccountRole::Viewer),
            Rank::Role(AccountRole::Member),
            Rank::Role(AccountRole::Admin),
            Rank::Role(AccountRole::Owner),
            Rank::Superuser,
        ];
        for (at, rank) in ranks.iter().enumerate() {
            for (under, other) in ranks.iter().enumerate() {
                assert_eq!(rank.manages(*other), at >= 3 && under <= at, "{rank:?} {other:?}");
            }
        }
    }
}
