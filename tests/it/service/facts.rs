//! What is remembered says the same as what is stored, and as a naive evaluator says from the rows,
//! in the process that changes it and in another one beside it, after every change of a random
//! world. `scripts/soak` does the same for a million decisions.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use claviger_domain::{
    Error, TokenKind,
    access::{Grantee, decide},
    id::{AccountId, PrincipalId, RepoId, RequestId, TeamId},
    name::RepoName,
    principal::{PrincipalFacts, PrincipalKind},
    role::{Action, OrgRole, RepoState, Role, Visibility},
    scope::Caps,
};
use claviger_service::{App, Caller, Credential, Origin, Settings};
use claviger_store::{
    Memory, Query, Stmt, Touched, Tx, permissions,
    principals::{self, Principal},
    repositories::{self, Repository},
    teams::{self, Team},
    users,
};
use claviger_tests::{
    app::TestApp,
    both,
    case::{seed, settings},
    stands::SeededChance,
};
use serde_json::Map;

use super::naive::Rows;

const USERS: [&str; 4] = ["ann", "bob", "cid", "acme+ci"];
const TEAMS: [&str; 3] = ["owners", "makers", "readers"];
const REPOS: [&str; 4] = ["acme/app", "acme/lib", "ann/own", "acme/gone"];
const DECISIONS: usize = 16_000;

/// An app token of `reader`, as the seed has it.
const READER: &str = "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT\
                      UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU";

const ACCOUNT: Stmt = Stmt::same("SELECT id FROM account LIMIT 1");

fn name(q: &mut dyn Query, name: &str) -> Principal {
    principals::find_by_name(q, name).unwrap().unwrap()
}

fn make(tx: &mut Tx<'_>) -> Result<(), Error> {
    let account: AccountId = tx.optional(&ACCOUNT, &[])?.unwrap().parse(0)?;
    let add = |tx: &mut Tx<'_>, kind, name: &str, owner| -> Result<PrincipalId, Error> {
        let id = PrincipalId::random(tx.chance());
        let new = Principal::new(id, account, kind, name, claviger_domain::UnixMillis(0));
        principals::insert(tx, &Principal { owner, ..new })?;
        Ok(id)
    };
    let acme = add(tx, PrincipalKind::Org, "acme", None)?;
    for user in &USERS[..3] {
        add(tx, PrincipalKind::User, user, None)?;
    }
    add(tx, PrincipalKind::Robot, USERS[3], Some(acme))?;
    Ok(())
}

fn add_team(
    tx: &mut Tx<'_>,
    chance: &SeededChance,
    org: PrincipalId,
    name: &str,
) -> Result<Team, Error> {
    let team = Team {
        id: TeamId::random(tx.chance()),
        org,
        name: name.to_owned(),
        role: *chance.pick(OrgRole::ALL),
        description: String::new(),
        created_at: claviger_domain::UnixMillis(0),
    };
    teams::insert(tx, &team)?;
    Ok(team)
}

