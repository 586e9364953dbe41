//! Searches find what single questions say yes to, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use claviger_domain::{
    Error, UnixMillis,
    access::Grantee,
    id::{AccountId, PrincipalId, RepoId, TeamId},
    principal::PrincipalKind,
    role::{OrgRole, RepoState, Role, Visibility},
};
use claviger_service::{Settings, program::Mint};
use claviger_store::{
    Query, Stmt, Tx, permissions,
    principals::{self, Principal},
    repositories::{self, Repository},
    teams::{self, Team},
    tokens, users,
};
use claviger_tests::{both, scratch::Engine, stands::SeededChance, visitor::Visitor};
use serde_json::{Value, json};

use super::{EVALUATIONS, World, decisions, reach::lines, token};

const USERS: [&str; 8] =
    ["admin", "alice", "bob", "cid", "eve", "alice+bot", "acme+ci", "umbrella+ci"];
const ORGS: [&str; 2] = ["acme", "umbrella"];
const TEAMS: [&str; 3] = ["owners", "makers", "readers"];
const REPOS: [&str; 7] = [
    "acme/app",
    "acme/deep/lib",
    "alice/own",
    "alice/record-1",
    "bob/own",
    "umbrella/app",
    "umbrella/lib",
];

fn named(q: &mut dyn Query, name: &str) -> Principal {
    principals::find_by_name(q, name).unwrap().unwrap()
}

/// Adds the people of a larger world.
fn people(tx: &mut Tx<'_>) -> Result<(), Error> {
    let account: AccountId =
        tx.optional(&Stmt::same("SELECT id FROM account LIMIT 1"), &[])?.unwrap().parse(0)?;
    let add = |tx: &mut Tx<'_>, kind, name: &str| -> Result<(), Error> {
        let home = name.split_once('+').map(|(home, _)| named(tx, home).id);
        let id = PrincipalId::random(tx.chance());
        let new = Principal::new(id, account, kind, name, UnixMillis(0));
        let superuser_at = (name == "eve").then_some(UnixMillis(0));
        Ok(principals::insert(tx, &Principal { owner: home, superuser_at, ..new })?)
    };
    for org in ORGS {
        add(tx, PrincipalKind::Org, org)?;
    }
    for user in &USERS[3..5] {
        add(tx, PrincipalKind::User, user)?;
    }
    for robot in &USERS[5..] {
        add(tx, PrincipalKind::Robot, robot)?;
    }
    Ok(())
}

/// One random change, as a use case would make it.
fn change(tx: &mut Tx<'_>, chance: &SeededChance) -> Result<(), Error> {
    let now = UnixMillis(0);
    let org = named(tx, chance.pick::<&str>(&ORGS));
    let who = named(tx, chance.pick::<&str>(&USERS));
    let team_name = *chance.pick::<&str>(&TEAMS);
    let team = teams::find(tx, &org.id, team_name)?;
    let repo_name = *chance.pick::<&str>(&REPOS);
    let repo = repositories::find(tx, repo_name)?;
    let role = *chance.pick(Role::ALL);
    match (chance.below(12), team, repo) {
        (0 | 1, None, _) => {
            let team = Team {
                id: TeamId::random(tx.chance()),
                org: org.id,
                name: team_name.to_owned(),
                role: *chance.pick(OrgRole::ALL),
                description: String::new(),
                created_at: now,
            };
            teams::insert(tx, &team)?;
        }
        (0, Some(team), _) if chance.below(3) == 0 => teams::delete(tx, &team.id)?,
        (1, Some(team), _) => {
            teams::update(tx, &Team { role: *chance.pick(OrgRole::ALL), ..team })?;
        }
        (2 | 3, Some(team), _) if !teams::is_member(tx, &team.id, &who.id)? => {
            teams::add_member(tx, &team.id, &who.id, now)?;
        }
        (3, Some(team), _) => drop(teams::remove_member(tx, &team.id, &who.id)?),
        (4..=6, _, None) => {
            let (namespace, _) = repo_name.split_once('/').unwrap();
            let repo = Repository {
                id: RepoId::random(tx.chance()),
                namespace: named(tx, namespace).id,
                name: repo_name.to_owned(),
                visibility: *chance.pick(Visibility::ALL),
                state: *chance.pick(RepoState::ALL),
                description: String::new(),
                created_by: None,
                created_at: now,
            };
            repositories::insert(tx, &repo)?;
        }
        (4, _, Some(repo)) if chance.below(4) == 0 => repositories::delete(tx, &repo)?,
        (5, _, Some(repo)) => {
            let (visibility, state) = (*chance.pick(Visibility::ALL), *chance.pick(RepoState::ALL));
            repositories::update(tx, &Repository { visibility, state, ..repo })?;
        }
        (6 | 7, _, Some(repo)) => {
            permissions::give(tx, &repo, &Grantee::Principal(who.id), role, now)?;
        }
        (8 | 9, Some(team), Some(repo)) if repo.namespace == org.id => {
            permissions::give(tx, &repo, &Grantee::Team(team.id), role, now)?;
        }
        (10, _, Some(repo)) => {
            permissions::take_from_user(tx, &repo, &who.name)?;
            permissions::take_from_team(tx, &repo, team_name)?;
        }
        // the asker stays
        (11, ..) if who.name != "admin" && who.disabled_at.is_none() => {
            users::disable(tx, &who.id, now)?;
        }
        (11, ..) => users::enable(tx, &who.id)?,
        _ => {}
    }
    Ok(())
}

