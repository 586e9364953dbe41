//! Users as their account sees them: who is in it, making, changing and ending one.
//!
//! A user who is made here has no role and no password yet: he can do nothing. His name in the other
//! doors follows from his address: what stands before the `@`, in lower case, with `-` for what no
//! name has; if that is taken, reserved or was somebody's, `-2`, `-3` … behind it.
//!
//! Source: `contract/astra.md` section 7; `PRODUCT.md`, "Words"; `SECURITY.md` section 2.
//! Not here: who manages whom (`crate::residents`), roles, passwords.

use claviger_domain::{
    Conflict, Error, UnixMillis,
    account::{ItemName, Label, PersonName},
    id::PrincipalId,
    name::{Email, Namespace},
};
pub use claviger_store::account_users::AccountUser;
use claviger_store::{
    Query, Tx,
    account_users::{self, Needed},
    audit::{self, Act, Actor},
    endings::{self, Ending},
    labels, principals, users,
};

use crate::{
    app::App,
    caller::Origin,
    collection::{Listing, Page},
    own_user::{PostalAddress, Profile, profile_of},
    residents::{Fellow, Resident},
    users::NewUser,
};

/// How many names are tried for one address.
const NAMES: usize = 100;
/// The most of an address that becomes a name, so that there is room for a number.
const MAX_NAME: usize = 240;

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

/// What is said of a user; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UserWords {
    /// His given name.
    pub first_name: Option<PersonName>,
    /// His family name.
    pub last_name: Option<PersonName>,
    /// Where he works.
    pub company: Option<ItemName>,
    /// His telephone number.
    pub phone: Option<String>,
    /// Where he lives.
    pub postal_address: Option<PostalAddress>,
    /// His labels.
    pub labels: Option<Vec<Label>>,
}

/// What is changed of a user; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct AccountUserChange {
    /// What is said of him.
    pub words: UserWords,
    /// The address.
    pub email: Option<Email>,
    /// Whether he may act.
    pub enabled: Option<bool>,
}

impl UserWords {
    fn apply(&self, profile: &mut Profile) {
        if let Some(name) = &self.first_name {
            profile.given_name = name.text().map(str::to_owned);
        }
        if let Some(name) = &self.last_name {
            profile.family_name = name.text().map(str::to_owned);
        }
        if let Some(name) = &self.company {
            profile.company = Some(name.as_str().to_owned());
        }
        if self.phone.is_some() {
            profile.phone.clone_from(&self.phone);
        }
        if self.postal_address.is_some() {
            profile.postal_address.clone_from(&self.postal_address);
        }
    }
}