/// One random change, as a use case would make it.
fn change(tx: &mut Tx<'_>, chance: &SeededChance) -> Result<(), Error> {
    let now = claviger_domain::UnixMillis(0);
    let org = name(tx, "acme").id;
    let who = name(tx, chance.pick::<&str>(&USERS));
    let team_name = *chance.pick::<&str>(&TEAMS);
    let team = teams::find(tx, &org, team_name)?;
    let repo_name = *chance.pick::<&str>(&REPOS);
    let repo = repositories::find(tx, repo_name)?;
    let role = *chance.pick(Role::ALL);
    match (chance.below(10), team, repo) {
        (0, None, _) => drop(add_team(tx, chance, org, team_name)?),
        (0, Some(team), _) if chance.below(3) == 0 => teams::delete(tx, &team.id)?,
        (1, Some(team), _) => {
            teams::update(tx, &Team { role: *chance.pick(OrgRole::ALL), ..team })?;
        }
        (2, Some(team), _) if !teams::is_member(tx, &team.id, &who.id)? => {
            teams::add_member(tx, &team.id, &who.id, now)?;
        }
        (3, Some(team), _) => {
            teams::remove_member(tx, &team.id, &who.id)?;
        }
        (4 | 5, _, None) => {
            let (namespace, _) = repo_name.split_once('/').unwrap();
            let repo = Repository {
                id: RepoId::random(tx.chance()),
                namespace: name(tx, namespace).id,
                name: repo_name.to_owned(),
                visibility: *chance.pick(Visibility::ALL),
                state: *chance.pick(RepoState::ALL),
                description: String::new(),
                created_by: None,
                created_at: now,
            };
            repositories::insert(tx, &repo)?;
        }
        (4, _, Some(repo)) if chance.below(3) == 0 => repositories::delete(tx, &repo)?,
        (5, _, Some(repo)) => {
            let (visibility, state) = (*chance.pick(Visibility::ALL), *chance.pick(RepoState::ALL));
            repositories::update(tx, &Repository { visibility, state, ..repo })?;
        }
        (6, _, Some(repo)) => {
            permissions::give(tx, &repo, &Grantee::Principal(who.id), role, now)?;
        }
        (7, Some(team), Some(repo)) if repo.namespace == org => {
            permissions::give(tx, &repo, &Grantee::Team(team.id), role, now)?;
        }
        (8, _, Some(repo)) => {
            permissions::take_from_user(tx, &repo, &who.name)?;
            permissions::take_from_team(tx, &repo, team_name)?;
        }
        (9, ..) if who.disabled_at.is_none() => users::disable(tx, &who.id, now)?,
        (9, ..) => users::enable(tx, &who.id)?,
        _ => {}
    }
    Ok(())
}

/// How many decisions are compared.
fn decisions() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
    let asked = std::env::var("SOAK_DECISIONS");
    asked.map_or(DECISIONS, |count| count.parse().expect("a number"))
}

/// What everybody may do with everything, as the rows have it.
fn naive(rows: &Rows) -> Vec<String> {
    let pairs = USERS.iter().flat_map(|who| REPOS.iter().map(move |repo| (who, repo)));
    pairs.map(|(who, repo)| line(who, repo, rows.may(who, repo).as_ref())).collect()
}

fn line(who: &str, repo: &str, may: Option<&BTreeSet<&'static str>>) -> String {
    format!("{who} {repo}: {may:?}")
}

/// What everybody may do with everything, as `app` sees it.
async fn verdicts(app: &App, who: &[Arc<PrincipalFacts>]) -> Vec<String> {
    let mut all = Vec::new();
    for principal in who {
        let caller = Caller {
            principal: Arc::clone(principal),
            credential: Credential::Password,
            caps: Caps::DIRECT,
            standing: claviger_domain::access::Standing::default(),
            ahead: None,
            as_of: claviger_service::facts::AsOf::default(),
        };
        for repo in REPOS {
            let name: RepoName = repo.parse().unwrap();
            all.push(line(&principal.name, repo, verdict(app, &caller, &name).await.as_ref()));
        }
    }
    all
}

/// What `caller` may do with `repo`, as `app` sees it; `None` when there is none.
async fn verdict(app: &App, caller: &Caller, repo: &RepoName) -> Option<BTreeSet<&'static str>> {
    let gathered = app.about_repo(Some(caller), repo).await.unwrap();
    let case = gathered.case(None);
    gathered.acl.as_ref().map(|_| {
        let may = Action::ALL.iter().filter(|action| case.decide(**action));
        may.map(|action| action.as_str()).collect()
    })
}

