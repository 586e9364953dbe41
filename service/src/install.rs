//! The first start, and every other one: keys, the first account, the first superuser.
//!
//! An empty store becomes an installation in one transaction. Whatever finds it made uses it, so
//! two programs that start at once agree. Which master keys belong to the store is told by a check
//! value for each generation; a store that is not empty never causes a key to be drawn.
//!
//! Source: `PRODUCT.md`, "From outside: the program"; `SECURITY.md` sections 1 and 4.

use std::sync::Arc;

use claviger_domain::{
    Chance, Clock, Error, UnixMillis,
    id::{AccountId, InstallationId, PrincipalId},
    name::Namespace,
    principal::PrincipalKind,
    role::AccountRole,
    secret::Prefix,
};
use claviger_store::{
    Query, Touched, Tx,
    accounts::{self, Account},
    audit::{self, Act, Actor},
    installation,
    key_generations::{self, KeyGeneration},
    principals::{self, Principal},
    role_bindings,
};

use zeroize::Zeroizing;

use crate::{
    app::{App, Opened},
    keys::{self, KeyRing, Keys, MasterKeys},
    passwords::Password,
    settings::{Reveal, Settings},
    signing,
};

/// The name of the first account.
const FIRST_ACCOUNT: &str = "default";
/// The name of the first superuser, where none is given.
const FIRST_USER: &str = "admin";

/// Where the master keys lie. The sentences that it gives are shown to the operator.
pub trait MasterSource: Send + Sync {
    /// What to call the place.
    fn name(&self) -> String;

    /// The keys; nothing when they are still to be made.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read(&self) -> Result<Option<MasterKeys>, String>;

    /// Makes the keys of a new installation, or reads those that another program has just made.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn draw(&self, chance: &dyn Chance) -> Result<MasterKeys, String>;

    /// Puts `keys` in the place of those that are there.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn replace(&self, keys: &MasterKeys) -> Result<(), String>;
}

/// Whom the first start makes a superuser.
#[derive(Default)]
pub struct FirstUser {
    /// His name; `admin` if none is given.
    pub name: Option<Namespace>,
    /// His password; drawn if none is given. Looked at only when he is made.
    pub password: Option<Zeroizing<String>>,
}

/// A superuser whose password was drawn and must be told now.
pub struct Drawn {
    /// His name.
    pub name: String,
    /// His password.
    pub password: Password,
}

/// Why the program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operator must do something; the sentence says what.
    #[error("{0}")]
    Refused(String),
    /// Something failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

fn refused(sentence: impl Into<String>) -> StartError {
    StartError::Refused(sentence.into())
}

/// What the store says about its installation.
struct Found {
    installation: Option<InstallationId>,
    generations: Vec<KeyGeneration>,
    account: Option<AccountId>,
    prefixes: Vec<Prefix>,
    any_user: bool,
}

impl Found {
    fn read(q: &mut dyn Query) -> Result<Self, Error> {
        Ok(Self {
            installation: installation::find(q)?,
            generations: key_generations::in_use(q)?,
            account: installation::first_account(q)?,
            prefixes: installation::prefixes(q)?,
            any_user: principals::any_user(q)?,
        })
    }

    /// An empty store as it will be.
    fn fresh(
        self,
        master: &MasterKeys,
        settings: &Settings,
        chance: &dyn Chance,
        now: UnixMillis,
    ) -> Result<Self, Error> {
        let id = InstallationId::random(chance);
        let number = master.newest();
        let key = master.get(number).ok_or_else(|| Error::internal("there is no master key"))?;
        let check_value = keys::check_value(key, &id)?.to_vec();
        Ok(Self {
            installation: Some(id),
            generations: vec![KeyGeneration { number, check_value, created_at: now }],
            account: Some(AccountId::random(chance)),
            prefixes: vec![settings.tokens.prefix],
            any_user: self.any_user,
        })
    }

    /// The keys of the installation, once it is sure that `master` holds the right ones.
    fn keys(
        &self,
        master: &MasterKeys,
        place: &str,
        settings: &Settings,
    ) -> Result<Keys, StartError> {
        let empty = || Error::internal("the store holds no installation");
        let id = self.installation.ok_or_else(empty)?;
        for generation in &self.generations {
            let number = generation.number;
            let key = master.get(number).ok_or_else(|| {
                refused(format!(
                    "the master key of generation {number} is missing in {place}: put back the \
                     key file of this store"
                ))
            })?;
            if keys::check_value(key, &id)?.as_slice() != generation.check_value {
                return Err(refused(format!(
                    "the master key in {place} is not that of this store: give the right one, or \
                     the right store"
                )));
            }
        }
        let numbers: Vec<u8> = self.generations.iter().map(|g| g.number).collect();
        let keep_selectors = settings.tokens.reveal != Reveal::None;
        let prefix = settings.tokens.prefix;
        Ok(Keys::new(master, id, &numbers, prefix, &self.prefixes, keep_selectors)?)
    }

