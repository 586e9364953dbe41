//! What superusers do to users and organisations. It needs no right of theirs in an organisation,
//! and gives none.
//!
//! A superuser is not changed or ended here: only he himself and the program on the store do that.
//!
//! Source: `contract/quay-clients.md` 2.1, 2.2 and 9.5; `SECURITY.md` section 2.

use claviger_domain::{
    Conflict, Error, UnixMillis,
    name::{Email, Namespace},
    principal::PrincipalKind,
};
use claviger_store::{
    Query, Tx,
    audit::{self, Act, Actor},
    endings::{self, Ending},
    organisations,
    principals::{self, Principal},
    users::{self, User},
};

use crate::{
    app::App,
    caller::{Caller, FreshUser, Origin},
    organisations::{Face, face},
    passwords::Password,
    still::Right,
    users::NewUser,
};

/// The proof that a superuser with a fresh sign-in is calling; made by [`App::permit_superuser`]
/// alone.
#[derive(Clone, Debug)]
pub struct Superuser(FreshUser);

impl Superuser {
    /// The superuser.
    pub(crate) fn caller(&self) -> &Caller {
        self.0.caller()
    }
}

/// The proof that somebody is calling who may see every user and organisation; made by
/// [`App::permit_overseer`] alone.
#[derive(Clone, Debug)]
pub struct Overseer(Caller);

/// A user, as superusers see one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// The user.
    pub user: User,
    /// Whether he was made superuser, or is named as one in the settings.
    pub superuser: bool,
    /// Whether the settings let him read everything.
    pub global_readonly: bool,
}

/// What is changed of a user; what is `None` stays.
#[derive(Debug, Default)]
pub struct UserChange {
    /// The password.
    pub password: Option<Password>,
    /// The address, which counts as confirmed; the inner `None` takes it away.
    pub email: Option<Option<Email>>,
    /// Whether he may act.
    pub enabled: Option<bool>,
    /// Whether he is a superuser.
    pub superuser: Option<bool>,
}

/// What is changed of an organisation; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct OrganisationRename {
    /// The name.
    pub name: Option<Namespace>,
    /// The address; the inner `None` takes it away.
    pub email: Option<Option<Email>>,
}

impl App {
    /// The proof that `caller` is a superuser whose credential may act as one, and whose sign-in is
    /// fresh.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::StaleLogin`].
    pub fn permit_superuser(&self, caller: Option<&Caller>) -> Result<Superuser, Error> {
        let caller = caller.ok_or(Error::Unauthenticated)?;
        if !(caller.standing.superuser && caller.caps.superuser) {
            return Err(Error::denied("administer", "the system"));
        }
        caller.fresh_user(self.now(), self.fresh_login_timeout()).map(Superuser)
    }

    /// The proof that `caller` is such a superuser, or may read everything.
    ///
    /// # Errors
    /// As [`App::permit_superuser`].
    pub fn permit_overseer(&self, caller: Option<&Caller>) -> Result<Overseer, Error> {
        let reader = caller.filter(|caller| caller.standing.global_readonly);
        if let Some(reader) = reader.filter(|caller| caller.caps.superuser) {
            reader.fresh_user(self.now(), self.fresh_login_timeout())?;
            return Ok(Overseer(reader.clone()));
        }
        Ok(Overseer(self.permit_superuser(caller)?.0.caller().clone()))
    }

    fn user_line(&self, user: User) -> UserLine {
        let quay = &self.settings.quay;
        UserLine {
            superuser: user.superuser_at.is_some() || quay.names_superuser(&user.name),
            global_readonly: quay.names_global_readonly(&user.name),
            user,
        }
    }

