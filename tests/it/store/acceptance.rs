//! What every engine must do alike: order and compare names by bytes, keep writers apart, answer a
//! read from one moment, keep what it has acknowledged.

use std::{collections::BTreeSet, sync::Arc};

use claviger_domain::{
    Error, UnixMillis,
    id::{AccountId, PrincipalId},
    principal::PrincipalKind,
};
use claviger_store::{
    Db, Param, Stmt, StoreError, misunderstood,
    principals::{self, Principal},
};
use claviger_tests::{
    both,
    scratch::{Noted, Scratch},
    stands::SeededChance,
};

const ADD_ACCOUNT: Stmt =
    Stmt::same("INSERT INTO account (id, name, created_at) VALUES ($1, $2, $3)");
const NAMES: Stmt = Stmt::same("SELECT name FROM principal ORDER BY name");
const COUNT: Stmt = Stmt::same("SELECT CAST(COUNT(*) AS BIGINT) FROM principal");
const SHORTEN: Stmt =
    Stmt::same("UPDATE principal SET session_epoch = session_epoch + 1 WHERE name = $1");

fn open(scratch: &Scratch) -> Db {
    scratch.open(&Arc::<Noted>::default())
}

async fn account(db: &Db) -> AccountId {
    let account = AccountId::random(&SeededChance::new(7));
    db.write(move |tx| Ok(tx.execute(&ADD_ACCOUNT, &[(&account).into(), "one".into(), 0.into()])?))
        .await
        .expect("an account");
    account
}

fn user(account: AccountId, name: &str, chance: &SeededChance) -> Principal {
    Principal::new(PrincipalId::random(chance), account, PrincipalKind::User, name, UnixMillis(5))
}

async fn add(db: &Db, principal: Principal) {
    db.write(move |tx| Ok(principals::insert(tx, &principal)?)).await.expect("it is added");
}

async fn find(db: &Db, name: &'static str) -> Option<Principal> {
    db.read(move |q| Ok(principals::find_by_name(q, name)?)).await.expect("an answer")
}

async fn count(db: &Db) -> i64 {
    let row = db.read(|q| Ok(q.optional(&COUNT, &[])?)).await.expect("an answer");
    row.expect("a row").int(0).expect("a number")
}

