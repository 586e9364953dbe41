//! The decision, three ways: scenarios that a person can read, the printed table of roles and
//! actions, and a naive evaluator that random worlds are compared with.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod naive;
mod scenario;
mod why;
mod world;

use std::fmt::Write;

use claviger_domain::{
    access::{self, Act, Administer, Asker, Describe, Inspect, Path, Standing},
    role::{Action, RepoState, Role, Visibility},
};
use proptest::prelude::*;
use world::World;

#[test]
fn every_scenario_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/access/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut failures = String::new();
    for file in files {
        for failure in scenario::run(&std::fs::read_to_string(&file).unwrap()) {
            writeln!(failures, "{}: {failure}", file.display()).unwrap();
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn table_of_roles_and_actions_is_the_golden_one() {
    let mut table = String::from(
        "# Which action each role permits, by the repository's visibility and state.\n\
         # Written by the test `table_of_roles_and_actions_is_the_golden_one`.\n",
    );
    writeln!(table, "{:8} {:8} {:10} pull push delete administer", "role", "visible", "state")
        .unwrap();
    for role in [None].into_iter().chain(Role::ALL.iter().copied().map(Some)) {
        for &visibility in Visibility::ALL {
            for &state in RepoState::ALL {
                let mut world = World::default();
                world.user("ann");
                world.user("olga");
                world.repo("olga/app", visibility, state);
                if let Some(role) = role {
                    world.grant_user("olga/app", "ann", role);
                }
                write!(
                    table,
                    "{:8} {:8} {:10}",
                    role.map_or("none", Role::as_str),
                    visibility.as_str(),
                    state.as_str()
                )
                .unwrap();
                for &action in Action::ALL {
                    let yes = world
                        .ask("ann", "olga/app", |asker, acl| access::decide(asker, acl, action));
                    let width = action.as_str().len();
                    write!(table, " {:width$}", if yes { "yes" } else { "-" }).unwrap();
                }
                table.truncate(table.trim_end().len());
                table.push('\n');
            }
        }
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/access/roles.golden");
    if std::env::var_os("CLAVIGER_TEST_WRITE_GOLDEN").is_some() {
        std::fs::write(golden, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(golden).unwrap_or_default(), table);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn decision_equals_the_naive_evaluator(plan in world::plan()) {
        let world = World::from_plan(&plan);
        for who in world.askers() {
            for repo in world.repos() {
                for &action in Action::ALL {
                    let fast = world.ask_as(&who, &repo, |a, acl| access::decide(a, acl, action));
                    let slow = naive::decide(&world, &who, &repo, action);
                    prop_assert_eq!(fast, slow, "{:?} {} {}", who, repo, action);
                }
            }
        }
    }

    #[test]
    fn every_allowed_action_has_a_path_that_gives_it(plan in world::plan()) {
        let world = World::from_plan(&plan);
        for who in world.askers() {
            for repo in world.repos() {
                let (role, best) = world.ask_as(&who, &repo, |asker, acl| {
                    let best = access::paths(asker, acl).map(|reason| reason.role).max();
                    (access::effective_role(asker, acl), best)
                });
                prop_assert!(role <= best, "{:?} has {:?} by paths that give {:?}", who, role, best);
            }
        }
    }
}

/// How many random worlds are tried; the long form is asked for by `scripts/soak`.
fn cases() -> u32 {
    std::env::var_os("CLAVIGER_TEST_WORLDS")
        .and_then(|n| n.to_str().and_then(|n| n.parse().ok()))
        .unwrap_or(256)
}

#[test]
fn nobody_pulls_what_is_public_and_nothing_else() {
    let mut world = World::default();
    world.user("olga");
    world.repo("olga/open", Visibility::Public, RepoState::Normal);
    world.repo("olga/shut", Visibility::Private, RepoState::Normal);
    let may = |repo: &str, action| access::decide(&Asker::ANONYMOUS, world.acl(repo), action);
    assert!(may("olga/open", Action::Pull));
    assert!(!may("olga/open", Action::Push));
    assert!(!may("olga/shut", Action::Pull));
}

#[test]
fn explicit_grants_come_in_their_order_with_repetitions() {
    let mut world = World::default();
    world.user("ann");
    world.org("acme");
    world.team("acme", "first", claviger_domain::role::OrgRole::Member);
    world.team("acme", "second", claviger_domain::role::OrgRole::Admin);
    world.join("acme", "first", "ann");
    world.join("acme", "second", "ann");
    world.repo("acme/app", Visibility::Public, RepoState::Normal);
    world.grant_team("acme/app", "first", Role::Read);
    world.grant_user("acme/app", "ann", Role::Admin);
    world.grant_team("acme/app", "second", Role::Read);
    let roles: Vec<(Role, bool)> = world.ask("ann", "acme/app", |asker, acl| {
        access::grants_reaching(asker, acl).map(|r| (r.role, r.path == Path::Direct)).collect()
    });
    assert_eq!(roles, [(Role::Read, false), (Role::Admin, true), (Role::Read, false)]);
}

/// Whether `who` may do what needs a permit, on the repository and on names where nothing is.
fn permitted<A: Act>(world: &World, who: &str, repo: &str) -> [bool; 3] {
    world.ask(who, repo, |asker, acl| {
        let name = repo.parse().unwrap();
        let permit = |namespace, acl| access::permit::<A>(asker, &name, namespace, acl).is_ok();
        [permit(None, Some(acl)), permit(Some(acl.namespace), None), permit(None, None)]
    })
}

#[test]
fn permit_needs_the_role_of_its_act_or_what_the_namespace_and_the_settings_give() {
    let mut world = World::default();
    for user in ["olga", "ann", "root", "eve"] {
        world.user(user);
    }
    world.repo("olga/app", Visibility::Public, RepoState::ReadOnly);
    world.grant_user("olga/app", "ann", Role::Write);
    let full = Standing { superuser: true, full_access: true, ..Standing::default() };
    world.standings.insert("root".to_owned(), full);
    let sees = Standing { global_readonly: true, ..Standing::default() };
    world.standings.insert("eve".to_owned(), sees);

    let administer = |who| permitted::<Administer>(&world, who, "olga/app");
    assert_eq!(administer("olga"), [true, true, false]);
    assert_eq!(administer("root"), [true, true, true]);
    assert_eq!(administer("ann"), [false, false, false]);
    assert_eq!(administer("eve"), [false, false, false]);
    assert_eq!(permitted::<Inspect>(&world, "eve", "olga/app"), [true, true, true]);
    assert_eq!(permitted::<Inspect>(&world, "ann", "olga/app"), [false, false, false]);
    assert_eq!(permitted::<Describe>(&world, "ann", "olga/app"), [true, false, false]);
    assert_eq!(permitted::<Describe>(&world, "eve", "olga/app"), [false, false, false]);
}
