//! The whole application in this process, over a database of its own, at a moment that stands still.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::body::Body;
use claviger_domain::{Chance, Clock, id::AccountId, id::InstallationId};
use claviger_http::{Site, doors, metrics::Metrics, origin::Peer};
use claviger_service::{
    App, Opened, Settings,
    keys::{KeyRing, Keys, MasterKeys},
    passwords::{Password, Passwords},
};
use claviger_store::{Db, Query, Row, Stmt};
use http::Request;
use http_body_util::BodyExt;

use crate::{
    answer::Answer,
    case::{secrets::Secrets, seed},
    scratch::{Engine, Scratch},
    server::Server,
    stands::{SeededChance, StillClock},
};

/// The application, with everything that it stands on.
pub struct TestApp {
    pub app: Arc<App>,
    pub site: Site,
    pub clock: Arc<StillClock>,
    pub db: Db,
    keys: Box<dyn Fn() -> KeyRing + Send + Sync>,
    // dropped last: the database goes with it
    scratch: Scratch,
}

impl TestApp {
    /// An application as it is after its first start, with nobody in it.
    pub async fn empty(engine: Engine, settings: Settings) -> Self {
        let scratch = Scratch::new(engine);
        let still = Arc::new(StillClock::default());
        let clock: Arc<dyn Clock> = Arc::clone(&still) as _;
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(1));
        let opened =
            Opened::open(scratch.target(), 2, &settings, &clock, &chance).expect("it opens");
        let db = opened.db.clone();
        let keys = install(&db, &settings, chance.as_ref(), still.now().0).await;
        let app = App::new(opened, keys(), clock, Arc::clone(&chance), settings).expect("an app");
        let app = Arc::new(app);
        app.tend_signing_keys().await.expect("signing keys");
        let site = doors::site(&app, chance, &Arc::<Metrics>::default());
        Self { app, site, clock: still, db, keys: Box::new(keys), scratch }
    }

    /// The same, with what the recordings began with in it; and our secrets for those recorded.
    pub async fn seeded(engine: Engine, settings: Settings) -> (Self, Secrets) {
        let app = Self::empty(engine, settings).await;
        let chance = SeededChance::new(2);
        let passwords = Passwords::new(&chance).expect("passwords are hashed");
        let password = passwords.hash(Password::given("password"), &chance).await.expect("a hash");
        let secrets = seed::write(&app.db, (app.keys)(), password, app.clock.now()).await;
        (app, secrets)
    }

    /// Another process on the same store, with settings of its own.
    pub fn beside(&self, settings: Settings) -> Arc<App> {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(3));
        let target = self.scratch.target();
        let opened = Opened::open(target, 1, &settings, &clock, &chance).expect("it opens");
        Arc::new(App::new(opened, (self.keys)(), clock, chance, settings).expect("an app"))
    }

    /// Where its SQLite file is, `claviger.db`.
    pub fn folder(&self) -> &std::path::Path {
        self.scratch.folder()
    }

    /// Every row that says who may do what, table by table.
    pub async fn rows(&self) -> Vec<Vec<Row>> {
        let rows = self.db.read(|q: &mut dyn Query| {
            let tables = TABLES.iter().map(|table| q.all(table, &[]));
            Ok(tables.collect::<Result<_, _>>()?)
        });
        rows.await.expect("an answer")
    }
}

/// The tables that say who may do what.
const TABLES: [Stmt; 13] = [
    Stmt::same("SELECT * FROM principal ORDER BY seq"),
    Stmt::same("SELECT * FROM team ORDER BY seq"),
    Stmt::same("SELECT * FROM team_member ORDER BY seq"),
    Stmt::same("SELECT * FROM team_invite ORDER BY seq"),
    Stmt::same("SELECT * FROM repository ORDER BY seq"),
    Stmt::same("SELECT * FROM permission ORDER BY seq"),
    Stmt::same("SELECT * FROM prototype ORDER BY seq"),
    Stmt::same("SELECT * FROM application ORDER BY seq"),
    Stmt::same("SELECT * FROM oauth_assignment ORDER BY seq"),
    Stmt::same("SELECT * FROM token ORDER BY seq"),
    Stmt::same("SELECT * FROM token_scope ORDER BY token_id, dialect, word"),
    Stmt::same("SELECT * FROM secret ORDER BY lookup"),
    Stmt::same("SELECT * FROM name_tombstone ORDER BY name"),
];

/// What the first start writes.
async fn install(
    db: &Db,
    settings: &Settings,
    chance: &dyn Chance,
    now: i64,
) -> impl Fn() -> KeyRing + Send + Sync + 'static {
    const INSTALLATION: Stmt =
        Stmt::same("INSERT INTO installation (one, id, created_at) VALUES (1, $1, $2)");
    const ACCOUNT: Stmt =
        Stmt::same("INSERT INTO account (id, name, created_at) VALUES ($1, 'default', $2)");
    let (installation, account) = (InstallationId::random(chance), AccountId::random(chance));
    db.write(move |tx| {
        tx.execute(&INSTALLATION, &[(&installation).into(), now.into()])?;
        tx.execute(&ACCOUNT, &[(&account).into(), now.into()])?;
        Ok(())
    })
    .await
    .expect("it is installed");
    let (master, prefix) = (MasterKeys::draw(chance), settings.tokens.prefix);
    move || {
        let keys = Keys::new(&master, installation, &[1], prefix, &[], true);
        KeyRing::new(keys.expect("keys"))
    }
}

impl Server for TestApp {
    async fn send(&self, request: Request<Vec<u8>>) -> Answer {
        let mut request = request.map(Body::from);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
        request.extensions_mut().insert(Peer(peer));
        let (head, body) = self.site.answer(request).await.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.close();
    }
}
