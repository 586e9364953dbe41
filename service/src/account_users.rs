//! Users as their account sees them.
//!
//! Source: `contract/astra.md` section 7. Not here: who manages whom (`crate::residents`).

use claviger_domain::{Error, account::Label};
pub use claviger_store::account_users::AccountUser;
use claviger_store::labels;

use crate::{
    app::App,
    own_user::{Profile, profile_of},
};

/// A user, as his account sees him.
#[derive(Clone, Debug)]
pub struct UserView {
    /// The user.
    pub user: AccountUser,
    /// What he says of himself.
    pub profile: Profile,
    /// His labels.
    pub labels: Vec<Label>,
}

/// How far somebody is with being a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// He has no role or no password yet.
    Pending,
    /// He may act.
    Active,
    /// He may not act.
    Suspended,
}

impl UserState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl UserView {
    /// How far he is.
    pub fn state(&self) -> UserState {
        let AccountUser { disabled_at, role, password_changed_at, .. } = &self.user;
        match (disabled_at, role, password_changed_at) {
            (Some(_), ..) => UserState::Suspended,
            (None, Some(_), Some(_)) => UserState::Active,
            (None, ..) => UserState::Pending,
        }
    }
}

impl App {
    /// `user` with what he says of himself.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn user_view(&self, user: AccountUser) -> Result<UserView, Error> {
        let id = user.id;
        let labels = self.db.read(move |q| Ok(labels::of(q, id.as_str())?)).await?;
        Ok(UserView { profile: profile_of(user.profile.as_deref())?, user, labels })
    }
}