/// All that a search finds, page by page.
async fn all(world: &World, asker: &str, path: &str, mut search: Value, limit: u64) -> Vec<Value> {
    let (mut found, mut pages) = (Vec::new(), 0);
    search["page"] = json!({ "limit": limit });
    loop {
        let answer = world.ask_as(asker, path, &search).await;
        assert_eq!(answer.status, 200, "{path} {search}: {}", answer.text());
        assert!(answer.text().starts_with("{\"page\":{\"next_token\":\""), "page comes first");
        let body = answer.json();
        let results = body["results"].as_array().expect("results");
        assert!(results.len() as u64 <= limit);
        assert_eq!(body["page"]["count"], results.len());
        found.extend(results.iter().cloned());
        pages += 1;
        assert!(pages < 500, "{path} {search} does not end");
        match body["page"]["next_token"].as_str().expect("text") {
            "" => return found,
            next => search["page"] = json!({ "token": next, "limit": limit }),
        }
    }
}

fn sorted(mut values: Vec<Value>) -> Vec<String> {
    let mut texts: Vec<String> = values.drain(..).map(|value| value.to_string()).collect();
    texts.sort();
    texts
}

/// Those of `entities` for which the question is answered with yes, each put into its place.
async fn yes(world: &World, question: &Value, place: &str, entities: &[Value]) -> Vec<Value> {
    let items: Vec<Value> = entities.iter().map(|entity| json!({ place: entity })).collect();
    let mut body = question.clone();
    body["evaluations"] = json!(items);
    let answers = decisions(&world.ask(EVALUATIONS, &body).await);
    let pairs = entities.iter().zip(answers);
    pairs.filter(|(_, allowed)| *allowed).map(|(entity, _)| entity.clone()).collect()
}

