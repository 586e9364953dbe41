//! What a user sees and changes of himself.
//!
//! Source: `contract/quay.md` section 5; quay `endpoints/api/user.py`.

use std::sync::Arc;

use claviger_domain::{
    Conflict, Error, UnixMillis,
    access::{Asker, NamespaceFacts, namespace_role},
    id::PrincipalId,
    name::Email,
    principal::PrincipalKind,
    role::OrgRole,
};
pub use claviger_store::faces::Face;
use claviger_store::{
    Tx,
    audit::{self, Act, Actor},
    organisations, principals,
    principals::Principal,
    teams, users,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    caller::{Caller, Credential, FreshUser, Origin},
    organisations::OrganisationSettings,
    passwords::Password,
    sessions::SignedIn,
    still::Right,
    users::give_password,
};

/// What a user says of himself. Kept as JSON; nobody decides by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// What is set of his own namespace.
    #[serde(flatten)]
    pub settings: OrganisationSettings,
    /// Where he works.
    pub company: Option<String>,
    /// His family name.
    pub family_name: Option<String>,
    /// His given name.
    pub given_name: Option<String>,
    /// Where he lives.
    pub location: Option<String>,
    /// His telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Where his letters go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_address: Option<PostalAddress>,
}

/// Where somebody's letters go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostalAddress {
    /// Two letters of ISO 3166.
    pub address_country: String,
    /// The town.
    pub address_locality: String,
    /// The region.
    pub address_region: String,
    /// The postal code.
    pub postal_code: String,
    /// The street.
    #[serde(rename = "streetAddress1")]
    pub street: String,
    /// More of it.
    #[serde(rename = "streetAddress2")]
    pub street_more: String,
}

/// An organisation that a user belongs to.
#[derive(Clone, Debug)]
pub struct OwnOrganisation {
    /// The organisation.
    pub face: Face,
    /// Whether he may make repositories in it.
    pub may_create: bool,
    /// Whether he administers it.
    pub is_admin: bool,
}

/// A user, as he sees himself.
#[derive(Clone, Debug)]
pub struct OwnUser {
    /// Name, address, and what his avatar is drawn from.
    pub face: Face,
    /// Whether his address is confirmed.
    pub verified: bool,
    /// Whether he has a password.
    pub has_password: bool,
    /// What he says of himself.
    pub profile: Profile,
    /// Where he belongs, the oldest first.
    pub organisations: Vec<OwnOrganisation>,
}

/// What a user changes of himself; what is `None` stays.
#[derive(Debug, Default)]
pub struct OwnChange {
    /// The password.
    pub password: Option<Password>,
    /// The address.
    pub email: Option<Email>,
    /// What he says of himself.
    pub profile: ProfileChange,
}

/// What a user changes of what he says of himself; what is `None` stays, the inner `None` takes
/// away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// For how long removed tags can be brought back, in seconds.
    pub tag_expiration_s: Option<i64>,
    /// Whether invoices are mailed.
    pub invoice_email: Option<bool>,
    /// Where to.
    pub invoice_email_address: Option<Option<String>>,
    /// Where he works.
    pub company: Option<Option<String>>,
    /// His family name.
    pub family_name: Option<Option<String>>,
    /// His given name.
    pub given_name: Option<Option<String>>,
    /// Where he lives.
    pub location: Option<Option<String>>,
}

impl Profile {
    fn apply(&mut self, change: ProfileChange) {
        fn set<T>(field: &mut T, change: Option<T>) {
            if let Some(value) = change {
                *field = value;
            }
        }
        set(&mut self.settings.tag_expiration_s, change.tag_expiration_s);
        set(&mut self.settings.invoice_email, change.invoice_email);
        set(&mut self.settings.invoice_email_address, change.invoice_email_address);
        set(&mut self.company, change.company);
        set(&mut self.family_name, change.family_name);
        set(&mut self.given_name, change.given_name);
        set(&mut self.location, change.location);
    }
}

