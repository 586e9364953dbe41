//! OAuth applications of an organisation: made, changed and removed by who administers it.
//!
//! An application proves itself with a secret that its owners may see again: a keyed hash to
//! compare with, and a sealed copy to show. Its client id is no secret.
//!
//! Source: Quay `endpoints/api/organization.py`; `contract/quay.md` section 7.
//! Not here: what a user grants to an application (`crate::oauth`).

use claviger_domain::{
    Chance, Error,
    id::{ApplicationId, PrincipalId},
    name::{Description, Text},
    secret::TokenSecret,
    time::random,
};
use claviger_store::{
    Query,
    applications::{self, Application, ClientSecret},
    audit::{self, Act},
    endings::Ending,
    faces::Face,
    oauth_tokens,
};

use crate::{
    NamespaceAdmin,
    app::App,
    caller::{Caller, Credential, Origin},
    keys::Purpose,
    settings::Reveal,
};

/// What an application is called, and from what its avatar is drawn: 0 to 255 characters.
pub type ApplicationText = Text<255>;
/// An address that an application names: 0 to 2048 characters. Whether an answer may go there is
/// decided when one does ([`claviger_domain::redirect`]).
pub type ApplicationUri = Text<2048>;

const CLIENT_ID_CHARS: usize = 20;
const SECRET_CHARS: usize = 40;

/// What the owners of an application say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplicationDetails {
    /// What it is called; names need not differ.
    pub name: ApplicationText,
    /// Where its answers go; empty: nowhere.
    pub redirect_uri: ApplicationUri,
    /// Its home page.
    pub application_uri: ApplicationUri,
    /// What is said of it.
    pub description: Description,
    /// What its avatar is drawn from.
    pub avatar_email: Option<ApplicationText>,
}

/// An application, as its owners see it.
#[derive(Debug)]
pub struct ApplicationView {
    /// The id that clients know.
    pub client_id: String,
    /// What it is called.
    pub name: String,
    /// Where its answers go.
    pub redirect_uri: String,
    /// Its home page.
    pub application_uri: String,
    /// What is said of it.
    pub description: String,
    /// What its avatar is drawn from.
    pub avatar_email: Option<String>,
    /// Its secret, where it may be shown.
    pub secret: Option<TokenSecret>,
}

/// An application, as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicApplication {
    /// The id that clients know.
    pub client_id: String,
    /// What it is called.
    pub name: String,
    /// Its home page.
    pub application_uri: String,
    /// What is said of it.
    pub description: String,
    /// What its avatar is drawn from.
    pub avatar_email: Option<String>,
    /// Its organisation.
    pub org: Face,
}

impl PublicApplication {
    pub(crate) fn new(application: Application, org: Face) -> Self {
        Self {
            client_id: application.client_id,
            name: application.name,
            application_uri: application.application_uri,
            description: application.description,
            avatar_email: application.avatar_email,
            org,
        }
    }
}

/// The application that clients know by `client_id`, if `org` owns it.
pub(crate) fn owned(
    q: &mut dyn Query,
    org: &PrincipalId,
    client_id: &str,
) -> Result<Application, Error> {
    let found = applications::find(q, client_id)?.map(|(application, _)| application);
    found.filter(|application| application.org == *org).ok_or(Error::NotFound("application"))
}

/// `N` characters of `[A-Z0-9]`, each drawn from 32 random bits, so that none is likelier by more
/// than one in a hundred million.
fn letters<const N: usize>(chance: &dyn Chance) -> String {
    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let letter = |_| {
        let at = u32::from_le_bytes(random(chance)) % 36;
        let letter = usize::try_from(at).ok().and_then(|at| ALPHABET.get(at));
        char::from(letter.copied().unwrap_or(b'A'))
    };
    (0..N).map(letter).collect()
}

impl App {
    /// A new secret for an application, and what is kept of it.
    pub(crate) fn new_client_secret(
        &self,
        id: &ApplicationId,
    ) -> Result<(TokenSecret, ClientSecret), Error> {
        let text = TokenSecret::foreign(letters::<SECRET_CHARS>(self.chance()));
        let hash = self.keys.keyed_hash(Purpose::ClientSecret, text.expose());
        let seal = self.keys.seal(&id.text(), text.expose().as_bytes(), self.chance())?;
        if seal.generation != hash.generation {
            return Err(Error::internal("the keys were replaced between two uses"));
        }
        let shown_again = self.settings.tokens.reveal != Reveal::None;
        let sealed = if shown_again { seal.bytes } else { Vec::new() };
        let kept = ClientSecret { lookup: hash.lookup, sealed, key_generation: hash.generation };
        Ok((text, kept))
    }