fn entities(kind: &str, ids: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<Value> {
    let each = ids.into_iter().map(|id| json!({ "type": kind, "id": id.as_ref() }));
    each.collect()
}

/// Everything that there is, and a few things that there are not.
struct Everything {
    subjects: Vec<(&'static str, Vec<Value>)>,
    objects: Vec<(&'static str, Vec<Value>)>,
}

async fn everything(world: &World) -> Everything {
    let ids = world.app.db.read(|q: &mut dyn Query| {
        let rows = q.all(&Stmt::same("SELECT id FROM token ORDER BY seq"), &[])?;
        Ok(rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect::<Vec<_>>())
    });
    let ids = ids.await.unwrap();
    let nobody = ["ghost", "acme", "no name"];
    Everything {
        subjects: vec![
            ("user", entities("user", USERS.iter().chain(&nobody))),
            ("robot", entities("robot", USERS.iter().chain(&nobody))),
            ("token", entities("token", &ids)),
            ("spaceship", entities("spaceship", ["x"])),
        ],
        objects: vec![
            (
                "repository",
                entities("repository", REPOS.iter().chain(&["alice/record-2", "alice/none", "x"])),
            ),
            ("organization", entities("organization", ORGS.iter().chain(&["alice", "none"]))),
            ("spaceship", entities("spaceship", ["x"])),
        ],
    }
}

const ACTIONS: [&str; 6] = ["pull", "push", "delete", "administer", "create", "read"];

/// Compares every search with the single questions.
async fn compare(world: &World, chance: &SeededChance) {
    let Everything { subjects, objects } = everything(world).await;
    let limit = || *chance.pick(&[1, 2, 3, 1_000]);
    for action in ACTIONS {
        for object in objects.iter().flat_map(|(_, all)| all) {
            for (kind, all_of_kind) in &subjects {
                let mut search = json!({ "action": { "name": action }, "resource": object });
                let expected = yes(world, &search, "subject", all_of_kind).await;
                search["subject"] = json!({ "type": kind });
                let found = all(world, &world.admin, SUBJECTS, search.clone(), limit()).await;
                assert_eq!(sorted(found), sorted(expected), "{search}");
            }
        }
        for subject in subjects.iter().flat_map(|(_, all)| all) {
            for (kind, all_of_kind) in &objects {
                let mut search = json!({ "action": { "name": action }, "subject": subject });
                let expected = yes(world, &search, "resource", all_of_kind).await;
                search["resource"] = json!({ "type": kind });
                let found = all(world, &world.admin, RESOURCES, search.clone(), limit()).await;
                assert_eq!(sorted(found), sorted(expected), "{search}");
            }
        }
    }
    for subject in subjects.iter().flat_map(|(_, all)| all) {
        for object in objects.iter().flat_map(|(_, all)| all) {
            let search = json!({ "subject": subject, "resource": object });
            let actions: Vec<Value> = ACTIONS.iter().map(|name| json!({ "name": name })).collect();
            let expected = yes(world, &search, "action", &actions).await;
            let found = all(world, &world.admin, ACTS, search.clone(), limit()).await;
            assert_eq!(sorted(found), sorted(expected), "{search}");
        }
    }
}

pub(super) const SUBJECTS: &str = "/access/v1/search/subject";
pub(super) const RESOURCES: &str = "/access/v1/search/resource";
pub(super) const ACTS: &str = "/access/v1/search/action";

/// What the settings make of people, in three ways.
fn settings(turn: usize) -> Settings {
    let mut settings = Settings::default();
    let quay = &mut settings.quay;
    quay.feature_superusers_full_access = turn == 1;
    if turn == 1 {
        quay.super_users = vec!["bob".parse().unwrap(), "nobody".parse().unwrap()];
    }
    if turn == 2 {
        quay.global_readonly_super_users = vec!["cid".parse().unwrap()];
        quay.robots_disallow = true;
        quay.robots_whitelist = vec!["acme+ci".parse().unwrap()];
    }
    settings
}

/// Compares what the lists of reach say with the single questions.
async fn compare_reach(world: &World, chance: &SeededChance) {
    let admin = Visitor::sign_in(&world.app, "admin", "password").await;
    let public = world.app.db.read(|q: &mut dyn Query| {
        let stmt = Stmt::same("SELECT name FROM repository WHERE visibility = 'public'");
        let rows = q.all(&stmt, &[])?;
        Ok(rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect::<BTreeSet<_>>())
    });
    let public = public.await.unwrap();
    let mut reached: BTreeMap<(String, String), Value> = BTreeMap::new();
    let limit = || *chance.pick(&[1, 2, 100]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for who in USERS {
        for line in lines(&admin, &format!("/claviger/v1/principals/{who}/reach"), limit()).await {
            if line["type"] != "public" {
                let key = (who.to_owned(), text(&line["name"]));
                assert!(reached.insert(key, line["actions"].clone()).is_none(), "twice: {line}");
            }
        }
    }
    for repo in REPOS {
        let path = format!("/claviger/v1/repositories/{repo}/reach");
        if admin.get(&path).await.status == 404 {
            continue;
        }
        let mut of_repo = BTreeMap::new();
        for line in lines(&admin, &path, limit()).await {
            if line["type"] == "user" || line["type"] == "robot" {
                let found = of_repo.insert(text(&line["name"]), line["actions"].clone());
                assert!(found.is_none(), "twice: {line}");
            }
        }
        for who in USERS {
            let both = reached.remove(&(who.to_owned(), repo.to_owned()));
            assert_eq!(of_repo.remove(who), both, "{who} {repo}");
            let search = json!({
                "subject": { "type": "user", "id": who },
                "resource": { "type": "repository", "id": repo },
            });
            let may: Vec<Value> = all(world, &world.admin, ACTS, search, 9).await;
            let may: Vec<Value> = may.iter().map(|action| action["name"].clone()).collect();
            match both {
                Some(actions) => assert_eq!(actions, json!(may), "{who} {repo}"),
                None if public.contains(repo) => assert!(may.is_empty() || may == ["pull"]),
                None => assert!(may.is_empty(), "{who} {repo}: {may:?}"),
            }
        }
        assert!(of_repo.is_empty(), "{repo}: {of_repo:?}");
    }
    for ((who, what), actions) in reached {
        let record = what.contains('/');
        let kind = if record { "repository" } else { "organization" };
        let search = json!({
            "subject": { "type": "user", "id": who }, "resource": { "type": kind, "id": what },
        });
        let may = all(world, &world.admin, ACTS, search, 9).await;
        let may: Vec<Value> = may.iter().map(|action| action["name"].clone()).collect();
        assert_eq!(actions, json!(may), "{who} {what}");
    }
}

async fn random_worlds(world: World, seed: u64) {
    world.app.db.write(people).await.unwrap();
    let program = |user: &'static str, mint| token(&world.app, user, mint);
    for user in ["alice", "bob", "cid", "eve"] {
        program(user, Mint::App).await;
        program(user, Mint::Authorization("read".parse().unwrap())).await;
        program(user, Mint::Authorization("userinfo".parse().unwrap())).await;
    }
    for robot in &USERS[5..] {
        program(robot, Mint::Robot).await;
    }
    // one that has ended
    world
        .app
        .db
        .write(|tx| {
            let row = tx.optional(
                &Stmt::same("SELECT id FROM token WHERE principal_name = 'alice' LIMIT 1"),
                &[],
            );
            let id = row?.unwrap().parse(0)?;
            let ending =
                claviger_store::endings::Ending { now: UnixMillis(0), by: "tests", reason: "gone" };
            assert!(tokens::revoke(tx, &id, &ending)?);
            Ok(())
        })
        .await
        .unwrap();
    let chance = std::sync::Arc::new(SeededChance::new(seed));
    for _ in 0..2 {
        for _ in 0..35 {
            let dice = std::sync::Arc::clone(&chance);
            world.app.db.write(move |tx| change(tx, &dice)).await.unwrap();
        }
        compare(&world, &chance).await;
        compare_reach(&world, &chance).await;
    }
}

both! {
    async fn search_finds_exactly_what_single_questions_allow(engine: Engine) {
        random_worlds(World::new(engine).await, 1).await;
    }
}

both! {
    async fn search_finds_what_full_access_gives_superusers(engine: Engine) {
        random_worlds(World::with(engine, settings(1)).await, 2).await;
    }
}

both! {
    async fn search_finds_what_readers_of_everything_read(engine: Engine) {
        random_worlds(World::with(engine, settings(2)).await, 3).await;
    }
}

#[tokio::test]
async fn limit_of_a_page_is_a_whole_number_however_it_is_written() {
    let world = World::new(Engine::Sqlite).await;
    let search = |limit: Value| {
        json!({
            "subject": { "type": "user" }, "action": { "name": "pull" },
            "resource": { "type": "repository", "id": "alice/record-1" }, "page": { "limit": limit },
        })
    };
    for (limit, status) in [
        (json!(1), 200),
        (json!(1.0), 200),
        (json!(null), 200),
        (json!(1e30), 200),
        (json!(0), 400),
        (json!(-1), 400),
        (json!(1.5), 400),
        (json!("1"), 400),
    ] {
        let answer = world.ask_as(&world.admin, SUBJECTS, &search(limit.clone())).await;
        assert_eq!(answer.status, status, "{limit}: {}", answer.text());
    }
}
