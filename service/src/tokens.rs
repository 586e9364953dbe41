//! Every token of every kind in one list, and what is done to one whatever its kind.
//!
//! | who | sees | changes and ends |
//! | --- | --- | --- |
//! | a user | his own, his robots' | the same |
//! | who administers an organisation | its robots' | the same |
//! | an admin or owner of an account | those of its people | those of who is not above him |
//! | a superuser | all | all |
//!
//! A credential reaches beyond its own user only where it may act as a superuser (a session, an api
//! token; an OAuth token with that scope), and to an organisation's robots as its scopes let it. No
//! secret is ever shown here.
//!
//! Not here: new secrets (`crate::rotation`).

mod change;
mod ending;

use claviger_domain::{
    Error,
    access::namespace_role,
    id::{PrincipalId, TokenId},
    principal::{PrincipalFacts, PrincipalKind},
    role::OrgRole,
    scope::UserCap,
};
pub use claviger_store::token_list::{Listed, Secret, Sight};
use claviger_store::{Query, token_list};
use serde_json::json;

pub use self::{
    change::TokenChange,
    ending::{MOST_SHOWN, Sweep, SweepOutcome},
};
use crate::{
    app::App,
    caller::Caller,
    collection::{Asked, Listing, Page},
    residents::{Resident, Superusers},
    seen::tag,
    still::Right,
};

const TOKEN: &str = "token";

/// How far somebody's right reaches over a token.
#[derive(Clone, Debug)]
enum Reach {
    /// He may not know of it.
    None,
    /// He sees it.
    See,
    /// He ends and changes it.
    Change(Authority),
}

/// By which right somebody reaches a token. It is looked at again when the act commits.
#[derive(Clone, Debug)]
pub(crate) enum Authority {
    /// It is his own, or his robot's.
    Own,
    /// It is a robot's of this namespace, which he administers.
    Home {
        /// The namespace.
        namespace: PrincipalId,
        /// Its name.
        name: String,
    },
    /// He is an admin of the account of its user, who is not above him.
    Role {
        /// What he is there.
        resident: Box<Resident>,
        /// The user.
        whose: PrincipalId,
        /// Who is above everybody.
        superusers: Superusers,
    },
    /// He is a superuser.
    Superuser,
}

impl Authority {
    /// What is asked again before the write.
    pub(crate) fn right(&self) -> Right {
        match self {
            Self::Own | Self::Role { .. } => Right::Himself,
            Self::Home { namespace, name } => {
                Right::In { namespace: *namespace, name: name.clone(), role: OrgRole::Admin }
            }
            Self::Superuser => Right::Superuser,
        }
    }

    /// Checks in the write what `right` does not say: that he still manages the user.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub(crate) fn check(&self, q: &mut dyn Query) -> Result<(), Error> {
        let Self::Role { resident, whose, superusers } = self else { return Ok(()) };
        let resident = resident.still(q, superusers)?;
        match superusers.fellow(q, &resident, *whose) {
            Ok(fellow) => resident.must_manage(&fellow),
            // whose tokens have ended with him
            Err(Error::NotFound(_)) => resident.must_be_admin(),
            Err(error) => Err(error),
        }
    }
}

/// The proof that somebody may change and end a token; made by [`App::permit_token`] alone.
#[derive(Clone, Debug)]
pub struct TokenPermit {
    pub(crate) token: Listed,
    pub(crate) by: Caller,
    pub(crate) authority: Authority,
}

impl TokenPermit {
    /// Checks in the write that the right is still there.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub(crate) fn check(&self, q: &mut dyn Query) -> Result<(), Error> {
        self.authority.check(q)
    }
}

/// The tag of a token's state: what somebody could have changed, and not its uses.
pub fn token_tag(token: &Listed) -> String {
    let labels: Vec<_> = token.labels.iter().map(|l| [l.name(), l.value()]).collect();
    let secrets: Vec<_> = token
        .secrets
        .iter()
        .map(|secret| (secret.created_at.0, secret.valid_until.map(|at| at.0)))
        .collect();
    tag(&json!([
        &*token.id.text(),
        token.name,
        labels,
        token.expires_at.map(|at| at.0),
        token.revoked_at.map(|at| at.0),
        token.modified_at.map(|at| at.0),
        secrets,
    ]))
}

/// Whether registry tokens may have been given out for a token.
pub fn opens_registry(token: &Listed) -> bool {
    token.scopes.caps().repo.is_some()
}

impl App {
    /// Which tokens `caller` sees.
    ///
    /// # Errors
    /// [`Error::Denied`] when his credential sees none; [`Error::Unavailable`].
    pub async fn tokens_in_sight(&self, caller: &Caller) -> Result<Sight, Error> {
        let (me, caps) = (caller.principal.id, caller.caps);
        if caps.superuser && (caller.standing.superuser || caller.standing.global_readonly) {
            return Ok(Sight::All);
        }
        if caps.user < UserCap::Read {
            return Err(Error::denied("see the tokens of", &*caller.principal.name));
        }
        let home = caller.principal.account;
        if caps.superuser && caps.user == UserCap::Admin && self.administers_account(caller).await?
        {
            return Ok(Sight::Account(me, home));
        }
        Ok(if caps.org >= Some(OrgRole::Admin) { Sight::Homes(me) } else { Sight::Own(me) })
    }

