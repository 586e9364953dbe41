//! The scopes of the OpenShift door, and what they amount to there and elsewhere.
//!
//! Source: `contract/openshift.md` section 5; `docs/doors/openshift.md` for what they give outside
//! of their door.

use std::{fmt, str::FromStr};

use super::{Caps, Dialect, Scope, Scopes, UserCap};
use crate::role::{Role, UnknownWord, words};

words! {
    /// What may be done with one domain or application.
    Deed, "action of a scope" {
        /// Look.
        View = "view",
        /// Change.
        Edit = "edit",
        /// Everything.
        Admin = "admin",
        /// Start and stop more of it.
        Scale = "scale",
        /// Tell of its deployments.
        ReportDeployments = "report_deployments",
    }
}

/// One scope. What a domain or an application is does not matter here: there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenshiftScope {
    /// All that the user may do.
    Session,
    /// All that only reads, but no tokens.
    Read,
    /// Who the user is.
    Userinfo,
    /// A marker.
    Sso,
    /// A code that is exchanged for a token.
    OauthAccessToken,
    /// One domain, by its id.
    Domain(Box<str>, Deed),
    /// One application, by its id.
    Application(Box<str>, Deed),
}

/// How far somebody gets in the OpenShift door; each goes further than those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nowhere.
    Nowhere,
    /// To who the user is.
    Identity,
    /// To all that reads; there is nothing that it would show.
    View,
    /// To everything; there is nothing that it may change.
    Edit,
    /// To everything.
    All,
}

impl OpenshiftScope {
    /// Those that are offered, in the order in which they are.
    pub const OFFERED: [&str; 9] = [
        "session",
        "read",
        "userinfo",
        "domain/:id/view",
        "domain/:id/edit",
        "domain/:id/admin",
        "application/:id/view",
        "application/:id/edit",
        "application/:id/admin",
    ];

    /// How far it reaches in its door.
    pub const fn reach(&self) -> Reach {
        match self {
            Self::Session => Reach::All,
            Self::Read | Self::Userinfo => Reach::Identity,
            Self::Sso | Self::OauthAccessToken => Reach::Nowhere,
            Self::Domain(_, Deed::View) | Self::Application(_, Deed::View) => Reach::View,
            Self::Domain(..) | Self::Application(..) => Reach::Edit,
        }
    }

    /// What it amounts to outside of its door.
    pub const fn caps(&self) -> Caps {
        match self {
            Self::Session => Caps::DIRECT,
            Self::Read => Caps { repo: Some(Role::Read), user: UserCap::Read, ..Caps::NONE },
            Self::Userinfo => Caps { user: UserCap::Read, ..Caps::NONE },
            Self::Sso | Self::OauthAccessToken | Self::Domain(..) | Self::Application(..) => {
                Caps::NONE
            }
        }
    }

    /// What settings call it: without the id, and without the action.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Read => "read",
            Self::Userinfo => "userinfo",
            Self::Sso => "sso",
            Self::OauthAccessToken => "oauthaccesstoken",
            Self::Domain(..) => "domain",
            Self::Application(..) => "application",
        }
    }
}

impl fmt::Display for OpenshiftScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(id, deed) | Self::Application(id, deed) => {
                write!(f, "{}/{id}/{deed}", self.kind())
            }
            _ => f.write_str(self.kind()),
        }
    }
}

impl FromStr for OpenshiftScope {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("scope");
        let simple = [Self::Session, Self::Read, Self::Userinfo, Self::Sso, Self::OauthAccessToken];
        if let Some(scope) = simple.into_iter().find(|scope| scope.kind() == word) {
            return Ok(scope);
        }
        let (kind, rest) = word.split_once('/').ok_or(unknown)?;
        let (id, deed) = rest.split_once('/').ok_or(unknown)?;
        let hexadecimal = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if id.len() != 24 || !hexadecimal {
            return Err(unknown);
        }
        match (kind, deed.parse()?) {
            ("domain", deed @ (Deed::View | Deed::Edit | Deed::Admin)) => {
                Ok(Self::Domain(id.into(), deed))
            }
            ("application", deed) => Ok(Self::Application(id.into(), deed)),
            _ => Err(unknown),
        }
    }
}

