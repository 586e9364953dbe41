//! All that the use cases stand on. A door holds it as `Arc<App>`.

use std::sync::{Arc, OnceLock};

use claviger_domain::{
    Chance, Clock, Error, UnixMillis,
    id::{AccountId, TokenId},
};
pub use claviger_store::feed::Feed;
use claviger_store::{Db, Memory, Query, Target};

use crate::{
    activity::Activity, decisions::Decisions, facts::Facts, hints::Hints, keys::KeyRing,
    passwords::Passwords, settings::Settings, signing::Signer, throttle::Throttle,
};

/// What the use cases stand on: the store, what is remembered of it, time, chance, the settings.
pub struct App {
    pub(crate) db: Db,
    pub(crate) facts: Arc<Facts>,
    pub(crate) keys: KeyRing,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) activity: Activity,
    pub(crate) signer: Signer,
    pub(crate) decisions: Decisions,
    /// Under which id a name was found last; see [`crate::questions`].
    pub(crate) hints: Hints,
    pub(crate) first_account: OnceLock<AccountId>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) settings: Arc<Settings>,
}

/// The store with what is remembered of it, as an [`App`] is made from.
pub struct Opened {
    /// The store.
    pub db: Db,
    /// What is remembered of it; the store tells it what commits have touched.
    pub facts: Arc<Facts>,
}

impl Opened {
    /// Opens the store and migrates it. `readers` is the number of connections for reading.
    ///
    /// # Errors
    /// When it cannot be reached, or belongs to a newer program.
    pub fn open(
        target: Target,
        readers: usize,
        settings: &Settings,
        clock: &Arc<dyn Clock>,
        chance: &Arc<dyn Chance>,
    ) -> Result<Self, claviger_store::StoreError> {
        let facts = Arc::new(Facts::new(settings.cache.memory_bytes, settings.cache.max_staleness));
        let memory = Arc::clone(&facts) as Arc<dyn Memory>;
        let db = Db::open(target, readers, memory, Arc::clone(chance), Arc::clone(clock))?;
        facts.follow(Arc::clone(db.feed()));
        Ok(Self { db, facts })
    }
}

impl App {
    /// The whole, from its parts.
    ///
    /// # Errors
    /// [`Error::Internal`] when passwords cannot be hashed here.
    pub fn new(
        opened: Opened,
        keys: KeyRing,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        settings: Settings,
    ) -> Result<Self, Error> {
        Ok(Self {
            db: opened.db,
            facts: opened.facts,
            keys,
            passwords: Passwords::new(chance.as_ref())?,
            throttle: Throttle::default(),
            activity: Activity::default(),
            signer: Signer::default(),
            decisions: Decisions::default(),
            hints: Hints::new(settings.cache.memory_bytes),
            first_account: OnceLock::new(),
            clock,
            chance,
            settings: Arc::new(settings),
        })
    }

    /// The present instant.
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where randomness comes from.
    pub fn chance(&self) -> &dyn Chance {
        self.chance.as_ref()
    }

    /// The id of a token that is made now.
    pub(crate) fn new_token_id(&self) -> TokenId {
        TokenId::dated(self.now(), self.chance())
    }

    /// What is remembered, and whether it may be used.
    pub fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// How many decisions were made.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The change feed as this process follows it.
    pub fn feed(&self) -> &Feed {
        self.db.feed()
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not.
    pub async fn ready(&self) -> Result<(), Error> {
        self.db.peek(|q: &mut dyn Query| Ok(claviger_store::migrate::version(q).map(drop)?)).await
    }

    /// Tells when another process has changed the store.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<i64> {
        self.db.feed().applied()
    }

    /// Serves what waits for the store, then closes it.
    pub fn close(&self) {
        self.db.close();
    }
}