/// One random change of what `reader` may do with `repo`.
fn change_for_reader(tx: &mut Tx<'_>, chance: &SeededChance, repo: &str) -> Result<(), Error> {
    let (reader, repo) = (name(tx, "reader"), repositories::find(tx, repo)?.unwrap());
    let (role, now) = (*chance.pick(Role::ALL), claviger_domain::UnixMillis(0));
    match chance.below(6) {
        0 => {
            permissions::give(tx, &repo, &Grantee::Principal(reader.id), role, now)?;
        }
        1 => drop(permissions::take_from_user(tx, &repo, "reader")?),
        2 => {
            let owner = name(tx, "devtable");
            match owner.disabled_at {
                None => users::disable(tx, &owner.id, now)?,
                Some(_) => users::enable(tx, &owner.id)?,
            }
        }
        3 => {
            let (visibility, state) = (*chance.pick(Visibility::ALL), *chance.pick(RepoState::ALL));
            repositories::update(tx, &Repository { visibility, state, ..repo })?;
        }
        _ => {
            let (org, team_name) = (name(tx, "buynlarge").id, *chance.pick::<&str>(&TEAMS));
            let team = match teams::find(tx, &org, team_name)? {
                Some(team) => team,
                None => add_team(tx, chance, org, team_name)?,
            };
            if teams::is_member(tx, &team.id, &reader.id)? {
                teams::remove_member(tx, &team.id, &reader.id)?;
            } else {
                teams::add_member(tx, &team.id, &reader.id, now)?;
            }
            if repo.namespace == org {
                permissions::give(tx, &repo, &Grantee::Team(team.id), role, now)?;
            }
        }
    }
    Ok(())
}