/// Scopes as they are asked for: in their order, without repetition, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedScopes(Vec<OpenshiftScope>);

impl AskedScopes {
    /// Each scope.
    pub fn iter(&self) -> impl Iterator<Item = &OpenshiftScope> {
        self.0.iter()
    }

    /// What is stored of them.
    pub fn scopes(&self) -> Scopes {
        Scopes::new(
            self.iter().map(|s| Scope { dialect: Dialect::Openshift, word: s.to_string().into() }),
        )
    }
}

impl Default for AskedScopes {
    /// `userinfo`.
    fn default() -> Self {
        Self(vec![OpenshiftScope::Userinfo])
    }
}

impl fmt::Display for AskedScopes {
    /// The words, with one blank between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            let blank = if at == 0 { "" } else { " " };
            write!(f, "{blank}{scope}")?;
        }
        Ok(())
    }
}

/// As many scopes as a token may have.
const MOST: usize = 64;

impl FromStr for AskedScopes {
    type Err = UnknownWord;

    /// Words separated by commas and white space, in any case. Without one it is the default; one
    /// unknown word spoils all.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let mut scopes = Vec::new();
        let words = text.split(|c: char| c == ',' || c.is_ascii_whitespace());
        for word in words.filter(|word| !word.is_empty()) {
            let scope = word.to_ascii_lowercase().parse()?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
            if scopes.len() > MOST {
                return Err(UnknownWord("scope"));
            }
        }
        if scopes.is_empty() { Ok(Self::default()) } else { Ok(Self(scopes)) }
    }
}

impl Scopes {
    /// Those of the OpenShift door; a word that it does not know any more is none.
    pub fn openshift(&self) -> Vec<OpenshiftScope> {
        let words = self.iter().filter(|scope| scope.dialect == Dialect::Openshift);
        words.filter_map(|scope| scope.word.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "51ed4adbb8c2e70a72000294";

    fn asked(text: &str) -> Option<String> {
        text.parse::<AskedScopes>().ok().map(|scopes| scopes.to_string())
    }

    #[test]
    fn words_keep_their_order_and_lose_case_and_repetition() {
        assert_eq!(asked(" Session,,read\tSESSION ").as_deref(), Some("session read"));
        assert_eq!(asked("read session").as_deref(), Some("read session"));
        for blank in ["", " ", ", ,"] {
            assert_eq!(asked(blank).as_deref(), Some("userinfo"), "{blank:?}");
        }
    }

    #[test]
    fn one_bad_word_spoils_all() {
        for bad in [
            "session+read",
            "session bogus",
            "domain",
            "domain/x/view",
            "domain/:id/view",
            &format!("domain/{ID}/scale"),
            &format!("domain/{ID}/builder"),
            &format!("application/{ID}"),
            &format!("application/{ID}/view/x"),
            &format!("application/{ID}0/view"),
        ] {
            assert_eq!(asked(bad), None, "{bad}");
        }
        let upper = format!("DOMAIN/{}/View", ID.to_uppercase());
        assert_eq!(asked(&upper), Some(format!("domain/{ID}/view")));
        assert!(asked(&format!("application/{ID}/report_deployments")).is_some());
    }

    #[test]
    fn a_token_has_a_bounded_number_of_scopes() {
        let many = |n: usize| {
            let scopes: Vec<_> = (0..n).map(|n| format!("domain/{n:024x}/view")).collect();
            scopes.join(",")
        };
        assert!(asked(&many(MOST)).is_some());
        assert!(asked(&many(MOST + 1)).is_none());
    }

    #[test]
    fn scopes_give_no_more_than_they_say() {
        let caps = |text: &str| text.parse::<AskedScopes>().unwrap().scopes().caps();
        assert_eq!(caps("session"), Caps::DIRECT);
        assert_eq!(caps("userinfo"), Caps { user: UserCap::Read, ..Caps::NONE });
        let read = Caps { repo: Some(Role::Read), user: UserCap::Read, ..Caps::NONE };
        assert_eq!(caps("userinfo read"), read);
        for nothing in [&format!("domain/{ID}/admin"), "sso", "oauthaccesstoken"] {
            assert_eq!(caps(nothing), Caps::NONE, "{nothing}");
        }
    }
}