    /// Every user, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn all_users(&self, by: &Overseer) -> Result<Vec<UserLine>, Error> {
        let account = by.0.principal.account;
        let found = self.db.read(move |q| Ok(users::of_account(q, &account)?)).await?;
        Ok(found.into_iter().map(|user| self.user_line(user)).collect())
    }

    /// One user.
    ///
    /// # Errors
    /// [`Error::NotFound`], for robots and organisations too.
    pub async fn user(&self, by: &Overseer, name: &str) -> Result<UserLine, Error> {
        let (account, name) = (by.0.principal.account, name.to_owned());
        let found = self.db.read(move |q| Ok(users::find(q, &account, &name)?)).await?;
        Ok(self.user_line(found.ok_or(Error::NotFound("user"))?))
    }

    /// Makes a user with a password that is drawn; it is shown once. Where users must confirm their
    /// address, he must.
    ///
    /// # Errors
    /// [`Error::Invalid`] without an address where one is needed; [`Conflict::NameTaken`],
    /// [`Conflict::EmailTaken`]; [`Error::Busy`].
    pub async fn make_user(
        &self,
        by: &Superuser,
        name: Namespace,
        email: Option<Email>,
        origin: &Origin,
    ) -> Result<Password, Error> {
        let mailing = self.settings.quay.feature_mailing;
        if mailing && email.is_none() {
            return Err(Error::invalid("email", "is required"));
        }
        let password = Password::draw(self.chance());
        let hashed = Some(Password::given(password.expose()));
        let new = NewUser { email, password: hashed, verified: !mailing, superuser: false };
        let caller = by.0.caller();
        let ready = self.ready_user(self.claim(name, Some(caller)), new).await?;
        let (now, actor, account) = (self.now(), caller.actor(origin), caller.principal.account);
        self.write_as(caller, Right::Superuser, move |tx| {
            ready.insert(tx, account, &actor, now).map(drop)
        })
        .await?;
        Ok(password)
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`] for a superuser; [`Conflict::EmailTaken`];
    /// [`Error::Busy`].
    pub async fn change_user(
        &self,
        by: &Superuser,
        name: &str,
        change: UserChange,
        origin: &Origin,
    ) -> Result<UserLine, Error> {
        let caller = by.0.caller();
        self.changeable(caller, name).await?;
        let hash = match change.password {
            Some(password) => Some(self.hash_new_password(password).await?),
            None => None,
        };
        let named = self.settings.quay.names_superuser(name);
        let (now, actor, account) = (self.now(), caller.actor(origin), caller.principal.account);
        let name = name.to_owned();
        let user = self
            .write_as(caller, Right::Superuser, move |tx| {
                let user = users::find(tx, &account, &name)?.ok_or(Error::NotFound("user"))?;
                if named || user.superuser_at.is_some() {
                    return Err(Error::denied("change", name));
                }
                let note = Note { now, actor: &actor, user: &user };
                if let Some(hash) = hash {
                    users::set_password(tx, &user.id, &hash, &note.ending())?;
                    note.append(tx, "user_change_password", None)?;
                }
                if let Some(email) = change.email {
                    set_email(tx, &note, email.as_ref())?;
                }
                match change.enabled {
                    Some(true) if user.disabled_at.is_some() => {
                        users::enable(tx, &user.id)?;
                        note.append(tx, "user_enable", None)?;
                    }
                    Some(false) if user.disabled_at.is_none() => {
                        users::disable(tx, &user.id, now)?;
                        note.append(tx, "user_disable", None)?;
                    }
                    _ => {}
                }
                if change.superuser == Some(true) {
                    users::set_superuser(tx, &user.id, Some(now))?;
                    note.append(tx, "user_make_superuser", None)?;
                }
                users::find(tx, &account, &name)?.ok_or(Error::NotFound("user"))
            })
            .await?;
        Ok(self.user_line(user))
    }

    /// Checks before a password is hashed, which costs, that the user is there and no superuser.
    async fn changeable(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let (account, found) = (caller.principal.account, name.to_owned());
        let found = self.db.read(move |q| Ok(users::find(q, &account, &found)?)).await?;
        let line = self.user_line(found.ok_or(Error::NotFound("user"))?);
        if line.superuser { Err(Error::denied("change", name)) } else { Ok(()) }
    }

    /// Ends a user with all that is his own. Organisations that he alone administered stay,
    /// without an admin.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`] for a superuser.
    pub async fn delete_user(
        &self,
        by: &Superuser,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let caller = by.0.caller();
        let named = self.settings.quay.names_superuser(name);
        let (now, actor, account) = (self.now(), caller.actor(origin), caller.principal.account);
        let name = name.to_owned();
        self.write_as(caller, Right::Superuser, move |tx| {
            let user = principals::find_by_name(tx, &name)?
                .filter(|user| user.account == account && user.kind == PrincipalKind::User)
                .ok_or(Error::NotFound("user"))?;
            if named || user.superuser_at.is_some() {
                return Err(Error::denied("delete", name));
            }
            let ending = Ending { now, by: &actor.name, reason: "user deleted" };
            endings::delete(tx, &user, None, &ending)?;
            let act = Act::done("user_delete", "user", &name);
            let act = act.id(&user.id).namespace(&name);
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// Every organisation, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn all_organisations(&self, by: &Overseer) -> Result<Vec<Face>, Error> {
        let account = by.0.principal.account;
        self.db.read(move |q| Ok(organisations::of_account(q, &account)?)).await
    }

    /// Gives an organisation another name or address. With the name go its robots and repositories;
    /// what a registry holds under the old names stays there.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Conflict::NameTaken`].
    pub async fn rename_organisation(
        &self,
        by: &Superuser,
        name: &str,
        change: OrganisationRename,
        origin: &Origin,
    ) -> Result<Face, Error> {
        let caller = by.0.caller();
        let (now, actor, account) = (self.now(), caller.actor(origin), caller.principal.account);
        let claim = change.name.map(|name| self.claim(name, Some(caller)));
        let name = name.to_owned();
        self.write_as(caller, Right::Superuser, move |tx| {
            let org = organisation(tx, &name, |org| org.account == account)?;
            if let Some(email) = change.email {
                let email = email.map(|email| email.as_str().to_owned());
                let metadata = org.metadata.as_deref();
                organisations::set_profile(tx, &org.id, email.as_deref(), metadata)?;
            }
            if let Some(claim) = claim.filter(|claim| claim.name() != org.name) {
                claim.take(tx, &org.id)?;
                endings::rename(tx, &org.id, &org.name, claim.name(), now)?;
            }
            let new = principals::find(tx, &org.id)?.ok_or(Error::NotFound("organization"))?;
            let shown = |org: &Principal| {
                serde_json::json!({ "name": org.name, "email": org.email }).to_string()
            };
            let (before, after) = (shown(&org), shown(&new));
            let act = Act::done("org_change_name", "organization", &org.name)
                .id(&org.id)
                .namespace(&new.name)
                .change(Some(&before), Some(&after));
            audit::append(tx, now, &actor, &act)?;
            Ok(face(&new))
        })
        .await
    }

    /// Ends an organisation with all that is its own.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_any_organisation(
        &self,
        by: &Superuser,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (account, name) = (by.0.caller().principal.account, name.to_owned());
        let org =
            self.db.read(move |q| organisation(q, &name, |org| org.account == account)).await?;
        self.end_organisation(org.id, &by.0, Right::Superuser, origin).await
    }
}