both! {
    async fn what_is_remembered_says_what_is_stored(engine: Engine) {
        let here = TestApp::empty(engine, Settings::default()).await;
        let beside = here.beside(Settings::default());
        let mut forgetful = Settings::default();
        forgetful.cache.max_staleness = Duration::ZERO;
        let stored = here.beside(forgetful);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let following = tokio::spawn({
            let beside = Arc::clone(&beside);
            async move { beside.follow_feed(async { drop(stopped.await) }).await }
        });
        let who = here
            .db
            .write(|tx| {
                make(tx)?;
                let facts = USERS.map(|user| {
                    let id = name(tx, user).id;
                    Arc::new(principals::facts(tx, &id).unwrap().unwrap())
                });
                Ok(facts)
            })
            .await
            .unwrap();
        // let the server beside announce itself
        while here.db.read(|q| Ok(q.optional(&Stmt::same("SELECT id FROM replica"), &[])?)).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let chance = Arc::new(SeededChance::new(7));
        // each verdict is compared three times: not remembered, remembered, remembered elsewhere
        let each = 3 * USERS.len() * REPOS.len() * Action::ALL.len();
        for round in 0..decisions().div_ceil(each) {
            let dice = Arc::clone(&chance);
            here.db.write(move |tx| change(tx, &dice)).await.unwrap();
            let truth = naive(&here.db.read(Rows::read).await.unwrap());
            assert_eq!(verdicts(&stored, &who).await, truth, "stored, round {round}");
            assert_eq!(verdicts(&here.app, &who).await, truth, "here, round {round}");
            here.app.wait_for_servers().await.unwrap();
            assert_eq!(verdicts(&beside, &who).await, truth, "beside, round {round}");
        }
        assert!(here.app.facts().usage().sum(|kind| kind.hits) > 0);
        assert!(beside.facts().usage().sum(|kind| kind.hits) > 0);
        drop(stop);
        following.await.unwrap();
        let left = here.db.read(|q| Ok(q.optional(&Stmt::same("SELECT id FROM replica"), &[])?));
        assert!(left.await.unwrap().is_none(), "a server that stops takes its row along");
        beside.close();
        stored.close();
    }

    async fn what_is_decided_next_is_read_along_with_the_token(engine: Engine) {
        let settings = settings::of(&Map::new(), &seed::read());
        let (here, secrets) = TestApp::seeded(engine, settings).await;
        let (facts, secret) = (here.app.facts(), secrets.ours(READER));
        let chance = SeededChance::new(9);
        let origin = Origin { door: "test", address: None, request_id: RequestId::random(&chance) };
        for (about, exists) in [("devtable/shared", true), ("buynlarge/orgrepo", true), ("devtable/nothing", false)] {
            let about: RepoName = about.parse().unwrap();
            facts.evict(&[Touched::All]);
            let trips = facts.fills().seen().count;
            let soon = Some(&about);
            let caller =
                here.app.authenticate_token_for(&secret, &[TokenKind::App], soon, &origin).await;
            let caller = caller.unwrap();
            assert_eq!(facts.fills().seen().count, trips + 1, "{about}");
            let along = here.app.about_repo(Some(&caller), &about).await.unwrap();
            // what is not there is not remembered
            let more = u64::from(!exists);
            assert_eq!(facts.fills().seen().count, trips + 1 + more, "{about}");
            facts.evict(&[Touched::All]);
            let apart = here.app.about_repo(Some(&caller), &about).await.unwrap();
            assert_eq!(format!("{along:?}"), format!("{apart:?}"));
            assert_eq!(along.acl.is_some(), exists);
        }
    }

    /// Whether or not there is a change between the sign-in and the decision, and about whichever
    /// repository it is.
    async fn a_decision_after_a_sign_in_says_what_is_stored(engine: Engine) {
        let of_seed = || settings::of(&Map::new(), &seed::read());
        let (here, secrets) = TestApp::seeded(engine, of_seed()).await;
        let mut forgetful = of_seed();
        forgetful.cache.max_staleness = Duration::ZERO;
        let stored = here.beside(forgetful);
        let (secret, chance) = (secrets.ours(READER), Arc::new(SeededChance::new(11)));
        let origin = Origin { door: "test", address: None, request_id: RequestId::random(&*chance) };
        let repos = ["devtable/shared", "buynlarge/orgrepo"];
        let (mut carried, mut changed, mut most_teams) = (0, 0, 0);
        for round in 0..300 {
            let [about, other, moved] = [(); 3].map(|()| *chance.pick::<&str>(&repos));
            if chance.below(5) == 0 {
                here.app.facts().evict(&[Touched::All]);
            }
            let soon: RepoName = about.parse().unwrap();
            let caller =
                here.app.authenticate_token_for(&secret, &[TokenKind::App], Some(&soon), &origin).await;
            let caller = caller.unwrap();
            carried += usize::from(caller.ahead.is_some());
            most_teams = most_teams.max(caller.principal.teams.len());
            if chance.below(2) == 0 {
                let dice = Arc::clone(&chance);
                here.db.write(move |tx| change_for_reader(tx, &dice, moved)).await.unwrap();
                changed += 1;
            }
            // an epoch means something to the one who counts it
            let as_of = claviger_service::facts::AsOf::default();
            let plain = Caller { ahead: None, as_of, ..caller.clone() };
            for name in [about, other, "devtable/nothing"] {
                let name: RepoName = name.parse().unwrap();
                let (seen, truth) = (verdict(&here.app, &caller, &name).await, verdict(&stored, &plain, &name).await);
                assert_eq!(seen, truth, "round {round}, {name}");
            }
        }
        assert!(carried > 50 && changed > 50, "{carried} carried, {changed} changed");
        assert!(most_teams > 2, "of more teams than a repository leads to");
        stored.close();
    }

    /// A change between the sign-in and the decision is seen by the decision.
    async fn what_was_read_along_is_forgotten_like_everything_else(engine: Engine) {
        let settings = settings::of(&Map::new(), &seed::read());
        let (here, secrets) = TestApp::seeded(engine, settings).await;
        let (about, secret): (RepoName, _) = ("devtable/shared".parse().unwrap(), secrets.ours(READER));
        let chance = SeededChance::new(9);
        let origin = Origin { door: "test", address: None, request_id: RequestId::random(&chance) };
        here.app.facts().evict(&[Touched::All]);
        let soon = Some(&about);
        let caller = here.app.authenticate_token_for(&secret, &[TokenKind::App], soon, &origin).await;
        let caller = caller.unwrap();
        let may = async || {
            let gathered = here.app.about_repo(Some(&caller), &about).await.unwrap();
            decide(&gathered.asker(), gathered.acl().unwrap(), Action::Pull)
        };
        assert!(may().await);
        let taken = here.db.write(|tx| {
            let repo = repositories::find(tx, "devtable/shared")?.unwrap();
            Ok(permissions::take_from_user(tx, &repo, "reader")?)
        });
        taken.await.unwrap();
        assert!(!may().await);
    }
}
