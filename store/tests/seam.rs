//! The seam on both engines: groups, savepoints, the feed, the audit's chain.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use claviger_domain::{Chance, Clock, Error, UnixMillis, id::PrincipalId};
use claviger_store::{
    Db, Memory, Stmt, StoreError, Target, Touched, audit, feed, migrate, misunderstood, token_list,
};

struct Counter(AtomicU64);
impl Chance for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        for (place, byte) in bytes.iter_mut().zip(n.to_be_bytes().iter().rev().cycle()) {
            *place = *byte;
        }
    }
}

struct Still;
impl Clock for Still {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_000)
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<Touched>>);
impl Memory for Seen {
    fn evict(&self, touched: &[Touched]) {
        self.0.lock().unwrap().extend_from_slice(touched);
    }
}

fn open(target: &Target, memory: &Arc<Seen>) -> Db {
    let chance = Arc::new(Counter(AtomicU64::new(1)));
    Db::open(target.clone(), 2, Arc::clone(memory) as _, chance, Arc::new(Still)).unwrap()
}

/// The targets to test on; PostgreSQL only where its tests are run (`scripts/test` sees to it).
fn targets(name: &str, folder: &std::path::Path) -> Vec<Target> {
    let mut targets = vec![Target::Sqlite(folder.join("claviger.db"))];
    #[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
    let url = std::env::var("TEST_POSTGRES_URL").expect("run the tests with scripts/test");
    {
        std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                let mut admin = postgres::Client::connect(&url, postgres::NoTls).unwrap();
                admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).unwrap();
                admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
            });
            made.join().unwrap();
        });
        let (server, _) = url.rsplit_once('/').unwrap();
        targets.push(Target::Postgres(format!("{server}/{name}").parse().unwrap()));
    }
    targets
}

const BACK: Stmt = Stmt::same("UPDATE revision SET n = 1, change_id = 'other'");
const LIE: Stmt = Stmt::same("UPDATE audit SET object_name = 'eve' WHERE object_name = 'bob'");
const NEWER: Stmt = Stmt::same("INSERT INTO migration (number, name) VALUES (99, 'later')");
const ADD: Stmt = Stmt::same("INSERT INTO account (id, name, created_at) VALUES ($1, $2, $3)");
const COUNT: Stmt = Stmt::same("SELECT CAST(COUNT(*) AS BIGINT) FROM account");

async fn count(db: &Db) -> i64 {
    db.read(|q| Ok(q.optional(&COUNT, &[])?.unwrap().int(0)?)).await.unwrap()
}

#[tokio::test]
async fn a_refused_write_changes_nothing_and_leaves_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    for target in targets("seam_refused", folder.path()) {
        let db = open(&target, &Arc::default());
        let writes = (0..20).map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                db.write(move |tx| {
                    let id = format!("a{n}");
                    tx.execute(&ADD, &[(&id).into(), "x".into(), 1.into()])?;
                    if n % 2 == 0 { Ok(()) } else { Err(Error::NotFound("thing")) }
                })
                .await
                .is_ok()
            })
        });
        let mut done = 0;
        for write in writes.collect::<Vec<_>>() {
            done += i64::from(write.await.unwrap());
        }
        assert_eq!((done, count(&db).await), (10, 10), "{target:?}");
        let wrong = db.write(|tx| Ok(tx.execute(&ADD, &["a0".into(), "x".into(), 1.into()])?));
        assert!(matches!(wrong.await, Err(Error::Internal(_))), "a unique violation is a bug");
        let panicked = db.write(|_| -> Result<(), Error> { panic!("boom") }).await;
        assert!(matches!(panicked, Err(Error::Internal(_))));
        assert_eq!(count(&db).await, 10);
        db.close();
    }
}