    /// Whether the caller is an admin or owner of his account.
    async fn administers_account(&self, caller: &Caller) -> Result<bool, Error> {
        match self.resident(caller, caller.principal.account).await {
            Ok(resident) => Ok(resident.must_be_admin().is_ok()),
            Err(Error::Denied { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A page of the tokens in sight.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn tokens(&self, sight: Sight, list: Listing) -> Result<Page<Listed>, Error> {
        let now = self.now();
        if asks_for_uses(&list.asked) {
            // what is compared must be written
            self.flush_activity().await?;
        }
        let page = self.page(list, move |q, asked| Ok(token_list::page(q, &sight, now, asked)?));
        let mut page = page.await?;
        page.items.iter_mut().for_each(|token| self.add_pending_uses(token));
        Ok(page)
    }

    /// Adds the uses that are not written yet.
    pub(crate) fn add_pending_uses(&self, token: &mut Listed) {
        let address = |last: crate::activity::Use| last.address.map(|a| a.to_string());
        if let Some(last) = self.activity.pending(&token.id)
            && token.last_used_at.is_none_or(|known| known <= last.at)
        {
            token.last_used_at = Some(last.at);
            token.last_used_address = address(last);
        }
        for secret in &mut token.secrets {
            if let Some(last) = self.activity.pending_of(&token.id, &secret.lookup)
                && secret.last_used_at.is_none_or(|known| known <= last.at)
            {
                secret.last_used_at = Some(last.at);
                secret.last_used_address = address(last);
            }
        }
    }

    /// One token.
    ///
    /// # Errors
    /// [`Error::NotFound`], for one that the caller may not know of, too.
    pub async fn token(&self, caller: &Caller, id: TokenId) -> Result<Listed, Error> {
        let (mut token, _) = self.reached(caller, id).await?;
        self.add_pending_uses(&mut token);
        Ok(token)
    }

    /// A token in sight, and how far the caller's right over it reaches.
    async fn reached(&self, caller: &Caller, id: TokenId) -> Result<(Listed, Reach), Error> {
        let token = self.db.peek(move |q| Ok(token_list::find(q, &id)?)).await?;
        let token = token.ok_or(Error::NotFound(TOKEN))?;
        match self.reach_over(caller, &token).await? {
            Reach::None => Err(Error::NotFound(TOKEN)),
            reach => Ok((token, reach)),
        }
    }

    /// The proof that the caller may change and end a token.
    ///
    /// # Errors
    /// [`Error::NotFound`] when he may not know of it, [`Error::Denied`].
    pub async fn permit_token(&self, caller: &Caller, id: TokenId) -> Result<TokenPermit, Error> {
        match self.reached(caller, id).await? {
            (token, Reach::Change(authority)) => {
                Ok(TokenPermit { token, by: caller.clone(), authority })
            }
            (token, _) => Err(Error::denied("change the token", token.id.text())),
        }
    }

    async fn reach_over(&self, caller: &Caller, token: &Listed) -> Result<Reach, Error> {
        let caps = caller.caps;
        let superuser = caps.superuser && caller.standing.superuser;
        let principal = self.facts.principal(&self.db, token.principal).await?;
        let own = token.principal == caller.principal.id;
        let robot = principal.as_deref().filter(|p| p.kind == PrincipalKind::Robot);
        let near = match robot {
            _ if own => Some(Authority::Own),
            Some(robot) => self.over_robot(caller, robot).await?,
            None => None,
        };
        match near {
            Some(authority) if caps.user == UserCap::Admin => return Ok(Reach::Change(authority)),
            _ if superuser => return Ok(Reach::Change(Authority::Superuser)),
            Some(_) if caps.user == UserCap::Read => return Ok(Reach::See),
            _ => {}
        }
        if !own && robot.is_none() && caps.superuser && caps.user == UserCap::Admin {
            let reach = self.over_person(caller, token, principal.is_some()).await?;
            if !matches!(reach, Reach::None) {
                return Ok(reach);
            }
        }
        let auditor = caps.superuser && caller.standing.global_readonly;
        Ok(if auditor { Reach::See } else { Reach::None })
    }

    /// By which right the caller reaches the tokens of a robot.
    async fn over_robot(
        &self,
        caller: &Caller,
        robot: &PrincipalFacts,
    ) -> Result<Option<Authority>, Error> {
        if robot.owner == Some(caller.principal.id) {
            return Ok(Some(Authority::Own));
        }
        let name = robot.name.split_once('+').map_or("", |(home, _)| home);
        let about = self.about_namespace(Some(caller), name).await?;
        let administered = about
            .namespace
            .filter(|namespace| namespace_role(&about.asker(), *namespace) == Some(OrgRole::Admin));
        Ok(administered.map(|at| Authority::Home { namespace: at.id, name: name.to_owned() }))
    }

    /// How far an admin of the account reaches over the tokens of its people, of whom one may be
    /// there no more.
    async fn over_person(
        &self,
        caller: &Caller,
        token: &Listed,
        is_there: bool,
    ) -> Result<Reach, Error> {
        if token.account != caller.principal.account {
            return Ok(Reach::None);
        }
        let resident = match self.resident(caller, token.account).await {
            Ok(resident) => resident,
            Err(Error::Denied { .. }) => return Ok(Reach::None),
            Err(error) => return Err(error),
        };
        if resident.must_be_admin().is_err() {
            return Ok(Reach::None);
        }
        if !is_there {
            return Ok(Reach::See);
        }
        let whose = token.principal;
        let fellow = self.fellow(&resident, whose).await?;
        if resident.must_manage(&fellow).is_err() {
            return Ok(Reach::See);
        }
        let (resident, superusers) = (Box::new(resident), self.superusers());
        Ok(Reach::Change(Authority::Role { resident, whose, superusers }))
    }
}

/// Whether it matters when tokens were last used.
fn asks_for_uses(asked: &Asked) -> bool {
    let fields = asked.filter.iter().map(|clause| clause.field).chain(asked.order.field);
    fields
        .map(|field| field.column)
        .any(|column| matches!(column, "last_used_at" | "last_used_address" | "idle_since"))
}