    /// Whether the secrets of applications may be shown to this caller again.
    fn shows_client_secrets(&self, caller: &Caller) -> bool {
        match self.settings.tokens.reveal {
            Reveal::All => true,
            Reveal::None => false,
            Reveal::Fresh => {
                !matches!(caller.credential, Credential::Token(_))
                    && caller.fresh_user(self.now(), self.fresh_login_timeout()).is_ok()
            }
        }
    }

    fn client_secret(&self, application: &Application) -> Result<Option<TokenSecret>, Error> {
        let secret = &application.secret;
        if secret.sealed.is_empty() {
            return Ok(None);
        }
        let plain =
            self.keys.open(secret.key_generation, &application.id.text(), &secret.sealed)?;
        let text = std::str::from_utf8(&plain).map_err(Error::internal)?;
        Ok(Some(TokenSecret::foreign(text.to_owned())))
    }

    fn application_view(
        &self,
        application: Application,
        with_secret: bool,
    ) -> Result<ApplicationView, Error> {
        let secret = if with_secret { self.client_secret(&application)? } else { None };
        Ok(ApplicationView {
            client_id: application.client_id,
            name: application.name,
            redirect_uri: application.redirect_uri,
            application_uri: application.application_uri,
            description: application.description,
            avatar_email: application.avatar_email,
            secret,
        })
    }

