//! The tokens of the Astra door: who may do what with whose, what a token that was made here opens.

use claviger_domain::{Clock, role::AccountRole};
use claviger_service::Settings;
use claviger_store::{Query, Stmt};
use claviger_tests::{answer::Answer, app::TestApp, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{
    gate::{problem, with},
    world::{account, bearer, first_account, user},
};

const ROLE: Stmt = Stmt::same("UPDATE role_binding SET role = $2 WHERE principal_id = $1");
const BOUND: Stmt =
    Stmt::same("UPDATE role_binding SET constraints = '[]' WHERE principal_id = $1");
const END: Stmt = Stmt::same("UPDATE token SET expires_at = $2 WHERE id = $1");
const LABELS: Stmt = Stmt::same("SELECT CAST(COUNT(*) AS BIGINT) FROM label");
const ENDS: Stmt = Stmt::same("SELECT expires_at FROM token WHERE id = $1");

/// Gives a user this role.
async fn role(app: &TestApp, id: &str, role: AccountRole) {
    let id = id.to_owned();
    let given =
        app.db.write(move |tx| Ok(tx.execute(&ROLE, &[(&id).into(), role.as_str().into()])?));
    assert_eq!(given.await.expect("a write"), 1);
}

fn body(name: &str) -> Value {
    json!({"type": "application/astra-token", "version": "1.0", "name": name})
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

fn secret(answer: &Answer) -> String {
    answer.json()["token"].as_str().expect("a secret").to_owned()
}

fn status(answer: &Answer) -> u16 {
    answer.status.as_u16()
}

claviger_tests::both! {
    async fn nobody_reaches_the_tokens_of_who_stands_above_him(engine: Engine) {
        use AccountRole::{Admin, Member, Owner, Viewer};
        let app = TestApp::empty(engine, Settings::default()).await;
        let home = first_account(&app).await;
        let mut people = Vec::new();
        for (name, rank) in [("vic", Viewer), ("mel", Member), ("ada", Admin), ("abe", Admin), ("olga", Owner), ("otto", Owner)] {
            let id = user(&app, name, None).await;
            role(&app, &id, rank).await;
            people.push((name, rank, id));
        }
        let root = bearer(&app, "admin").await;
        for (name, rank, of) in &people {
            let visitor = bearer(&app, name).await;
            for (other, other_rank, whose) in &people {
                let path = format!("/accounts/{home}/core/v1/users/{whose}/tokens");
                let sees = of == whose || *rank >= Admin;
                let manages = of == whose || *rank >= Admin && rank >= other_rank;
                let said = format!("{name} {other}");
                let target = id(&root.post(&path, body("target")).await);
                let one = format!("{path}/{target}");
                let expected = |may, good| if may { good } else { 403 };
                assert_eq!(status(&visitor.get(&path).await), expected(sees, 200), "{said}");
                assert_eq!(status(&visitor.get(&one).await), expected(sees, 200), "{said}");
                let made = visitor.post(&path, body("made")).await;
                assert_eq!(status(&made), expected(manages, 201), "{said}");
                assert_eq!(status(&visitor.put(&one, body("new")).await), expected(manages, 204), "{said}");
                assert_eq!(status(&visitor.delete(&one).await), expected(manages, 204), "{said}");
            }
            // what there is not is like what one may not see, to those who do not manage users
            let nobody = format!("/accounts/{home}/core/v1/users/11111111-1111-4111-8111-111111111111/tokens");
            let expected = if *rank >= Admin { 2 } else { 11 };
            assert_eq!(problem(&visitor.get(&nobody).await), expected, "{name}");
            assert_eq!(problem(&visitor.get(&nobody.replace("11111111", "x")).await), expected, "{name}");
        }
    }

    async fn another_account_has_no_tokens_and_a_restricted_role_only_its_own(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let (home, other) = (first_account(&app).await, account(&app, "Other").await);
        let (ann, bob) = (user(&app, "ann", None).await, user(&app, "bob", Some(other)).await);
        role(&app, &ann, AccountRole::Owner).await;
        let visitor = bearer(&app, "ann").await;
        for (account, user, number) in [(other, &bob, 11), (other, &ann, 11), (home, &bob, 2)] {
            let path = format!("/accounts/{account}/core/v1/users/{user}/tokens");
            assert_eq!(problem(&visitor.get(&path).await), number);
            assert_eq!(problem(&visitor.post(&path, body("x")).await), number);
        }
        let root = bearer(&app, "admin").await;
        let path = format!("/accounts/{other}/core/v1/users/{bob}/tokens");
        assert_eq!(status(&root.post(&path, body("x")).await), 201);
        // groups are nowhere
        let path = format!("/accounts/{home}/core/v1/groups/{ann}/users/{ann}/tokens");
        assert_eq!(problem(&visitor.get(&path).await), 2);
        assert_eq!(problem(&visitor.post(&path, body("x")).await), 2);
        assert_eq!(problem(&visitor.get(&format!("{path}/{ann}")).await), 2);
        let of = ann.clone();
        app.db.write(move |tx| Ok(tx.execute(&BOUND, &[(&of).into()])?)).await.expect("a write");
        let mel = user(&app, "mel", None).await;
        let own = format!("/accounts/{home}/core/v1/users/{ann}/tokens");
        assert_eq!(status(&visitor.post(&own, body("x")).await), 201);
        assert_eq!(problem(&visitor.get(&own.replace(&ann, &mel)).await), 11);
    }

    async fn what_a_lent_token_makes_is_lent_and_ends_no_later(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let home = first_account(&app).await;
        let ann = user(&app, "ann", None).await;
        let (root, own) = (bearer(&app, "admin").await, bearer(&app, "ann").await);
        let path = format!("/accounts/{home}/core/v1/users/{ann}/tokens");
        let login = "/v2/auth?service=registry";
        let opens = async |token: &str| status(&Visitor::basic(&app, "ann", token).get(login).await) == 200;
        let mine = own.post(&path, body("mine")).await;
        assert!(opens(&secret(&mine)).await);
        let lent = root.post(&path, body("lent")).await;
        assert!(!opens(&secret(&lent)).await);
        assert_ne!(lent.json()["metadata"]["createdBy"], json!(ann));
        let holder = Visitor::bearer(&app, &secret(&lent));
        let child = holder.post(&path, body("child of a lent one")).await;
        assert_eq!((status(&child), &child.json()["metadata"]["createdBy"]), (201, &json!(ann)));
        assert!(!opens(&secret(&child)).await);

        // the end of the minter is an end of what it makes
        let (minter, end) = (id(&lent), app.clock.now().0 + 60_000);
        let ends = minter.clone();
        app.db.write(move |tx| Ok(tx.execute(&END, &[(&ends).into(), end.into()])?)).await.expect("an end");
        let child = id(&holder.post(&path, body("short")).await);
        let found = app.db.read(move |q: &mut dyn Query| Ok(q.optional(&ENDS, &[(&child).into()])?));
        assert_eq!(found.await.expect("a read").expect("a row").opt_int(0).expect("a time"), Some(end));
        // but it may be deleted before them
        assert_eq!(status(&root.delete(&format!("{path}/{minter}")).await), 204);
        assert_eq!(problem(&holder.get(&path).await), 4);
        let left = own.get(&format!("{path}?include=name&orderBy=name")).await.json();
        assert!(left["items"].as_array().expect("rows").contains(&json!(["short"])), "{left}");
        app.clock.advance_ms(60_000);
        let left = own.get(&format!("{path}?filter=name eq 'short'&count=true").replace(' ', "+")).await.json();
        assert_eq!((&left["items"], &left["metadata"]), (&json!([]), &json!({"count": 0})));
    }

    async fn a_deleted_token_opens_nothing_anywhere(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let home = first_account(&app).await;
        let ann = user(&app, "ann", None).await;
        let own = bearer(&app, "ann").await;
        let path = format!("/accounts/{home}/core/v1/users/{ann}/tokens");
        let labelled = json!({"type": "application/astra-token", "version": "1.0", "name": "x",
            "metadata": {"labels": [{"name": "a", "value": "b"}]}});
        let made = own.post(&path, labelled).await;
        let (token, one) = (secret(&made), format!("{path}/{}", id(&made)));
        let login = "/v2/auth?service=registry";
        assert_eq!(status(&Visitor::basic(&app, "ann", &token).get(login).await), 200);
        assert_eq!(status(&Visitor::bearer(&app, &token).get(&path).await), 200);
        assert_eq!(status(&own.delete(&one).await), 204);
        assert_eq!(status(&Visitor::basic(&app, "ann", &token).get(login).await), 401);
        assert_eq!(problem(&Visitor::bearer(&app, &token).get(&path).await), 4);
        assert_eq!((problem(&own.delete(&one).await), problem(&own.get(&one).await)), (1, 2));
        assert_eq!(problem(&own.put(&one, body("y")).await), 1);
        // its tombstone goes after a while, with the labels
        let retention = app.app.settings().tokens.retention;
        app.clock.advance_ms(i64::try_from(retention.as_millis()).expect("a time") + 1);
        app.app.sweep().await.expect("a sweep");
        let labels = app.db.read(|q: &mut dyn Query| Ok(q.optional(&LABELS, &[])?));
        assert_eq!(labels.await.expect("a read").expect("a row").int(0).expect("a number"), 0);
    }

    async fn a_token_is_changed_only_in_the_state_that_was_seen(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let home = first_account(&app).await;
        let ann = user(&app, "ann", None).await;
        let own = bearer(&app, "ann").await;
        let path = format!("/accounts/{home}/core/v1/users/{ann}/tokens");
        let made = own.post(&path, body("before")).await;
        let one = format!("{path}/{}", id(&made));
        let seen = own.get(&one).await;
        assert_eq!(seen.header("etag"), made.header("etag"));
        assert_eq!(seen.json().get("token"), None);
        let etag = seen.header("etag").expect("a tag").to_owned();
        app.clock.advance_ms(5000);
        let put = async |headers: &[(&'static str, &str)], body: Value| {
            with(&app, &own, Method::PUT, &one, headers, &body.to_string()).await
        };
        assert_eq!(problem(&put(&[("if-match", "\"other\"")], json!(3)).await), 38);
        assert_eq!(status(&put(&[("if-match", etag.trim_matches('"'))], body("after")).await), 204);
        assert_eq!(problem(&put(&[("if-match", &etag)], body("late")).await), 38);
        let long_ago = "Fri, 01 Jan 2010 00:00:00 GMT";
        assert_eq!(problem(&put(&[("if-unmodified-since", long_ago)], body("late")).await), 38);
        // what was read can be written back
        let now = own.get(&one).await.json();
        assert_eq!((&now["name"], &now["metadata"]["modifiedBy"]), (&json!("after"), &json!(ann)));
        assert_eq!(status(&put(&[], now).await), 204);
        let mut other = body("late");
        other["userID"] = json!(id(&made));
        assert_eq!(problem(&put(&[], other).await), 10);
        for (name, number) in [("", 8), ("a;b", 9), ("a\n", 9), (&*"ü".repeat(64), 8)] {
            assert_eq!(problem(&put(&[], body(name)).await), number, "{name:?}");
            let mut unknown = body(name);
            unknown["expires"] = json!("never");
            assert_eq!(problem(&put(&[], unknown).await), 8, "{name:?}");
        }
        assert_eq!(problem(&own.get(&format!("{one}?include=id")).await), 6);
        let both = own.get(&format!("{path}?limit=0&nope=1")).await;
        assert_eq!((problem(&both), both.json()["invalidParams"].as_array().map(Vec::len)), (6, Some(1)));
    }
}