    /// Writes an empty store's installation.
    fn install(&self, tx: &mut Tx<'_>, now: UnixMillis, actor: &Actor) -> Result<(), Error> {
        let (Some(id), Some(account)) = (&self.installation, &self.account) else {
            return Err(Error::internal("nothing to install"));
        };
        installation::insert(tx, id, now)?;
        accounts::insert(tx, &Account::new(*account, FIRST_ACCOUNT, now, None))?;
        for generation in &self.generations {
            key_generations::insert(tx, generation)?;
        }
        let name = id.text();
        let act = Act::done("install", "installation", &name).id(id);
        Ok(audit::append(tx, now, actor, &act)?)
    }
}

/// The superuser that is wanted.
struct Wanted {
    name: String,
    password: Option<Password>,
}

impl Wanted {
    /// Nobody when there are users, or when the first is made through Quay's API.
    fn of(
        found: &Found,
        first: FirstUser,
        settings: &Settings,
    ) -> Result<Option<Self>, StartError> {
        let by_api = settings.quay.feature_user_initialize && first.password.is_none();
        if found.any_user || by_api {
            return Ok(None);
        }
        let password = first.password.map(|text| Password::new(text.as_str())).transpose();
        let password = password.map_err(|_| {
            refused(
                "the first superuser's password (CLAVIGER_ADMIN_PASSWORD) must be at least 8 \
                 characters and contain no whitespace",
            )
        })?;
        let name = first.name.map_or_else(|| FIRST_USER.to_owned(), |n| n.as_str().to_owned());
        Ok(Some(Self { name, password }))
    }
}

/// A superuser to be made if there is no user.
struct NewUser {
    name: String,
    hash: String,
    drawn: bool,
}