impl App {
    /// `user` with what he says of himself.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn user_view(&self, user: AccountUser) -> Result<UserView, Error> {
        self.db.read(move |q| view(q, user)).await
    }

    /// A page of the users of an account.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Unavailable`].
    pub async fn account_users(
        &self,
        resident: &Resident,
        list: Listing,
    ) -> Result<Page<UserView>, Error> {
        resident.must_see()?;
        let account = resident.account();
        self.page(list, move |q, asked| {
            let page = account_users::page(q, &account, asked)?;
            let ids: Vec<_> = page.items.iter().map(|user| user.id.text()).collect();
            let mut found = labels::of_many(q, &ids)?;
            page.try_map(|user| {
                let labels = found.remove(&*user.id.text()).unwrap_or_default();
                Ok(UserView { profile: profile_of(user.profile.as_deref())?, user, labels })
            })
        })
        .await
    }

    /// Makes a user of the account.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Conflict::EmailTaken`]; [`Conflict::NameTaken`] when no name is left for
    /// the address.
    pub async fn make_account_user(
        &self,
        resident: &Resident,
        email: Email,
        words: UserWords,
        origin: &Origin,
    ) -> Result<UserView, Error> {
        resident.must_be_admin()?;
        let claims = names_for(&email).map(|name| self.claim(name, None)).collect();
        let verified = !self.settings.quay.feature_mailing;
        let new = NewUser { email: Some(email), password: None, verified, superuser: false };
        let mut profile = Profile::default();
        words.apply(&mut profile);
        let text = serde_json::to_string(&profile).map_err(Error::internal)?;
        let ready = self.ready_user_of(claims, new).await?.without_role(text);
        let (now, actor) = (self.now(), resident.by().actor(origin));
        let account = resident.account();
        self.write_in(resident, move |tx, by| {
            by.must_be_admin()?;
            let id = ready.insert(tx, account, &actor, now)?.id;
            if let Some(given) = &words.labels {
                labels::set(tx, &id.text(), given)?;
            }
            let user = account_users::find(tx, &account, &id)?;
            view(tx, user.ok_or(Error::NotFound("user"))?)
        })
        .await
    }

    /// Changes a user, if he is still as `expected`. A disabled one loses his sessions, and his
    /// tokens open nothing until he is enabled again.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::NotFound`]; [`Conflict::Changed`]; [`Conflict::EmailTaken`].
    pub async fn change_account_user(
        &self,
        resident: &Resident,
        id: PrincipalId,
        change: AccountUserChange,
        expected: impl FnOnce(&UserView) -> bool + Send + 'static,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor) = (self.now(), resident.by().actor(origin));
        let mailing = self.settings.quay.feature_mailing;
        let superusers = self.superusers();
        self.write_in(resident, move |tx, by| {
            let fellow = superusers.fellow(tx, by, id)?;
            by.must_manage(&fellow)?;
            let oneself = fellow.oneself;
            let old = view(tx, fellow.user.clone())?;
            if !expected(&old) {
                return Err(Conflict::Changed.into());
            }
            let email = change.email.filter(|new| old.user.email.as_deref() != Some(new.as_str()));
            let enabled = change.enabled.filter(|new| *new == old.user.disabled_at.is_some());
            if email.is_some() || enabled.is_some() {
                by.must_set_credentials_of(&fellow)?;
            }
            if let Some(email) = &email {
                if oneself && mailing {
                    let problem = "must be confirmed by mail, which is not sent yet";
                    return Err(Error::invalid("email", problem));
                }
                set_email(tx, &id, email, now)?;
            }
            match enabled {
                Some(true) => users::enable(tx, &id)?,
                Some(false) => users::disable(tx, &id, now)?,
                None => {}
            }
            let mut profile = old.profile;
            change.words.apply(&mut profile);
            let text = serde_json::to_string(&profile).map_err(Error::internal)?;
            users::set_profile(tx, &id, &text)?;
            if let Some(given) = &change.words.labels {
                labels::set(tx, &id.text(), given)?;
            }
            principals::modified(tx, &id, now, actor.id.as_ref())?;
            let shown = |email: Option<&str>, enabled: bool| {
                serde_json::json!({ "email": email, "enabled": enabled }).to_string()
            };
            let (was, before) = (old.user.disabled_at.is_none(), old.user.email.as_deref());
            let after = shown(email.as_ref().map(Email::as_str).or(before), enabled.unwrap_or(was));
            let act = Act::done("user_change", "user", &old.user.name).id(&id);
            let before = shown(before, was);
            let act = act.namespace(&old.user.name).change(Some(&before), Some(&after));
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// Ends a user with all that is his own, if he is still as `expected`.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::NotFound`]; [`Conflict::Changed`]; [`Conflict::OwnsRepositories`]
    /// and [`Conflict::LastAdmin`] for somebody who is needed.
    pub async fn end_account_user(
        &self,
        resident: &Resident,
        id: PrincipalId,
        expected: impl FnOnce(&UserView) -> bool + Send + 'static,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor) = (self.now(), resident.by().actor(origin));
        let superusers = self.superusers();
        self.write_in(resident, move |tx, by| {
            let fellow = superusers.fellow(tx, by, id)?;
            if !expected(&view(tx, fellow.user.clone())?) {
                return Err(Conflict::Changed.into());
            }
            end(tx, by, &fellow, &actor, now)
        })
        .await
    }
}

/// Ends a user.
pub(crate) fn end(
    tx: &mut Tx<'_>,
    by: &Resident,
    fellow: &Fellow,
    actor: &Actor,
    now: UnixMillis,
) -> Result<(), Error> {
    by.must_be_admin()?;
    by.must_set_credentials_of(fellow)?;
    let AccountUser { id, name, .. } = &fellow.user;
    match account_users::needed(tx, id)? {
        Some(Needed::ForRepositories) => return Err(Conflict::OwnsRepositories.into()),
        Some(Needed::ForOrganisation) => return Err(Conflict::LastAdmin.into()),
        None => {}
    }
    let user = principals::find(tx, id)?.ok_or(Error::NotFound("user"))?;
    let ending = Ending { now, by: &actor.name, reason: "user deleted" };
    endings::delete(tx, &user, None, &ending)?;
    let act = Act::done("user_delete", "user", name).id(id).namespace(name);
    Ok(audit::append(tx, now, actor, &act)?)
}

fn view(q: &mut dyn Query, user: AccountUser) -> Result<UserView, Error> {
    let labels = labels::of(q, &user.id.text())?;
    Ok(UserView { profile: profile_of(user.profile.as_deref())?, user, labels })
}

fn set_email(
    tx: &mut Tx<'_>,
    id: &PrincipalId,
    email: &Email,
    now: UnixMillis,
) -> Result<(), Error> {
    let holder = principals::find_by_email(tx, &email.key())?;
    if holder.is_some_and(|holder| holder.id != *id) {
        return Err(Conflict::EmailTaken.into());
    }
    Ok(users::set_email(tx, id, Some(email.as_str()), Some(now))?)
}

/// The names that somebody with this address may have, the best first.
fn names_for(email: &Email) -> impl Iterator<Item = Namespace> {
    let local = email.as_str().rsplit_once('@').map_or("", |(local, _)| local).to_lowercase();
    let mut base = String::new();
    for c in local.chars().take(MAX_NAME) {
        match c {
            'a'..='z' | '0'..='9' => base.push(c),
            // no two separators side by side, and none in front
            _ if base.is_empty() || base.ends_with(['.', '_', '-']) => {}
            '.' | '_' => base.push(c),
            _ => base.push('-'),
        }
    }
    base.truncate(base.trim_end_matches(['.', '_', '-']).len());
    if base.is_empty() {
        base.push_str("user");
    }
    let names = (1..=NAMES).map(move |n| match n {
        1 => base.clone(),
        n => format!("{base}-{n}"),
    });
    // one letter alone is no name, but with a number it is
    names.filter_map(|name| name.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_follows_from_the_address() {
        for (email, first, second) in [
            ("jdoe@example.com", "jdoe", "jdoe-2"),
            ("John.Doe@example.com", "john.doe", "john.doe-2"),
            ("john..doe+ci@example.com", "john.doe-ci", "john.doe-ci-2"),
            ("_x_@example.com", "x-2", "x-3"),
            ("\u{fc}@example.com", "user", "user-2"),
            ("o'brien!@example.com", "o-brien", "o-brien-2"),
        ] {
            let names: Vec<_> = names_for(&email.parse().unwrap()).take(2).collect();
            assert_eq!([names[0].as_str(), names[1].as_str()], [first, second], "{email}");
        }
        let long = format!("{}@example.com", "x".repeat(240));
        assert_eq!(names_for(&long.parse().unwrap()).count(), NAMES);
    }
}
