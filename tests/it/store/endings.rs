//! What ends with a namespace, and what stays of it.

use std::{collections::BTreeSet, sync::Arc};

use claviger_domain::{
    UnixMillis,
    id::{AccountId, ApplicationId, IdError, PrincipalId, RepoId, TeamId, TokenId},
    principal::PrincipalKind,
    role::OrgRole,
};
use claviger_store::{
    Db, Query, Stmt, Touched,
    endings::{self, Ending},
    names,
    principals::{self, Principal},
    teams::{self, Team},
    tokens,
};
use claviger_tests::{
    both,
    scratch::{Noted, Scratch},
};

const ADD_ACCOUNT: Stmt =
    Stmt::same("INSERT INTO account (id, name, created_at) VALUES ($1, $2, $3)");
const ADD_REPOSITORY: Stmt = Stmt::same(
    "INSERT INTO repository (id, namespace_id, name, visibility, state, created_at)
     VALUES ($1, $2, $3, 'private', 'NORMAL', 0)",
);
const ADD_PERMISSION: Stmt = Stmt::same(
    "INSERT INTO permission (repo_id, principal_id, role, created_at) VALUES ($1, $2, 'read', 0)",
);
const ADD_APPLICATION: Stmt = Stmt::same(
    "INSERT INTO application (id, client_id, org_id, name, secret_lookup, secret_sealed,
        secret_key_generation, created_at)
     VALUES ($1, $1, $2, 'app', $3, $3, 1, 0)",
);
const ADD_TOKEN: Stmt = Stmt::same(
    "INSERT INTO token (id, kind, account_id, principal_id, principal_name, application_id, name,
        parent_id, created_by, created_at)
     VALUES ($1, $2, $6, $3, 'x', $4, '', $5, 'x', 0)",
);
const ADD_SECRET: Stmt = Stmt::same(
    "INSERT INTO secret (lookup, token_id, form, key_generation, prefix, format, created_at)
     VALUES ($1, $2, 'derived', 1, 'clv', 1, 0)",
);
const LEFT: Stmt = Stmt::same(
    "SELECT (SELECT COUNT(*) FROM principal), (SELECT COUNT(*) FROM team),
        (SELECT COUNT(*) FROM team_member), (SELECT COUNT(*) FROM repository),
        (SELECT COUNT(*) FROM permission), (SELECT COUNT(*) FROM application)",
);

/// An id that says what it is of.
fn id<T: std::str::FromStr<Err = IdError>>(n: u8) -> T {
    format!("00000000-0000-4000-8000-0000000000{n:02x}").parse().expect("a UUID")
}

/// Two users, an organisation with a robot, a team, a repository and an application, and tokens:
/// 1 robot, 2 given to the application, 3 standing for 2, 4 of a user and nobody else's business.
async fn world(db: &Db) {
    let account: AccountId = id(1);
    let (ann, bob, acme, robot): (PrincipalId, PrincipalId, PrincipalId, PrincipalId) =
        (id(2), id(3), id(4), id(5));
    let team: TeamId = id(6);
    let (app, tool): (RepoId, RepoId) = (id(7), id(8));
    let application: ApplicationId = id(9);
    db.write(move |tx| {
        tx.execute(&ADD_ACCOUNT, &[(&account).into(), "one".into(), 0.into()])?;
        for (id, kind, name, owner) in [
            (ann, PrincipalKind::User, "ann", None),
            (bob, PrincipalKind::User, "bob", None),
            (acme, PrincipalKind::Org, "acme", None),
            (robot, PrincipalKind::Robot, "acme+ci", Some(acme)),
        ] {
            let new = Principal::new(id, account, kind, name, UnixMillis(0));
            principals::insert(tx, &Principal { owner, ..new })?;
        }
        let name = "owners".to_owned();
        let (role, description, created_at) = (OrgRole::Admin, String::new(), UnixMillis(0));
        teams::insert(tx, &Team { id: team, org: acme, name, role, description, created_at })?;
        teams::add_member(tx, &team, &ann, UnixMillis(0))?;
        for (repo, namespace, name) in [(app, acme, "acme/app"), (tool, bob, "bob/tool")] {
            tx.execute(&ADD_REPOSITORY, &[(&repo).into(), (&namespace).into(), name.into()])?;
        }
        for (repo, who) in [(app, bob), (tool, robot), (tool, ann)] {
            tx.execute(&ADD_PERMISSION, &[(&repo).into(), (&who).into()])?;
        }
        tx.execute(&ADD_APPLICATION, &[(&application).into(), (&acme).into(), b"x".into()])?;
        for (n, kind, who, application, parent) in [
            (1, "robot", robot, None, None),
            (2, "oauth", bob, Some(application), None),
            (3, "refresh", bob, None, Some(2)),
            (4, "app", bob, None, None),
        ] {
            let parent = parent.map(id::<TokenId>);
            let token: TokenId = id(n);
            let values = [
                (&token).into(),
                kind.into(),
                (&who).into(),
                application.as_ref().into(),
                parent.as_ref().into(),
                (&account).into(),
            ];
            tx.execute(&ADD_TOKEN, &values)?;
            tx.execute(&ADD_SECRET, &[(&[n; 32]).into(), (&token).into()])?;
        }
        Ok(())
    })
    .await
    .expect("a world");
}