#[tokio::test]
async fn another_process_hears_what_was_touched() {
    let folder = tempfile::tempdir().unwrap();
    for target in targets("seam_touched", folder.path()) {
        let (mine, theirs) = (Arc::<Seen>::default(), Arc::<Seen>::default());
        let (a, b) = (open(&target, &mine), open(&target, &theirs));
        let mut applied = b.feed().applied();
        let id = PrincipalId::random(&Counter(AtomicU64::new(99)));
        let facts = vec![
            Touched::Principal(id),
            Touched::Token([7; 32]),
            Touched::Repo("acme/app".to_owned()),
        ];
        let touch = facts.clone();
        a.write(move |tx| {
            for fact in touch {
                tx.touch(fact);
            }
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(*mine.0.lock().unwrap(), facts, "evicted before the write was answered");
        applied.wait_for(|n| *n >= 1).await.unwrap();
        assert_eq!(*theirs.0.lock().unwrap(), facts);
        assert_eq!((a.feed().position(), b.feed().rewinds()), (b.feed().position(), 0));
        // many facts become one word
        a.write(|tx| {
            (0..1001).for_each(|n| tx.touch(Touched::Repo(n.to_string())));
            Ok(())
        })
        .await
        .unwrap();
        applied.wait_for(|n| *n >= 2).await.unwrap();
        assert_eq!(theirs.0.lock().unwrap().last(), Some(&Touched::All));
        a.write(|tx| Ok(feed::prune(tx, UnixMillis(5_000))?)).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_was_set_back_drops_everything() {
    let folder = tempfile::tempdir().unwrap();
    for target in targets("seam_rewind", folder.path()) {
        let memory = Arc::<Seen>::default();
        let db = open(&target, &memory);
        for name in ["x", "y"] {
            db.write(move |tx| {
                tx.touch(Touched::Repo(name.to_owned()));
                Ok(())
            })
            .await
            .unwrap();
        }
        let mut applied = db.feed().applied();
        db.write(|tx| Ok(tx.execute(&BACK, &[])?)).await.unwrap();
        applied.changed().await.unwrap();
        assert_eq!(memory.0.lock().unwrap().last(), Some(&Touched::All));
        assert_eq!(db.feed().rewinds(), 1);
    }
}

#[tokio::test]
async fn a_changed_audit_row_breaks_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    for target in targets("seam_audit", folder.path()) {
        let db = open(&target, &Arc::default());
        let actor = audit::Actor {
            id: None,
            name: "root".to_owned(),
            credential: "program",
            credential_id: None,
            credential_minter: None,
            door: "program",
            address: None,
            request_id: None,
        };
        db.write(move |tx| {
            for name in ["ann", "bob", "cid"] {
                audit::append(tx, UnixMillis(5), &actor, &audit::Act::done("make", "user", name))?;
            }
            Ok(())
        })
        .await
        .unwrap();
        let broken = || db.read(|q| Ok(audit::first_broken(q)?));
        assert_eq!(broken().await.unwrap(), None);
        db.write(|tx| Ok(tx.execute(&LIE, &[])?)).await.unwrap();
        assert_eq!(broken().await.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn both_engines_understand_every_statement() {
    let folder = tempfile::tempdir().unwrap();
    for target in targets("seam_statements", folder.path()) {
        open(&target, &Arc::default()).close();
        assert_eq!(misunderstood(&target).unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for target in targets("seam_newer", folder.path()) {
        let db = open(&target, &Arc::default());
        db.write(|tx| Ok(tx.execute(&NEWER, &[])?)).await.unwrap();
        assert_eq!(db.read(|q| Ok(migrate::version(q)?)).await.unwrap(), 99);
        db.close();
        let chance = Arc::new(Counter(AtomicU64::new(1)));
        let again = Db::open(target, 1, Arc::<Seen>::default(), chance, Arc::new(Still));
        assert!(matches!(again, Err(StoreError::Newer { found: 99, .. })));
    }
}

/// A database as version 2 left it, with tokens that were used: through both secrets, through one
/// that is gone, and never.
const OLD: &str = "
    CREATE TABLE migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO migration (number, name) VALUES (1, 'initial'), (2, 'accounts_and_lifetimes');
    INSERT INTO token (id, kind, account_id, principal_id, principal_name, name, created_by,
        created_at, last_used_at, last_used_address) VALUES
        ('00000000-0000-4000-8000-000000000001', 'api', '00000000-0000-4000-8000-00000000000a',
            '00000000-0000-4000-8000-00000000000b', 'ann', 'both', 'ann', 1, 70, '192.0.2.7'),
        ('00000000-0000-4000-8000-000000000002', 'api', '00000000-0000-4000-8000-00000000000a',
            '00000000-0000-4000-8000-00000000000b', 'ann', 'gone', 'ann', 1, 80, NULL),
        ('00000000-0000-4000-8000-000000000003', 'api', '00000000-0000-4000-8000-00000000000a',
            '00000000-0000-4000-8000-00000000000b', 'ann', 'never', 'ann', 1, NULL, NULL);
    INSERT INTO secret (lookup, token_id, form, key_generation, prefix, format, created_at,
        valid_until, last_used_at, last_used_address) VALUES
        (BYTES(11), '00000000-0000-4000-8000-000000000001', 'derived', 1, 'clv', 1, 9, NULL, 60,
            '192.0.2.6'),
        (BYTES(12), '00000000-0000-4000-8000-000000000001', 'derived', 1, 'clv', 1, 1, 99, 70,
            '192.0.2.7'),
        (BYTES(21), '00000000-0000-4000-8000-000000000002', 'derived', 1, 'clv', 1, 9, NULL, NULL,
            NULL)";

/// Makes a database of version 2.
fn make_old(target: &Target, name: &str) {
    let bytes = |prefix: &str| {
        [11, 12, 21].iter().fold(OLD.to_owned(), |sql, byte| {
            let value = format!("{prefix}{}'", byte.to_string().repeat(32));
            sql.replace(&format!("BYTES({byte})"), &value)
        })
    };
    match target {
        Target::Sqlite(file) => {
            let store = rusqlite::Connection::open(file).unwrap();
            for sql in [
                include_str!("../migrations/sqlite/0001_initial.sql"),
                include_str!("../migrations/sqlite/0002_accounts_and_lifetimes.sql"),
                &bytes("x'"),
            ] {
                store.execute_batch(sql).unwrap();
            }
        }
        Target::Postgres(_) => std::thread::scope(|scope| {
            #[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
            let url = std::env::var("TEST_POSTGRES_URL").unwrap();
            let (server, _) = url.rsplit_once('/').unwrap();
            let url = format!("{server}/{name}");
            let made = scope.spawn(move || {
                let mut store = postgres::Client::connect(&url, postgres::NoTls).unwrap();
                for sql in [
                    include_str!("../migrations/postgres/0001_initial.sql"),
                    include_str!("../migrations/postgres/0002_accounts_and_lifetimes.sql"),
                    &bytes("'\\x"),
                ] {
                    store.batch_execute(sql).unwrap();
                }
            });
            made.join().unwrap();
        }),
    }
}

#[tokio::test]
async fn last_uses_are_taken_over_from_version_2() {
    let folder = tempfile::tempdir().unwrap();
    for target in targets("seam_uses", folder.path()) {
        make_old(&target, "seam_uses");
        let db = open(&target, &Arc::default());
        for (number, expected, of_secrets) in [
            (1, Some((70, Some("192.0.2.7"))), vec![Some(60), Some(70)]),
            (2, Some((80, None)), vec![None]),
            (3, None, vec![]),
        ] {
            let id = format!("00000000-0000-4000-8000-00000000000{number}").parse().unwrap();
            let token = db.read(move |q| Ok(token_list::find(q, &id)?)).await.unwrap().unwrap();
            let used = token.last_used_at.map(|at| (at.0, token.last_used_address.as_deref()));
            assert_eq!(used, expected, "{number}");
            let of_each: Vec<_> =
                token.secrets.iter().map(|secret| secret.last_used_at.map(|at| at.0)).collect();
            assert_eq!(of_each, of_secrets, "{number}");
        }
    }
}

#[test]
fn an_address_never_shows_its_password() {
    let bad = "postgres://ann:hunter2@[bad/db".parse::<claviger_store::PostgresAddress>();
    assert!(!format!("{bad:?}").contains("hunter2"));
    let far = "postgres://ann:hunter2@db.test/x?sslmode=disable"
        .parse::<claviger_store::PostgresAddress>();
    assert!(matches!(far, Err(StoreError::Address(_))));
}