both! {
    async fn every_statement_is_understood(engine: Engine) {
        let scratch = Scratch::new(engine);
        open(&scratch).close();
        assert_eq!(misunderstood(&scratch.target()).expect("it answers"), [""; 0]);
    }

    async fn names_are_told_apart_and_ordered_by_their_bytes(engine: Engine) {
        let scratch = Scratch::new(engine);
        let db = open(&scratch);
        let (account, chance) = (account(&db).await, SeededChance::new(1));
        let names = ["a", "B", "b", "a-b", "a_b", "a.b", "ab", "é", "e", "f", "ß", "ss", "", "a b"];
        for name in names {
            add(&db, user(account, name, &chance)).await;
        }
        let rows = db.read(|q| Ok(q.all(&NAMES, &[])?)).await.expect("an answer");
        let found: Vec<&str> = rows.iter().map(|row| row.text(0).expect("a name")).collect();
        let expected: Vec<&str> = names.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(found, expected);
        assert_eq!(find(&db, "B").await.map(|p| p.name).as_deref(), Some("B"));
        assert_eq!(find(&db, "A").await, None, "another letter case is another name");
        assert_eq!(find(&db, "a ").await, None, "a space at the end counts");
        assert_eq!(find(&db, "e\u{301}").await, None, "é has two spellings, and two names");
        assert_eq!(find(&db, "a\0").await, None, "nothing has a NUL in it");
    }

    async fn a_row_comes_back_as_it_was_put(engine: Engine) {
        let scratch = Scratch::new(engine);
        let db = open(&scratch);
        let (account, chance) = (account(&db).await, SeededChance::new(1));
        let mut full = user(account, "full", &chance);
        full.email = Some("Full@Example.COM".to_owned());
        full.avatar_key = Some(String::new());
        "ключ 🔑 \u{1}\t\n'\"\\%".clone_into(&mut full.description);
        full.metadata = Some("{}".to_owned());
        full.session_epoch = i64::MAX;
        full.disabled_at = Some(UnixMillis(i64::MIN));
        full.last_used_at = Some(UnixMillis(-1));
        add(&db, full.clone()).await;
        assert_eq!(find(&db, "full").await, Some(full.clone()));
        let by_email = |key| db.read(move |q| Ok(principals::find_by_email(q, key)?));
        assert_eq!(by_email("full@example.com").await.expect("an answer"), Some(full));
        assert_eq!(by_email("Full@Example.COM").await.expect("an answer"), None);
    }

    async fn writers_at_once_lose_nothing(engine: Engine) {
        let scratch = Scratch::new(engine);
        // two processes, many writers in each
        let dbs = [open(&scratch), open(&scratch)];
        let account = account(&dbs[0]).await;
        let chance = SeededChance::new(1);
        add(&dbs[0], user(account, "counted", &chance)).await;
        let tasks = (0..200_usize).map(|n| {
            let (db, one) = (dbs[n % 2].clone(), user(account, &format!("user-{n}"), &chance));
            tokio::spawn(async move {
                db.write(move |tx| {
                    principals::insert(tx, &one)?;
                    Ok(tx.execute(&SHORTEN, &["counted".into()])?)
                })
                .await
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await.expect("no panic").expect("it is acknowledged"), 1);
        }
        for db in &dbs {
            assert_eq!(find(db, "counted").await.map(|p| p.session_epoch), Some(200));
            assert_eq!(count(db).await, 201);
        }
    }

    async fn a_check_and_its_change_are_one(engine: Engine) {
        let scratch = Scratch::new(engine);
        let dbs = [open(&scratch), open(&scratch)];
        let (account, chance) = (account(&dbs[0]).await, SeededChance::new(1));
        let tasks = (0..40_usize).map(|n| {
            let (db, one) = (dbs[n % 2].clone(), user(account, "wanted", &chance));
            tokio::spawn(async move {
                db.write(move |tx| match principals::find_by_name(tx, "wanted")? {
                    Some(_) => Err(Error::NotFound("free name")),
                    None => Ok(principals::insert(tx, &one)?),
                })
                .await
            })
        });
        let mut made = 0;
        for task in tasks.collect::<Vec<_>>() {
            match task.await.expect("no panic") {
                Ok(()) => made += 1,
                Err(error) => assert!(matches!(error, Error::NotFound(_)), "{error:?}"),
            }
        }
        assert_eq!(made, 1, "one of them got the name, the others were told");
    }

    async fn a_read_sees_one_moment(engine: Engine) {
        let scratch = Scratch::new(engine);
        let db = open(&scratch);
        let (account, chance) = (account(&db).await, SeededChance::new(1));
        add(&db, user(account, "first", &chance)).await;
        let second = user(account, "second", &chance);
        let writer = db.clone();
        let handle = tokio::runtime::Handle::current();
        let counts = db
            .read(move |q| {
                let mut count = || Ok::<_, StoreError>(q.optional(&COUNT, &[])?.map(|row| row.int(0)));
                let before = count()?;
                // the reader's thread drives no asynchronous work, so it may wait
                handle.block_on(add(&writer, second));
                let after = count()?;
                Ok((before.transpose()?, after.transpose()?))
            })
            .await
            .expect("an answer");
        assert_eq!(counts, (Some(1), Some(1)), "what was written meanwhile is not seen");
        assert_eq!(count(&db).await, 2);
    }

    async fn a_write_that_says_no_leaves_no_trace(engine: Engine) {
        let scratch = Scratch::new(engine);
        let memory = Arc::<Noted>::default();
        let db = scratch.open(&memory);
        let (account, chance) = (account(&db).await, SeededChance::new(1));
        let one = user(account, "gone", &chance);
        let id = one.id;
        let said: Result<(), Error> = db
            .write(move |tx| {
                principals::insert(tx, &one)?;
                tx.touch(claviger_store::Touched::Principal(id));
                Err(Error::NotFound("thing"))
            })
            .await;
        assert!(matches!(said, Err(Error::NotFound("thing"))));
        assert_eq!(find(&db, "gone").await, None);
        assert!(memory.0.lock().expect("whole").is_empty(), "nothing is evicted for it");
    }

    async fn what_was_acknowledged_is_there_after_it_is_opened_again(engine: Engine) {
        let scratch = Scratch::new(engine);
        let db = open(&scratch);
        let (account, chance) = (account(&db).await, SeededChance::new(1));
        add(&db, user(account, "kept", &chance)).await;
        db.close();
        let closed: Result<(), Error> = db.read(|_| Ok(())).await;
        assert!(closed.is_err(), "a closed store answers nothing");
        assert!(find(&open(&scratch), "kept").await.is_some());
    }

    async fn numbers_texts_and_bytes_are_kept_apart(engine: Engine) {
        let scratch = Scratch::new(engine);
        let db = open(&scratch);
        let wrong: [Param<'static>; 3] = ["id".into(), "name".into(), "soon".into()];
        let said = db.write(move |tx| Ok(tx.execute(&ADD_ACCOUNT, &wrong)?)).await;
        assert!(said.is_err(), "a text is not a number");
        let row = db.read(|q| Ok(q.optional(&COUNT, &[])?)).await.expect("an answer").expect("a row");
        assert!(matches!(row.text(0), Err(StoreError::Column { column: 0 })));
        assert!(matches!(row.int(1), Err(StoreError::Column { column: 1 })));
    }
}
