//! The whole application in this process, over a database of its own, at a moment that stands still.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use axum::body::Body;
use claviger_domain::{Chance, Clock, Error, id::InstallationId};
use claviger_http::{Site, doors, metrics::Metrics, origin::Peer};
use claviger_service::{
    App, Opened, Settings,
    install::{FirstUser, MasterSource},
    keys::{KeyRing, Keys, MasterKeys},
    passwords::{Password, Passwords},
};
use claviger_store::{Db, Query, Row, Stmt, audit::Actor, installation};
use http::Request;
use http_body_util::BodyExt;
use zeroize::Zeroizing;

use crate::{
    answer::Answer,
    case::{secrets::Secrets, seed},
    described::Described,
    scratch::{Engine, Scratch},
    server::Server,
    stands::{SeededChance, StillClock},
    visitor::Visitor,
};

/// The application, with everything that it stands on.
pub struct TestApp {
    pub app: Arc<App>,
    pub site: Site,
    pub clock: Arc<StillClock>,
    pub db: Db,
    described: Described,
    keyring: Keyring,
    installation: InstallationId,
    // dropped last: the database goes with it
    scratch: Scratch,
}

impl TestApp {
    /// An application as it is after its first start: the superuser `admin` has the password
    /// `password`.
    pub async fn empty(engine: Engine, settings: Settings) -> Self {
        let scratch = Scratch::new(engine);
        let still = Arc::new(StillClock::default());
        let clock: Arc<dyn Clock> = Arc::clone(&still) as _;
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(1));
        let opened =
            Opened::open(scratch.target(), 2, &settings, &clock, &chance).expect("it opens");
        let (db, keyring) = (opened.db.clone(), Keyring::default());
        let first = FirstUser { name: None, password: Some("password".to_owned().into()) };
        let program = Actor::program("tests".to_owned());
        let random = Arc::clone(&chance);
        let app = App::start(opened, &keyring, first, program, clock, random, settings).await;
        let app = Arc::new(app.expect("it starts").0);
        let site = doors::site(&app, chance, &Arc::<Metrics>::default());
        let installation = db.read(|q: &mut dyn Query| Ok(installation::find(q)?)).await;
        let installation = installation.expect("an answer").expect("an installation");
        let described = Described::new(Visitor::anonymous(&site).get("/openapi.json").await.json());
        Self { app, site, described, clock: still, db, keyring, installation, scratch }
    }

    /// The same, with what the recordings began with in it; and our secrets for those recorded.
    pub async fn seeded(engine: Engine, settings: Settings) -> (Self, Secrets) {
        let app = Self::empty(engine, settings).await;
        let chance = SeededChance::new(2);
        let passwords = Passwords::new(&chance).expect("passwords are hashed");
        let password = passwords.hash(Password::given("password"), &chance).await.expect("a hash");
        let secrets = seed::write(&app.db, app.keys(), password, app.clock.now()).await;
        (app, secrets)
    }

    /// Keys like those of the application, for what the tests write themselves.
    pub fn keys(&self) -> KeyRing {
        let master = self.keyring.read().expect("keys").expect("keys");
        let prefix = self.app.settings().tokens.prefix;
        let keys = Keys::new(&master, self.installation, &[master.newest()], prefix, &[], true);
        KeyRing::new(keys.expect("keys"))
    }

    /// Another process on the same store, with settings of its own.
    pub fn beside(&self, settings: Settings) -> Arc<App> {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(3));
        let target = self.scratch.target();
        let opened = Opened::open(target, 1, &settings, &clock, &chance).expect("it opens");
        Arc::new(App::new(opened, self.keys(), clock, chance, settings).expect("an app"))
    }

    /// Where its SQLite file is, `claviger.db`.
    pub fn folder(&self) -> &std::path::Path {
        self.scratch.folder()
    }

    /// Something that stays the same as long as [`TestApp::rows`] does, and costs less. Where it does
    /// not, they may still be the same.
    pub async fn mark(&self) -> String {
        // SQLite counts what a connection changes, and all is changed by the one that writes
        let mark = self.db.write(|tx| {
            let row = tx.optional(&MARK, &[])?;
            Ok::<_, Error>(row.map(|row| row.text(0).map(str::to_owned)).transpose()?)
        });
        mark.await.expect("an answer").expect("a row")
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

/// The tables that say who may do what, and in which order their rows are compared.
macro_rules! tables {
    ($($table:literal $order:literal;)+) => {
        const TABLES: &[Stmt] =
            &[$(Stmt::same(concat!("SELECT * FROM ", $table, " ORDER BY ", $order))),+];
        /// Stays the same as long as they do.
        const MARK: Stmt = Stmt::split(
            "SELECT CAST(total_changes() AS TEXT)",
            concat!(
                "SELECT CAST(sum(h) AS TEXT) FROM (SELECT CAST(0 AS NUMERIC) AS h",
                $(" UNION ALL SELECT hashtextextended(t::text, 0) FROM ", $table, " AS t",)+
                ") AS hashes"
            ),
        );
    };
}

tables! {
    "account" "seq";
    "principal" "seq";
    "role_binding" "seq";
    "team" "seq";
    "team_member" "seq";
    "team_invite" "seq";
    "repository" "seq";
    "permission" "seq";
    "star" "principal_id, repo_id";
    "prototype" "seq";
    "application" "seq";
    "oauth_assignment" "seq";
    "token" "seq";
    "token_scope" "token_id, dialect, word";
    "openshift_authorization" "token_id";
    "secret" "lookup";
    "label" "object_id, position";
    "name_tombstone" "name";
    "lifetime_policy" "account_id, kind";
}

/// The master keys of a test, in memory.
#[derive(Default)]
struct Keyring(OnceLock<Zeroizing<String>>);

impl MasterSource for Keyring {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn read(&self) -> Result<Option<MasterKeys>, String> {
        let read = |text: &Zeroizing<String>| MasterKeys::parse(text).expect("keys");
        Ok(self.0.get().map(read))
    }

    fn draw(&self, chance: &dyn Chance) -> Result<MasterKeys, String> {
        let keys = MasterKeys::draw(chance);
        self.0.get_or_init(|| keys.to_text());
        Ok(keys)
    }

    fn replace(&self, _: &MasterKeys) -> Result<(), String> {
        Err("the tests do not rotate these".to_owned())
    }
}

/// What is described must be answered as it is described.
impl Server for TestApp {
    async fn send(&self, request: Request<Vec<u8>>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.site.send(request).await;
        let faults = self.described.faults(&method, &path, &answer);
        assert_eq!(faults, [""; 0], "{method} {path} is not answered as /openapi.json says");
        answer
    }
}

/// As if asked from this machine.
impl Server for Site {
    async fn send(&self, request: Request<Vec<u8>>) -> Answer {
        let peer = Peer(SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)));
        let answer = self.answer(Some(peer), request.map(Body::from)).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.close();
    }
}