impl NewUser {
    /// Makes him; whether he was needed.
    fn insert(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        now: UnixMillis,
        actor: &Actor,
    ) -> Result<bool, Error> {
        if principals::any_user(tx)? {
            return Ok(false);
        }
        let id = PrincipalId::random(tx.chance());
        let user = Principal {
            password_hash: Some(self.hash.clone()),
            password_changed_at: Some(now),
            password_drawn_at: self.drawn.then_some(now),
            verified_at: Some(now),
            superuser_at: Some(now),
            ..Principal::new(id, account, PrincipalKind::User, &self.name, now)
        };
        principals::insert(tx, &user)?;
        role_bindings::insert_first(tx, &id, &account, AccountRole::Member, now, None)?;
        let act = Act::done("user_create", "user", &self.name)
            .id(&id)
            .change(None, Some(r#"{"superuser":true}"#));
        audit::append(tx, now, actor, &act)?;
        Ok(true)
    }
}

impl App {
    /// Makes an empty store ready, or uses the one that is there.
    ///
    /// # Errors
    /// [`StartError::Refused`] when a key is missing or wrong, or a password is too weak; then
    /// nothing has been changed.
    pub async fn start(
        opened: Opened,
        master: &dyn MasterSource,
        first: FirstUser,
        actor: Actor,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        settings: Settings,
    ) -> Result<(Self, Option<Drawn>), StartError> {
        let found = opened.db.read(Found::read).await?;
        let empty = found.installation.is_none();
        let wanted = Wanted::of(&found, first, &settings)?;
        let place = master.name();
        let read = master.read().map_err(StartError::Refused)?;
        let keys = match read {
            Some(keys) => keys,
            None if empty => master.draw(chance.as_ref()).map_err(StartError::Refused)?,
            None => {
                return Err(refused(format!(
                    "this store has a master key, and {place} is not there: put it back, or name \
                     the right one with `--master-key-file`"
                )));
            }
        };
        let now = clock.now();
        let found =
            if empty { found.fresh(&keys, &settings, chance.as_ref(), now)? } else { found };
        let ring = KeyRing::new(found.keys(&keys, &place, &settings)?);
        let app = Self::new(opened, ring, clock, chance, settings)?;
        let drawn = app.make_ready(found, empty, wanted, actor).await?;
        if empty {
            // somebody else may have been quicker
            app.load_keys(&keys, &place).await?;
        }
        app.tend_signing_keys().await?;
        Ok((app, drawn))
    }

    /// Writes what is missing.
    async fn make_ready(
        &self,
        found: Found,
        empty: bool,
        wanted: Option<Wanted>,
        actor: Actor,
    ) -> Result<Option<Drawn>, StartError> {
        let mut drawn = None;
        let user = match wanted {
            None => None,
            Some(Wanted { name, password }) => {
                let password = password.unwrap_or_else(|| {
                    let password = Password::draw(self.chance());
                    let told = Password::given(password.expose());
                    drawn = Some(Drawn { name: name.clone(), password: told });
                    password
                });
                let hash = self.passwords.hash(password, self.chance()).await?;
                Some(NewUser { name, hash, drawn: drawn.is_some() })
            }
        };
        let prefix = self.settings.tokens.prefix;
        if !empty && user.is_none() && found.prefixes.contains(&prefix) {
            return Ok(None);
        }
        let now = self.now();
        let made = self.db.write(move |tx| {
            if installation::find(tx)?.is_none() {
                found.install(tx, now, &actor)?;
            }
            installation::use_prefix(tx, &prefix, now)?;
            let account = installation::first_account(tx)?;
            let account = account.ok_or_else(|| Error::internal("there is no account"))?;
            user.map_or(Ok(false), |user| user.insert(tx, account, now, &actor))
        });
        Ok(if made.await? { drawn } else { None })
    }

    async fn load_keys(&self, master: &MasterKeys, place: &str) -> Result<(), StartError> {
        let found = self.db.read(Found::read).await?;
        self.keys.replace(found.keys(master, place, &self.settings)?);
        Ok(())
    }

    /// Takes over the keys that another process has made meanwhile: a new generation of the
    /// master key, a new signing key. Called once a minute, and when the store has changed.
    ///
    /// # Errors
    /// [`StartError::Refused`] when the new master key is not to be had here.
    pub async fn tend_keys(&self, master: &dyn MasterSource) -> Result<(), StartError> {
        let newest = self.db.peek(|q| Ok(key_generations::in_use(q)?)).await?;
        if newest.last().is_some_and(|newest| newest.number != self.keys.generation()) {
            let place = master.name();
            let keys = master.read().map_err(StartError::Refused)?;
            let keys = keys.ok_or_else(|| refused(format!("the master key {place} is gone")))?;
            self.load_keys(&keys, &place).await?;
        }
        Ok(self.tend_signing_keys().await?)
    }

    /// Draws a new generation of the master key; what older ones have made stays good. The key is
    /// kept before the store uses it, so a crash in between loses nothing. Gives its number.
    ///
    /// # Errors
    /// [`StartError::Refused`] when the key cannot be kept.
    pub async fn rotate_master_key(
        &self,
        master: &dyn MasterSource,
        actor: Actor,
    ) -> Result<u8, StartError> {
        let place = master.name();
        let mut keys = master
            .read()
            .map_err(StartError::Refused)?
            .ok_or_else(|| refused(format!("the master key {place} is gone")))?;
        let mut found = self.db.read(Found::read).await?;
        found.keys(&keys, &place, &self.settings)?;
        let number = keys
            .add_generation(self.chance())
            .map_err(|problem| refused(format!("{place} {problem}")))?;
        let now = self.now();
        let empty = || Error::internal("the store holds no installation");
        let id = found.installation.ok_or_else(empty)?;
        let key = keys.get(number).ok_or_else(empty)?;
        let check_value = keys::check_value(key, &id)?.to_vec();
        let generation = KeyGeneration { number, check_value, created_at: now };
        found.generations.push(generation.clone());
        let ring = KeyRing::new(found.keys(&keys, &place, &self.settings)?);
        master.replace(&keys).map_err(StartError::Refused)?;

        let chance = Arc::clone(&self.chance);
        let written = self.db.write(move |tx| {
            key_generations::insert(tx, &generation)?;
            signing::reseal(tx, &ring, chance.as_ref())?;
            let name = format!("generation {number}");
            let act = Act::done("rotate_master_key", "key_generation", &name);
            audit::append(tx, now, &actor, &act)?;
            // running servers notice at once
            tx.touch(Touched::All);
            Ok(())
        });
        written.await?;
        self.load_keys(&keys, &place).await?;
        Ok(number)
    }
}

#[cfg(test)]
mod tests;
