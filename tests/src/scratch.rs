//! A database for one test: a file in a temporary folder, or a clone of a migrated template on the
//! PostgreSQL that `scripts/test` has started. Without one its tests fail.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use claviger_domain::{Chance, Clock};
use claviger_store::{Db, Memory, Target, Touched};
use postgres::{Client, NoTls};
use tempfile::TempDir;

use crate::stands::{SeededChance, StillClock};

/// Which database a test is run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database for one test; gone when dropped.
#[derive(Debug)]
pub struct Scratch {
    target: Target,
    /// As `--database` takes it.
    address: String,
    folder: TempDir,
    database: Option<String>,
}

const TEMPLATE: &str = "claviger_template";
/// A number that only these tests use, so that one of them makes the template.
const LOCK: &str = "SELECT pg_advisory_lock(4801172)";

impl Scratch {
    /// An empty, migrated database.
    pub fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        match engine {
            Engine::Sqlite => {
                let target = Target::Sqlite(folder.path().join("claviger.db"));
                let address = "sqlite".to_owned();
                Self { target, address, folder, database: None }
            }
            Engine::Postgres => {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let name = format!("test_{}_{number}", std::process::id());
                apart(|| {
                    let mut admin = administrator();
                    admin.batch_execute(LOCK).expect("the lock");
                    make_template(&mut admin);
                    let create = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}");
                    admin.batch_execute(&create).expect("a clone of the template");
                });
                let address = address_of(&name);
                let target = Target::Postgres(address.parse().expect("an address"));
                Self { target, address, folder, database: Some(name) }
            }
        }
    }

    /// Which database it is, for the store.
    pub fn target(&self) -> Target {
        self.target.clone()
    }

    /// Which database it is, as `--database` takes it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A folder for whatever else the test keeps; the SQLite file is in it, `claviger.db`.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Opens it; what its commits touch is noted in `memory`.
    pub fn open(&self, memory: &Arc<Noted>) -> Db {
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(1));
        let clock: Arc<dyn Clock> = Arc::new(StillClock::default());
        let memory = Arc::clone(memory) as Arc<dyn Memory>;
        Db::open(self.target(), 2, memory, chance, clock).expect("the database opens")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(name) = self.database.take() {
            apart(|| {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                // a database left behind goes with the server
                let _ = administrator().batch_execute(&drop);
            });
        }
    }
}

/// Notes what it is told to forget.
#[derive(Debug, Default)]
pub struct Noted(pub Mutex<Vec<Touched>>);

impl Memory for Noted {
    fn evict(&self, touched: &[Touched]) {
        self.0.lock().expect("no panic while it is held").extend_from_slice(touched);
    }
}

/// The address of the tests' own PostgreSQL.
///
/// # Panics
/// When there is none: these tests are not passed over in silence.
pub fn postgres_url() -> String {
    #[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
    let url = std::env::var("TEST_POSTGRES_URL");
    url.expect("TEST_POSTGRES_URL is not set: run `scripts/test`, which starts PostgreSQL")
}

/// The address of another database on the same server.
fn address_of(database: &str) -> String {
    let url = postgres_url();
    let (server, _) = url.rsplit_once('/').expect("an address with a database");
    format!("{server}/{database}")
}

fn administrator() -> Client {
    Client::connect(&postgres_url(), NoTls).expect("PostgreSQL answers")
}

/// Runs `work` on a thread of its own: the driver must not be used where asynchronous work is
/// driven.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join()).expect("the work does not panic")
}

/// Makes the template, if no other test has. A half-made one has another name.
fn make_template(admin: &mut Client) {
    let known = "SELECT FROM pg_database WHERE datname = $1";
    if admin.query_opt(known, &[&TEMPLATE]).expect("an answer").is_some() {
        return;
    }
    let raw = format!("{TEMPLATE}_raw");
    admin.batch_execute(&format!("DROP DATABASE IF EXISTS {raw} WITH (FORCE)")).expect("no rest");
    admin.batch_execute(&format!("CREATE DATABASE {raw}")).expect("a database");
    let target = Target::Postgres(address_of(&raw).parse().expect("an address"));
    let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(1));
    let clock: Arc<dyn Clock> = Arc::new(StillClock::default());
    let db = Db::open(target, 1, Arc::<Noted>::default(), chance, clock).expect("it migrates");
    db.close();
    admin.batch_execute(&format!("ALTER DATABASE {raw} RENAME TO {TEMPLATE}")).expect("the name");
}

/// Makes of one test two, `NAME::sqlite` and `NAME::postgres`.
#[macro_export]
macro_rules! both {
    ($($(#[doc = $doc:literal])* async fn $name:ident($engine:ident: Engine) $body:block)+) => {$(
        $(#[doc = $doc])*
        async fn $name($engine: $crate::scratch::Engine) $body

        mod $name {
            use $crate::scratch::Engine;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Engine::Postgres).await;
            }
        }
    )+};
}