impl App {
    /// The caller, as he sees himself.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when he has gone.
    pub async fn own_user(&self, caller: &Caller) -> Result<OwnUser, Error> {
        let id = caller.principal.id;
        let found = self.db.read(move |q| {
            let Some(user) = principals::find(q, &id)? else { return Err(Error::Unauthenticated) };
            Ok((user, organisations::of_user(q, &id)?, teams::of_principal(q, &id)?))
        });
        let (user, orgs, teams) = found.await?;
        let teams: Vec<_> = teams.into_iter().map(Arc::new).collect();
        let asker = Asker {
            principal: Some(&caller.principal),
            teams: &teams,
            standing: caller.standing,
            caps: caller.caps,
        };
        let own = orgs.into_iter().map(|face| {
            let facts = NamespaceFacts { id: face.id, kind: PrincipalKind::Org };
            let role = namespace_role(&asker, facts);
            let may_create = role >= Some(OrgRole::Creator);
            OwnOrganisation { face, may_create, is_admin: role == Some(OrgRole::Admin) }
        });
        let own = own.collect();
        Ok(OwnUser {
            verified: user.verified_at.is_some(),
            has_password: user.password_hash.is_some(),
            profile: profile(&user)?,
            organisations: own,
            face: face(user),
        })
    }

    /// Changes the caller. Another password ends his sessions; whoever changes it in one gets a new
    /// one.
    ///
    /// # Errors
    /// [`Error::Denied`] when the credential may not change its user; [`Error::Invalid`] for a
    /// password that looks like a token, or for an address where it must be confirmed by mail;
    /// [`Conflict::EmailTaken`]; [`Error::Busy`].
    pub async fn change_own_user(
        &self,
        by: &FreshUser,
        change: OwnChange,
        origin: &Origin,
    ) -> Result<Option<SignedIn>, Error> {
        let caller = by.caller();
        caller.must_be_own_admin()?;
        if change.email.is_some() && self.settings.quay.feature_mailing {
            return Err(Error::invalid(
                "email",
                "must be confirmed by mail, which is not sent yet",
            ));
        }
        let (now, id, actor) = (self.now(), caller.principal.id, caller.actor(origin));
        let OwnChange { password, email, profile } = change;
        if email.is_some() || profile != ProfileChange::default() {
            let actor = actor.clone();
            self.write_as(caller, Right::Himself, move |tx| {
                describe(tx, &id, email.as_ref(), profile, &actor, now)
            })
            .await?;
        }
        let Some(password) = password else { return Ok(None) };
        let hash = self.hash_new_password(password).await?;
        self.write_as(caller, Right::Himself, move |tx| give_password(tx, &id, &hash, &actor, now))
            .await?;
        match caller.credential {
            Credential::Session { .. } => Ok(Some(self.begin_session_of(id, origin).await?)),
            Credential::Token(_) | Credential::Password => Ok(None),
        }
    }
}

fn describe(
    tx: &mut Tx<'_>,
    id: &PrincipalId,
    email: Option<&Email>,
    change: ProfileChange,
    actor: &Actor,
    now: UnixMillis,
) -> Result<(), Error> {
    let user = principals::find(tx, id)?.ok_or(Error::Unauthenticated)?;
    if let Some(email) = email {
        let holder = principals::find_by_email(tx, &email.key())?;
        if holder.is_some_and(|holder| holder.id != *id) {
            return Err(Conflict::EmailTaken.into());
        }
        users::set_email(tx, id, Some(email.as_str()), Some(now))?;
    }
    let mut profile = profile(&user)?;
    profile.apply(change);
    let text = serde_json::to_string(&profile).map_err(Error::internal)?;
    users::set_profile(tx, id, &text)?;
    let shown = |email: Option<&str>| serde_json::json!({ "email": email }).to_string();
    let before = shown(user.email.as_deref());
    let after = shown(email.map(Email::as_str).or(user.email.as_deref()));
    let act = Act::done("user_change", "user", &user.name).id(id);
    let act = act.namespace(&user.name).change(Some(&before), Some(&after));
    Ok(audit::append(tx, now, actor, &act)?)
}

fn profile(user: &Principal) -> Result<Profile, Error> {
    profile_of(user.metadata.as_deref())
}

/// The profile that is kept as `text`.
pub(crate) fn profile_of(text: Option<&str>) -> Result<Profile, Error> {
    text.map_or_else(
        || Ok(Profile::default()),
        |text| serde_json::from_str(text).map_err(Error::internal),
    )
}

fn face(user: Principal) -> Face {
    let Principal { id, kind, name, email, avatar_key, .. } = user;
    Face { id, kind, name, email, avatar_key }
}
