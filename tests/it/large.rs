//! Ten thousand members, robots and repositories of one organisation, in the Quay door: whole
//! answers where Quay gives whole ones, and pages where it pages.

use claviger_store::{Stmt, Tx};
use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    statements,
    visitor::Visitor,
};
use serde_json::{Map, Value, json};

const MANY: usize = 10_000;

/// Rows for every `i` from 1 to ten thousand; `$1` is the id of the organisation, `$2` its account,
/// `$3` its team devs. An id is made of the digits of `i`.
macro_rules! for_each {
    ($insert:literal) => {
        concat!(
            "WITH RECURSIVE n (i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
             INSERT INTO ",
            $insert
        )
    };
}

const USERS: Stmt = Stmt::same(for_each!(
    "principal (id, account_id, kind, name, created_at)
     SELECT '00000000-0000-4000-8000-0000001' || CAST(i AS TEXT), $1, 'user',
        'u' || CAST(i AS TEXT), 0 FROM n"
));
const MEMBERS: Stmt = Stmt::same(for_each!(
    "team_member (team_id, principal_id, created_at)
     SELECT $1, '00000000-0000-4000-8000-0000001' || CAST(i AS TEXT), i FROM n"
));
const ROBOTS: Stmt = Stmt::same(for_each!(
    "principal (id, account_id, kind, name, owner_id, avatar_key, created_at)
     SELECT '00000000-0000-4000-8000-0000002' || CAST(i AS TEXT), $1, 'robot',
        'acme+r' || CAST(i AS TEXT), $2, 'x', 0 FROM n"
));
const TOKENS: Stmt = Stmt::same(for_each!(
    "token (id, kind, account_id, principal_id, principal_name, name, created_by, created_at)
     SELECT '00000000-0000-4000-8000-0000003' || CAST(i AS TEXT), 'robot', $1,
        '00000000-0000-4000-8000-0000002' || CAST(i AS TEXT), 'r', 'r', 'r', 0 FROM n"
));
const SCOPES: Stmt = Stmt::same(for_each!(
    "token_scope (token_id, dialect, word)
     SELECT '00000000-0000-4000-8000-0000003' || CAST(i AS TEXT), 'native', 'registry' FROM n"
));
const SECRETS: Stmt = Stmt::split(
    for_each!(
        "secret (lookup, token_id, form, selector, key_generation, prefix, format, created_at)
         SELECT randomblob(32), '00000000-0000-4000-8000-0000003' || CAST(i AS TEXT), 'derived',
            randomblob(16), 1, 'clv', 1, 0 FROM n"
    ),
    for_each!(
        "secret (lookup, token_id, form, selector, key_generation, prefix, format, created_at)
         SELECT decode(md5(CAST(i AS TEXT)) || md5(CAST(-i AS TEXT)), 'hex'),
            '00000000-0000-4000-8000-0000003' || CAST(i AS TEXT), 'derived',
            decode(md5(CAST(i AS TEXT)), 'hex'), 1, 'clv', 1, 0 FROM n"
    ),
);
const REPOSITORIES: Stmt = Stmt::same(for_each!(
    "repository (id, namespace_id, name, visibility, state, created_at)
     SELECT '00000000-0000-4000-8000-0000004' || CAST(i AS TEXT), $1,
        'acme/p' || CAST(i AS TEXT), 'private', 'NORMAL', 0 FROM n"
));
const PERMISSIONS: Stmt = Stmt::same(for_each!(
    "permission (repo_id, principal_id, role, created_at)
     SELECT '00000000-0000-4000-8000-000000410001',
        '00000000-0000-4000-8000-0000001' || CAST(i AS TEXT), 'read', 0 FROM n"
));
const ROBOTS_PERMISSIONS: Stmt = Stmt::same(for_each!(
    "permission (repo_id, principal_id, role, created_at)
     SELECT '00000000-0000-4000-8000-0000004' || CAST(i AS TEXT),
        '00000000-0000-4000-8000-0000002' || CAST(i AS TEXT), 'write', 0 FROM n"
));
const TEAM: Stmt = Stmt::same(
    "SELECT t.id, t.org_id, p.account_id FROM team t JOIN principal p ON p.id = t.org_id
     WHERE p.name = 'acme' AND t.name = 'devs'",
);

