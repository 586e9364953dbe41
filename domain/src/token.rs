//! Tokens: what they are, whose they are, and whether they live.

use crate::{
    id::{AccountId, ApplicationId, PrincipalId, TokenId},
    role::words,
    scope::Scopes,
    secret::Lookup,
    time::UnixMillis,
};

words! {
    /// What a token is; which door it opens follows from it (`SECURITY.md`, section 2).
    TokenKind, "kind of token" {
        /// Quay app-specific token.
        App = "app",
        /// OAuth access token.
        Oauth = "oauth",
        /// OpenShift authorization.
        Authorization = "authorization",
        /// Astra API token.
        Api = "api",
        /// The secret of a robot.
        Robot = "robot",
        /// Registry refresh token.
        Refresh = "refresh",
    }
}

impl TokenKind {
    /// Whether its dialect shows the secret again, so that the store keeps the selector.
    pub const fn shown_again(self) -> bool {
        matches!(self, Self::App | Self::Authorization | Self::Robot)
    }
}

/// Where a token stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It opens what it opens.
    Live,
    /// Its end has come: dead from the very instant of its expiry.
    Expired,
    /// It was ended.
    Revoked,
}

/// The cached facts about a token, as one of its secrets reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// Under which the secret is found that reaches it.
    pub lookup: Lookup,
    /// Its id.
    pub id: TokenId,
    /// What it is.
    pub kind: TokenKind,
    /// Whom it acts for.
    pub principal: PrincipalId,
    /// The account it acts in.
    pub account: AccountId,
    /// The OAuth application it was given to.
    pub application: Option<ApplicationId>,
    /// The token it was minted with (for a refresh token: the one it stands for).
    pub parent: Option<TokenId>,
    /// What it may do at most.
    pub scopes: Scopes,
    /// The registry service a refresh token is good for.
    pub service: Option<Box<str>>,
    /// The generation of the key that made the secret.
    pub key_generation: u8,
    /// When it ends; `None` is never.
    pub expires_at: Option<UnixMillis>,
    /// When this secret ends, after a rotation with overlap.
    pub secret_valid_until: Option<UnixMillis>,
    /// When it was ended.
    pub revoked_at: Option<UnixMillis>,
}

impl TokenFacts {
    /// Whether the token lives at `now`, as reached by this secret.
    pub fn state(&self, now: UnixMillis) -> TokenState {
        let over = |end: Option<UnixMillis>| end.is_some_and(|end| now >= end);
        if self.revoked_at.is_some() {
            TokenState::Revoked
        } else if over(self.expires_at) || over(self.secret_valid_until) {
            TokenState::Expired
        } else {
            TokenState::Live
        }
    }
}