    /// Makes an application. Its secret is in the answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] (so for all of this file).
    pub async fn create_application(
        &self,
        admin: &NamespaceAdmin,
        details: ApplicationDetails,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<ApplicationView, Error> {
        let org = admin.on().id;
        let id = ApplicationId::random(self.chance());
        let (secret, kept) = self.new_client_secret(&id)?;
        let now = self.now();
        let application = described(
            Application {
                id,
                client_id: letters::<CLIENT_ID_CHARS>(self.chance()),
                org,
                name: String::new(),
                redirect_uri: String::new(),
                application_uri: String::new(),
                description: String::new(),
                avatar_email: None,
                secret: kept,
                created_at: now,
            },
            details,
        );
        let view = self.application_view(application.clone(), false)?;
        let (actor, namespace) = (caller.actor(origin), admin.name().to_owned());
        self.write_as(caller, admin.right(), move |tx| {
            applications::insert(tx, &application)?;
            let act = act("create_application", &application, &namespace);
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await?;
        Ok(ApplicationView { secret: Some(secret), ..view })
    }

    /// The applications of an organisation, the oldest first.
    ///
    /// # Errors
    /// As [`App::create_application`].
    pub async fn applications(
        &self,
        admin: &NamespaceAdmin,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<Vec<ApplicationView>, Error> {
        let org = admin.on().id;
        let found = self.db.read(move |q| Ok(applications::of_org(q, &org)?)).await?;
        self.show(found, admin, caller, origin).await
    }

    /// One application of an organisation.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such application of it.
    pub async fn application(
        &self,
        admin: &NamespaceAdmin,
        client_id: &str,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<ApplicationView, Error> {
        let (org, client_id) = (admin.on().id, client_id.to_owned());
        let found = self.db.read(move |q| owned(q, &org, &client_id)).await?;
        let mut shown = self.show(vec![found], admin, caller, origin).await?;
        shown.pop().ok_or(Error::NotFound("application"))
    }

    /// The views of `found`. That secrets were shown is audited.
    async fn show(
        &self,
        found: Vec<Application>,
        admin: &NamespaceAdmin,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<Vec<ApplicationView>, Error> {
        let with_secret = self.shows_client_secrets(caller);
        let shown: Vec<_> = found
            .iter()
            .filter(|application| with_secret && !application.secret.sealed.is_empty())
            .cloned()
            .collect();
        if !shown.is_empty() {
            let (now, actor) = (self.now(), caller.actor(origin));
            let namespace = admin.name().to_owned();
            self.db
                .write(move |tx| {
                    for application in &shown {
                        let act = act("show_application_secret", application, &namespace);
                        audit::append(tx, now, &actor, &act)?;
                    }
                    Ok(())
                })
                .await?;
        }
        found
            .into_iter()
            .map(|application| self.application_view(application, with_secret))
            .collect()
    }

    /// Changes what is said of an application.
    ///
    /// # Errors
    /// As [`App::application`].
    pub async fn update_application(
        &self,
        admin: &NamespaceAdmin,
        client_id: &str,
        details: ApplicationDetails,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<ApplicationView, Error> {
        let (org, client_id) = (admin.on().id, client_id.to_owned());
        let (now, actor) = (self.now(), caller.actor(origin));
        let namespace = admin.name().to_owned();
        let updated = self
            .write_as(caller, admin.right(), move |tx| {
                let before = owned(tx, &org, &client_id)?;
                let after = described(before.clone(), details);
                applications::update(tx, &after)?;
                let (before, after_text) = (changes(&before), changes(&after));
                let act = act("update_application", &after, &namespace)
                    .change(Some(&before), Some(&after_text));
                audit::append(tx, now, &actor, &act)?;
                Ok(after)
            })
            .await?;
        let mut shown = self.show(vec![updated], admin, caller, origin).await?;
        shown.pop().ok_or(Error::NotFound("application"))
    }

    /// Gives an application another secret; the old one opens nothing any more. Tokens go on.
    ///
    /// # Errors
    /// As [`App::application`].
    pub async fn reset_client_secret(
        &self,
        admin: &NamespaceAdmin,
        client_id: &str,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<ApplicationView, Error> {
        let (org, client_id) = (admin.on().id, client_id.to_owned());
        let found = self.db.read(move |q| owned(q, &org, &client_id)).await?;
        let (secret, kept) = self.new_client_secret(&found.id)?;
        let (now, actor) = (self.now(), caller.actor(origin));
        let (namespace, client_id) = (admin.name().to_owned(), found.client_id);
        let updated = self
            .write_as(caller, admin.right(), move |tx| {
                let application = owned(tx, &org, &client_id)?;
                applications::set_secret(tx, &application.id, &kept)?;
                let act = act("reset_application_client_secret", &application, &namespace);
                audit::append(tx, now, &actor, &act)?;
                Ok(application)
            })
            .await?;
        let view = self.application_view(updated, false)?;
        Ok(ApplicationView { secret: Some(secret), ..view })
    }

    /// Removes an application; its tokens, codes and assignments end with it.
    ///
    /// # Errors
    /// As [`App::application`].
    pub async fn delete_application(
        &self,
        admin: &NamespaceAdmin,
        client_id: &str,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (org, client_id) = (admin.on().id, client_id.to_owned());
        let (now, actor) = (self.now(), caller.actor(origin));
        let namespace = admin.name().to_owned();
        self.write_as(caller, admin.right(), move |tx| {
            let application = owned(tx, &org, &client_id)?;
            let ending = Ending { now, by: &actor.name, reason: "application deleted" };
            oauth_tokens::revoke_all(tx, &application.id, &ending)?;
            applications::remove(tx, &application.id)?;
            let act = act("delete_application", &application, &namespace);
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// What everybody may know of an application.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id.
    pub async fn public_application(&self, client_id: &str) -> Result<PublicApplication, Error> {
        let client_id = client_id.to_owned();
        let found = self.db.read(move |q| Ok(applications::find(q, &client_id)?)).await?;
        let (application, org) = found.ok_or(Error::NotFound("application"))?;
        Ok(PublicApplication::new(application, org))
    }
}

fn described(application: Application, details: ApplicationDetails) -> Application {
    Application {
        name: details.name.as_str().to_owned(),
        redirect_uri: details.redirect_uri.as_str().to_owned(),
        application_uri: details.application_uri.as_str().to_owned(),
        description: details.description.as_str().to_owned(),
        avatar_email: details.avatar_email.map(|email| email.as_str().to_owned()),
        ..application
    }
}

/// What the audit keeps of a change.
fn changes(application: &Application) -> String {
    serde_json::json!({
        "name": application.name,
        "redirect_uri": application.redirect_uri,
        "application_uri": application.application_uri,
    })
    .to_string()
}

pub(crate) fn act<'a>(
    act: &'static str,
    application: &'a Application,
    namespace: &'a str,
) -> Act<'a> {
    Act::done(act, "application", &application.name)
        .id(&*application.client_id)
        .namespace(namespace)
}
