//! Names, each parsed once at the door into a type that can only be right.
//!
//! Users, organisations, teams and the short names of robots share one grammar; principals share
//! one namespace of names, compared byte by byte. Source: `PRODUCT.md`, "Words"; Quay's pattern.

use std::{fmt, str::FromStr};

use crate::inline::InlineText;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Too short or too long.
    #[error("must be between {0} and {1} characters in length")]
    Length(usize, usize),
    /// A character or an order of characters that the grammar has not.
    #[error("must match expression {0}")]
    Pattern(&'static str),
}

/// The pattern of the names of users, organisations, teams and robots, as Quay prints it.
pub const NAME_PATTERN: &str = "^([a-z0-9]+(?:[._-][a-z0-9]+)*)$";
const MIN_NAME: usize = 2;
const MAX_NAME: usize = 255;
const MAX_REPO_PATH: usize = 255;

/// Checks `text` against [`NAME_PATTERN`] and 2 to 255 characters.
/// A character that a name may begin with.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9')
}

/// One that may stand between those.
const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'.' | b'_' | b'-')
}

fn check_name(text: &str) -> Result<(), NameError> {
    let (mut separated, mut wrong) = (true, false);
    for byte in text.bytes() {
        let plain = is_plain(byte);
        wrong |= !plain & (separated | !is_separator(byte));
        separated = !plain;
    }
    if wrong {
        return Err(NameError::Pattern(NAME_PATTERN));
    }
    if !(MIN_NAME..=MAX_NAME).contains(&text.len()) {
        return Err(NameError::Length(MIN_NAME, MAX_NAME));
    }
    if separated { Err(NameError::Pattern(NAME_PATTERN)) } else { Ok(()) }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )+};
}

names! {
    /// The name of a user or an organisation, which is a namespace: 2 to 255 characters.
    Namespace,
    /// The name of a team inside its organisation: 2 to 255 characters.
    TeamName,
    /// The full name of a robot, `namespace+short`.
    RobotName,
}

/// The full name of a repository, `namespace/name`; the name may have further slashes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoName(InlineText);

impl RepoName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same as bytes, which need not be looked through.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// How many bytes of memory it takes beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

impl PartialEq<str> for RepoName {
    fn eq(&self, other: &str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

macro_rules! plain_name {
    ($($name:ident),+) => {$(
        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check_name(text)?;
                Ok(Self(text.into()))
            }
        }
    )+};
}
plain_name!(Namespace, TeamName);

impl RobotName {
    /// The robot `short` of `namespace`.
    ///
    /// # Errors
    /// When `short` breaks the grammar of names.
    pub fn new(namespace: &Namespace, short: &str) -> Result<Self, NameError> {
        check_name(short)?;
        Ok(Self(format!("{namespace}+{short}").into()))
    }

    /// The namespace it belongs to.
    pub fn namespace(&self) -> &str {
        self.0.split_once('+').map_or("", |(namespace, _)| namespace)
    }

    /// Its name inside the namespace.
    pub fn short(&self) -> &str {
        self.0.split_once('+').map_or("", |(_, short)| short)
    }
}

impl FromStr for RobotName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (namespace, short) =
            text.split_once('+').ok_or(NameError::Pattern("^namespace\\+name$"))?;
        Self::new(&namespace.parse()?, short)
    }
}

/// The pattern of one segment of a repository's name.
pub const REPO_SEGMENT_PATTERN: &str = "^[a-z0-9][a-z0-9._-]*$";

/// Checks that `path` can name a repository inside a namespace: one or more segments of
/// [`REPO_SEGMENT_PATTERN`] joined by `/`, at most 255 characters.
///
/// # Errors
/// When it cannot.
pub fn check_repo_path(path: &str) -> Result<(), NameError> {
    if path.len() > MAX_REPO_PATH {
        return Err(NameError::Length(1, MAX_REPO_PATH));
    }
    let (mut begins, mut wrong) = (true, false);
    for byte in path.bytes() {
        let plain = is_plain(byte);
        let slash = byte == b'/';
        wrong |= !plain & (begins | !(is_separator(byte) | slash));
        begins = slash;
    }
    if begins || wrong { Err(NameError::Pattern(REPO_SEGMENT_PATTERN)) } else { Ok(()) }
}

impl RepoName {
    /// The repository `path` (one or more segments joined by `/`, at most 255 characters) of
    /// `namespace`.
    ///
    /// # Errors
    /// When a segment breaks the grammar or the path is too long.
    pub fn new(namespace: &Namespace, path: &str) -> Result<Self, NameError> {
        check_repo_path(path)?;
        Ok(Self(InlineText::joined(&[namespace.as_str(), "/", path])))
    }