/// The organisation `name`, if it is `good`.
fn organisation(
    q: &mut dyn Query,
    name: &str,
    good: impl Fn(&Principal) -> bool,
) -> Result<Principal, Error> {
    let found = principals::find_by_name(q, name)?;
    let found = found.filter(|org| org.kind == PrincipalKind::Org && good(org));
    found.ok_or(Error::NotFound("organization"))
}

/// Gives a user another address, which counts as confirmed.
fn set_email(tx: &mut Tx<'_>, note: &Note<'_>, email: Option<&Email>) -> Result<(), Error> {
    if let Some(email) = email {
        let taken = principals::find_by_email(tx, &email.key())?;
        if taken.is_some_and(|taken| taken.id != note.user.id) {
            return Err(Conflict::EmailTaken.into());
        }
    }
    let email = email.map(Email::as_str);
    users::set_email(tx, &note.user.id, email, Some(note.now))?;
    let after = serde_json::json!({ "email": email }).to_string();
    note.append(tx, "user_change_email", Some(&after))
}

/// What the audit says of a change of one user.
struct Note<'a> {
    now: UnixMillis,
    actor: &'a Actor,
    user: &'a User,
}

impl Note<'_> {
    fn ending(&self) -> Ending<'_> {
        Ending { now: self.now, by: &self.actor.name, reason: "password changed" }
    }

    fn append(&self, tx: &mut Tx<'_>, act: &'static str, after: Option<&str>) -> Result<(), Error> {
        let act = Act::done(act, "user", &self.user.name)
            .id(&self.user.id)
            .namespace(&self.user.name)
            .change(None, after);
        Ok(audit::append(tx, self.now, self.actor, &act)?)
    }
}
