//! What goes into a statement.

use claviger_domain::{UnixMillis, id};

/// A value that goes into a statement; `None` is NULL.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// A number, a time in milliseconds.
    Int(Option<i64>),
    /// Text.
    Text(Option<&'a str>),
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
        impl<'a> From<&'a id::$name> for Param<'a> {
            fn from(value: &'a id::$name) -> Self {
                Self::Text(Some(value.as_str()))
            }
        }
        impl<'a> From<Option<&'a id::$name>> for Param<'a> {
            fn from(value: Option<&'a id::$name>) -> Self {
                Self::Text(value.map(id::$name::as_str))
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