    /// Whether `text` is the full name of a repository.
    pub fn is_one(text: &str) -> bool {
        text.split_once('/').is_some_and(|(namespace, path)| {
            check_name(namespace).is_ok() && check_repo_path(path).is_ok()
        })
    }

    /// The namespace it belongs to.
    pub fn namespace(&self) -> &str {
        self.as_str().split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// Its name inside the namespace, with all further slashes.
    pub fn path(&self) -> &str {
        self.as_str().split_once('/').map_or("", |(_, path)| path)
    }
}

impl FromStr for RepoName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (namespace, path) =
            text.split_once('/').ok_or(NameError::Pattern(REPO_SEGMENT_PATTERN))?;
        check_name(namespace)?;
        check_repo_path(path)?;
        Ok(Self(InlineText::joined(&[text])))
    }
}

/// Text that a person wrote about something: at most [`Text::MAX_CHARS`] characters, no NUL.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Text<const MAX: usize>(Box<str>);

/// Why such a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Too many characters.
    #[error("must be at most {0} characters")]
    TooLong(usize),
    /// A NUL character.
    #[error("must not contain a NUL character")]
    Nul,
}

impl<const MAX: usize> Text<MAX> {
    /// The most characters it may have.
    pub const MAX_CHARS: usize = MAX;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            t if t.contains('\0') => Err(TextError::Nul),
            // a character has at most four bytes: count them only when it could matter
            t if t.len() > MAX && t.chars().count() > MAX => Err(TextError::TooLong(MAX)),
            t => Ok(Self(t.into())),
        }
    }
}

/// What its owner calls an app token, such as `laptop`: 0 to 255 characters.
pub type TokenTitle = Text<255>;
/// What is said of a robot, a team or a repository: 0 to 4096 characters.
pub type Description = Text<4096>;

/// An e-mail address, kept as given and compared in lower case: one `@`, something on both sides,
/// no spaces or control characters, at most 254 bytes. Whether it works shows when mail is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(Box<str>);

/// The text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an e-mail address")]
pub struct EmailError;

impl Email {
    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as it is compared.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let (local, host) = text.rsplit_once('@').ok_or(EmailError)?;
        let good = !local.is_empty()
            && !host.is_empty()
            && !local.contains('@')
            && text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if good { Ok(Self(text.into())) } else { Err(EmailError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_principals_follow_the_grammar() {
        for good in ["ab", "a1", "acme-corp", "a.b_c-d", "42"] {
            assert!(good.parse::<Namespace>().is_ok(), "{good}");
        }
        for bad in ["", "a", "Ab", "a--b", "-ab", "ab-", "a b", "ä1", "a+b", "a/b", "ab\0"] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(255).parse::<Namespace>().is_ok());
        assert_eq!("x".repeat(256).parse::<Namespace>(), Err(NameError::Length(2, 255)));
    }

    #[test]
    fn repository_names_may_be_nested() {
        let name: RepoName = "acme/team/app_1.x".parse().unwrap();
        assert_eq!((name.namespace(), name.path()), ("acme", "team/app_1.x"));
        assert!(RepoName::is_one("acme/team/app_1.x"));
        for bad in ["acme", "acme/", "acme/-x", "acme/a//b", "acme/A", "acme/../x", "Acme/x"] {
            assert!(bad.parse::<RepoName>().is_err(), "{bad}");
            assert!(!RepoName::is_one(bad), "{bad}");
        }
        assert!(format!("acme/{}", "x".repeat(255)).parse::<RepoName>().is_ok());
        assert!(format!("acme/{}", "x".repeat(256)).parse::<RepoName>().is_err());
    }

    #[test]
    fn robot_names_carry_their_namespace() {
        let name: RobotName = "acme+ci".parse().unwrap();
        assert_eq!((name.namespace(), name.short()), ("acme", "ci"));
        assert!("acme+CI!".parse::<RobotName>().is_err());
        assert!("acme".parse::<RobotName>().is_err());
    }

    #[test]
    fn text_counts_characters_and_refuses_nul() {
        assert!("ä".repeat(255).parse::<TokenTitle>().is_ok());
        assert_eq!("ä".repeat(256).parse::<TokenTitle>(), Err(TextError::TooLong(255)));
        assert_eq!("a\0".parse::<TokenTitle>(), Err(TextError::Nul));
    }

    #[test]
    fn e_mail_is_compared_in_lower_case() {
        assert_eq!("Ann@Example.COM".parse::<Email>().unwrap().key(), "ann@example.com");
        for bad in ["", "ann", "@x", "ann@", "a@b@c", "a b@c"] {
            assert_eq!(bad.parse::<Email>(), Err(EmailError), "{bad}");
        }
    }
}