async fn fill(app: &TestApp) {
    let filled = app.db.write(|tx: &mut Tx<'_>| {
        use claviger_store::Query as _;
        let row = tx.optional(&TEAM, &[])?.expect("the team");
        let [team, org, account] = [0, 1, 2].map(|at| row.text(at).expect("an id").to_owned());
        for (stmt, values) in [
            (&USERS, vec![&account]),
            (&MEMBERS, vec![&team]),
            (&ROBOTS, vec![&account, &org]),
            (&TOKENS, vec![&account]),
            (&SCOPES, vec![]),
            (&SECRETS, vec![]),
            (&REPOSITORIES, vec![&org]),
            (&PERMISSIONS, vec![]),
            (&ROBOTS_PERMISSIONS, vec![]),
        ] {
            let values: Vec<_> = values.into_iter().map(Into::into).collect();
            assert_eq!(tx.execute(stmt, &values)?, MANY as u64);
        }
        Ok(())
    });
    filled.await.expect("rows");
}

fn list<'a>(answer: &'a Value, key: &str) -> &'a Vec<Value> {
    answer[key].as_array().unwrap_or_else(|| panic!("no {key} in {answer}"))
}

/// How many statements each list of these takes, when its facts are remembered.
async fn costs(by: &Visitor<'_, TestApp>, paths: &[String]) -> Vec<u64> {
    let mut costs = Vec::new();
    for path in paths {
        for warm in [false, true] {
            let before = statements::so_far();
            assert_eq!(by.get(path).await.status, 200, "{path}");
            if warm {
                costs.push(statements::so_far() - before);
            }
        }
    }
    costs
}

