//! Pages that hold together while others write: over `continue` every token that lived throughout is
//! seen exactly once, in every order.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use claviger_domain::{Clock, id::TokenId};
use claviger_service::Settings;
use claviger_store::Stmt;
use claviger_tests::{app::TestApp, stands::SeededChance, visitor::Visitor};
use serde_json::json;

use super::world::{bearer, first_account, user};

const INSERT: Stmt = Stmt::same(
    "INSERT INTO token (id, kind, account_id, principal_id, principal_name, name, created_by,
        created_at)
     VALUES ($1, 'api', $2, $3, 'ann', $4, 'ann', $5)",
);

/// So many tokens live throughout; `scripts/soak` asks for more.
fn tokens() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
    let asked = std::env::var("SOAK_TOKENS");
    asked.map_or(60, |count| count.parse().expect("a number"))
}

/// Gives ann her tokens, many with the same name and made in the same moment.
async fn stay(app: &TestApp, account: &str, ann: &str) -> BTreeSet<String> {
    let chance = SeededChance::new(0x3a1c);
    let ids: Vec<_> = (0..tokens()).map(|_| TokenId::random(&chance)).collect();
    let (account, ann, now) = (account.to_owned(), ann.to_owned(), app.clock.now());
    let rows = ids.clone();
    let written = app.db.write(move |tx| {
        for (number, id) in (0_i64..).zip(&rows) {
            let (name, at) = (format!("stay {}", number % 37), now.plus_ms(number / 5));
            let row = [id.into(), (&account).into(), (&ann).into(), (&name).into(), at.into()];
            tx.execute(&INSERT, &row)?;
        }
        Ok(())
    });
    written.await.expect("rows");
    ids.iter().map(ToString::to_string).collect()
}

/// What goes on beside a walk.
#[derive(Default)]
struct Beside {
    /// How many tokens were made.
    made: AtomicUsize,
    over: AtomicBool,
}

/// All ids, page by page; between two pages others write.
async fn walk(own: &Visitor<'_, TestApp>, path: &str, order: &str, beside: &Beside) -> Vec<String> {
    let limit = (tokens() / 15).clamp(4, 1000);
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let before = beside.made.load(Ordering::Relaxed);
        while beside.made.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
        let page = own.get(&format!("{path}?include=id&limit={limit}{order}{next}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        let rows = page["items"].as_array().expect("rows");
        seen.extend(rows.iter().map(|row| row[0].as_str().expect("an id").to_owned()));
        match page["metadata"]["continue"].as_str() {
            // sent as it is: it survives that
            Some(token) => next = format!("&continue={token}"),
            None => break,
        }
    }
    beside.over.store(true, Ordering::Relaxed);
    seen
}

/// Makes and deletes tokens until the walk is over.
async fn write(own: &Visitor<'_, TestApp>, path: &str, beside: &Beside) {
    let mut made = Vec::new();
    while !beside.over.load(Ordering::Relaxed) {
        let count = beside.made.load(Ordering::Relaxed);
        let name = format!("{} {}", ["go", "stay", "a", "zz"][count % 4], count % 37);
        let body = json!({"type": "application/astra-token", "version": "1.0", "name": name});
        let answer = own.post(path, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        made.push(answer.json()["id"].as_str().expect("an id").to_owned());
        if !count.is_multiple_of(3) {
            let gone = made.swap_remove(count % made.len());
            assert_eq!(own.delete(&format!("{path}/{gone}")).await.status, 204);
        }
        beside.made.fetch_add(1, Ordering::Relaxed);
    }
}

claviger_tests::both! {
    async fn walks_hold_every_token_that_lived_throughout_once_while_others_write(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let home = first_account(&app).await;
        let ann = user(&app, "ann", None).await;
        let own = bearer(&app, "ann").await;
        let path = format!("/accounts/{home}/core/v1/users/{ann}/tokens");
        let stay = stay(&app, &home.text(), &ann).await;
        for order in ["", "&orderBy=name", "&orderBy=name+desc", "&orderBy=id+desc", "&orderBy=version"] {
            let beside = Beside::default();
            let walking = walk(&own, &path, order, &beside);
            let (seen, ()) = tokio::join!(walking, write(&own, &path, &beside));
            let once: BTreeSet<_> = seen.iter().cloned().collect();
            assert_eq!(once.len(), seen.len(), "twice with {order:?}");
            assert!(stay.is_subset(&once), "missing with {order:?}");
        }
    }
}