/// Ends `name`; what was touched.
async fn end(db: &Db, memory: &Noted, name: &'static str, former: Option<PrincipalId>) -> Touches {
    memory.0.lock().expect("whole").clear();
    db.write(move |tx| {
        let principal = principals::find_by_name(tx, name)?.expect("it is there");
        let ending = Ending { now: UnixMillis(9), by: "root", reason: "deleted" };
        Ok(endings::delete(tx, &principal, former.as_ref(), &ending)?)
    })
    .await
    .expect("it ends");
    let touched = memory.0.lock().expect("whole");
    touched.iter().map(|fact| format!("{fact:?}")).collect()
}

type Touches = BTreeSet<String>;

fn touches(facts: &[Touched]) -> Touches {
    facts.iter().map(|fact| format!("{fact:?}")).collect()
}

async fn live(db: &Db) -> Vec<u8> {
    db.read(|q: &mut dyn Query| {
        let mut live = Vec::new();
        for n in 1..=4 {
            let facts = tokens::facts(q, &[n; 32])?.expect("tokens stay as tombstones");
            if facts.revoked_at.is_none() {
                live.push(n);
            }
        }
        Ok(live)
    })
    .await
    .expect("an answer")
}

async fn left(db: &Db) -> Vec<i64> {
    let row = db.read(|q| Ok(q.optional(&LEFT, &[])?)).await.expect("an answer").expect("a row");
    (0..6).map(|column| row.int(column).expect("a number")).collect()
}

async fn owner_of(db: &Db, name: &'static str) -> Option<Option<PrincipalId>> {
    let found = db.read(move |q| Ok(names::tombstone(q, name)?)).await.expect("an answer");
    found.map(|tombstone| tombstone.former_owner)
}

both! {
    async fn an_organisation_takes_all_that_is_its_own_along(engine: Engine) {
        let scratch = Scratch::new(engine);
        let memory = Arc::<Noted>::default();
        let db = scratch.open(&memory);
        world(&db).await;
        assert_eq!(left(&db).await, [4, 1, 1, 2, 3, 1]);
        let ann: PrincipalId = id(2);
        assert_eq!(
            end(&db, &memory, "acme", Some(ann)).await,
            touches(&[
                Touched::Token([1; 32]),
                Touched::Token([2; 32]),
                Touched::Token([3; 32]),
                Touched::Principal(id(4)),
                Touched::Principal(id(5)),
                Touched::Team(id(6)),
                Touched::Repo("acme/app".to_owned()),
                Touched::Repo("bob/tool".to_owned()),
            ])
        );
        assert_eq!(live(&db).await, [4], "a token of bob's own is not touched");
        assert_eq!(left(&db).await, [2, 0, 0, 1, 1, 0]);
        for name in ["acme", "acme/app"] {
            assert_eq!(owner_of(&db, name).await, Some(Some(ann)), "{name}");
        }
        assert_eq!(owner_of(&db, "acme+ci").await, None);
    }

    async fn a_user_takes_his_tokens_and_repositories_along(engine: Engine) {
        let scratch = Scratch::new(engine);
        let memory = Arc::<Noted>::default();
        let db = scratch.open(&memory);
        world(&db).await;
        assert_eq!(
            end(&db, &memory, "bob", None).await,
            touches(&[
                Touched::Token([2; 32]),
                Touched::Token([3; 32]),
                Touched::Token([4; 32]),
                Touched::Principal(id(3)),
                Touched::Repo("acme/app".to_owned()),
                Touched::Repo("bob/tool".to_owned()),
            ])
        );
        assert_eq!(live(&db).await, [1]);
        assert_eq!(owner_of(&db, "bob").await, Some(None), "for superusers alone");
    }

    async fn a_robot_leaves_no_tombstone(engine: Engine) {
        let scratch = Scratch::new(engine);
        let memory = Arc::<Noted>::default();
        let db = scratch.open(&memory);
        world(&db).await;
        assert_eq!(
            end(&db, &memory, "acme+ci", None).await,
            touches(&[
                Touched::Token([1; 32]),
                Touched::Principal(id(5)),
                Touched::Repo("bob/tool".to_owned()),
            ])
        );
        assert_eq!(owner_of(&db, "acme+ci").await, None);
    }

    async fn a_renamed_namespace_takes_its_robots_and_repositories_along(engine: Engine) {
        let scratch = Scratch::new(engine);
        let memory = Arc::<Noted>::default();
        let db = scratch.open(&memory);
        world(&db).await;
        db.write(|tx| Ok(endings::rename(tx, &id(4), "acme", "apex", UnixMillis(9))?))
            .await
            .expect("it is renamed");
        let known = db.read(|q| {
            let robot = principals::find_by_name(q, "apex+ci")?.map(|p| p.id);
            let acl = claviger_store::repositories::acl(q, "apex/app")?.map(|acl| acl.grants.len());
            Ok((robot, acl, principals::find_by_name(q, "acme")?))
        });
        assert_eq!(known.await.expect("an answer"), (Some(id(5)), Some(1), None));
        for name in ["acme", "acme/app"] {
            assert_eq!(owner_of(&db, name).await, Some(None), "{name}");
        }
        assert_eq!(live(&db).await, [1, 2, 3, 4]);
    }
}