claviger_tests::both! {
    async fn list_takes_as_many_statements_however_long_it_is(engine: Engine) {
        let mut settings = settings::of(&Map::new(), &seed::read());
        settings.quay.feature_mailing = false;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        let org = "/api/v1/organization/acme";
        owner.post("/api/v1/organization/", json!({"name": "acme"})).await;
        owner.put(&format!("{org}/team/devs"), json!({"role": "member"})).await;
        owner.put(&format!("{org}/team/devs/members/freshuser"), json!({})).await;
        owner.put(&format!("{org}/robots/first"), json!({})).await;
        let first = json!({
            "namespace": "acme", "repository": "first", "visibility": "private", "description": "",
        });
        assert_eq!(owner.post("/api/v1/repository", first).await.status, 201);
        let permission = "/api/v1/repository/acme/first/permissions";
        owner.put(&format!("{permission}/team/devs"), json!({"role": "read"})).await;
        owner.put(&format!("{permission}/user/acme+first"), json!({"role": "read"})).await;
        let of_org = [
            "", "/team/devs/members?includePending=true", "/team/devs/permissions", "/members",
            "/members/freshuser", "/collaborators", "/robots?permissions=true", "/robots/first",
            "/robots/first/permissions", "/prototypes", "/logs", "/aggregatelogs",
        ];
        let others = [
            "repository?namespace=acme", "find/repositories?query=p", "find/all?query=p",
            "entities/u",
            "repository/acme/first/permissions/team/",
        ];
        let of_root = ["users/", "organizations/", "logs", "aggregatelogs"];
        let paths: Vec<String> = of_org
            .iter()
            .map(|path| format!("{org}{path}"))
            .chain(others.iter().map(|path| format!("/api/v1/{path}")))
            .collect();
        let of_root: Vec<String> =
            of_root.iter().map(|path| format!("/api/v1/superuser/{path}")).collect();
        // one repository has few permissions, the other ten thousand
        let few = [format!("{permission}/user/")];
        let many = [few[0].replace("first", "p10001")];
        let root = Visitor::sign_in(&app, "devtable", "password").await;

        statements::count_from_now_on();
        let short = [
            costs(&owner, &paths).await, costs(&owner, &few).await, costs(&root, &of_root).await,
        ];
        assert!(short.iter().flatten().all(|cost| *cost > 0), "{short:?}");
        fill(&app).await;
        let long = [
            costs(&owner, &paths).await, costs(&owner, &many).await, costs(&root, &of_root).await,
        ];
        assert_eq!(short, long, "{paths:?} {few:?} {of_root:?}");
        assert!(long.iter().flatten().all(|cost| *cost < 30), "{long:?}");
    }

    async fn ten_thousand_of_each_are_listed(engine: Engine) {
        let mut settings = settings::of(&Map::new(), &seed::read());
        settings.quay.feature_mailing = false;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        let org = "/api/v1/organization/acme";
        owner.post("/api/v1/organization/", json!({"name": "acme"})).await;
        owner.put(&format!("{org}/team/devs"), json!({"role": "member"})).await;
        fill(&app).await;
        let get = async |path: &str| {
            let answer = owner.get(path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            answer.json()
        };

        let members = get(&format!("{org}/team/devs/members")).await;
        let members = list(&members, "members");
        assert_eq!(members.len(), MANY);
        assert_eq!((&members[0]["name"], &members[MANY - 1]["name"]), (&json!("u10001"), &json!("u20000")));
        assert_eq!(get(org).await["teams"]["devs"]["member_count"], MANY);
        let members = get(&format!("{org}/members")).await;
        let members = list(&members, "members");
        assert_eq!(members.len(), MANY + 1, "and the owner");
        let one = get(&format!("{org}/members/u15000")).await;
        assert_eq!((&one["teams"][0]["name"], &one["repositories"]), (&json!("devs"), &json!(["p10001"])));
        assert!(members.contains(&one));
        assert!(list(&get(&format!("{org}/collaborators")).await, "collaborators").is_empty());

        let robots = get(&format!("{org}/robots?permissions=true")).await;
        let robots = list(&robots, "robots");
        assert_eq!(robots.len(), MANY);
        for (at, robot) in robots.iter().enumerate() {
            let number = 10_001 + at;
            assert_eq!(robot["name"], format!("acme+r{number}"));
            assert_eq!(robot["repositories"], json!([format!("p{number}")]));
            assert!(robot["token"].as_str().expect("a token").starts_with("clvr_"));
        }
        assert_eq!(list(&get(&format!("{org}/robots?limit=3&token=false")).await, "robots").len(), 3);

        let permissions = get("/api/v1/repository/acme/p10001/permissions/user/").await;
        let permissions = permissions["permissions"].as_object().expect("an object");
        assert_eq!(permissions.len(), MANY + 1, "and a robot");
        assert_eq!(permissions["u20000"]["is_org_member"], true);

        // repositories come in pages of a hundred, each once
        let (mut seen, mut next, mut pages) = (Vec::with_capacity(MANY), String::new(), 0);
        loop {
            let page = get(&format!("/api/v1/repository?namespace=acme{next}")).await;
            let names = list(&page, "repositories").iter().map(|repo| repo["name"].clone());
            seen.extend(names);
            pages += 1;
            match page["next_page"].as_str() {
                Some(place) => next = format!("&next_page={place}"),
                None => break,
            }
        }
        assert_eq!((pages, seen.len()), (100, MANY));
        let expected = (10_001..=20_000).map(|number| json!(format!("p{number}")));
        assert!(seen.into_iter().eq(expected));
        let found = get("/api/v1/find/repositories?query=p1500&page=1").await;
        assert_eq!((list(&found, "results").len(), &found["has_additional"]), (10, &json!(false)));
        let found = get("/api/v1/find/repositories?query=p1&page=10").await;
        assert_eq!((list(&found, "results").len(), &found["has_additional"]), (10, &json!(true)));
        assert_eq!(list(&get("/api/v1/entities/u1500").await, "results").len(), 10);
        let logs = get(&format!("{org}/logs")).await;
        assert!(list(&logs, "logs").len() <= 20);

        let root = Visitor::sign_in(&app, "devtable", "password").await;
        let users = root.get("/api/v1/superuser/users/").await.json();
        assert!(list(&users, "users").len() > MANY);

        // whoever is one of so many is still told apart
        let gone = owner.delete(&format!("{org}/members/u15000")).await;
        assert_eq!(gone.status, 204, "{}", gone.text());
        assert_eq!(owner.get(&format!("{org}/members/u15000")).await.status, 404);
        assert_eq!(get(org).await["teams"]["devs"]["member_count"], MANY - 1);
    }
}
