//! What goes into a statement.

use claviger_domain::{
    UnixMillis,
    id::{self, IdText},
};

/// A value that goes into a statement; `None` is NULL.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// A number, a time in milliseconds.
    Int(Option<i64>),
    /// Text.
    Text(Option<&'a str>),
    /// An id, as text.
    Id(IdText),
    /// Bytes.
    Blob(Option<&'a [u8]>),
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}
impl From<Option<i64>> for Param<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}
impl From<UnixMillis> for Param<'_> {
    fn from(value: UnixMillis) -> Self {
        Self::Int(Some(value.0))
    }
}
impl From<Option<UnixMillis>> for Param<'_> {
    fn from(value: Option<UnixMillis>) -> Self {
        Self::Int(value.map(|at| at.0))
    }
}
impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}
impl<'a> From<Option<&'a str>> for Param<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a String> for Param<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Some(value))
    }
}
impl<'a> From<&'a Option<String>> for Param<'a> {
    fn from(value: &'a Option<String>) -> Self {
        Self::Text(value.as_deref())
    }
}
impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(Some(value))
    }
}
impl<'a> From<Option<&'a [u8]>> for Param<'a> {
    fn from(value: Option<&'a [u8]>) -> Self {
        Self::Blob(value)
    }
}
impl<'a, const N: usize> From<&'a [u8; N]> for Param<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Blob(Some(value))
    }
}

macro_rules! id_params {
    ($($name:ident),+ $(,)?) => {$(
        impl From<&id::$name> for Param<'_> {
            fn from(value: &id::$name) -> Self {
                Self::Id(value.text())
            }
        }
        impl From<Option<&id::$name>> for Param<'_> {
            fn from(value: Option<&id::$name>) -> Self {
                value.map_or(Self::Text(None), Self::from)
            }
        }
    )+};
}
id_params!(
    AccountId,
    PrincipalId,
    TeamId,
    RepoId,
    TokenId,
    SessionId,
    ApplicationId,
    AssignmentId,
    PrototypeId,
    BindingId,
    SigningKeyId,
    InstallationId,
    RequestId,
);
