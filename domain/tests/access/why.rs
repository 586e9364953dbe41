//! Reasons: they are those of the decision, and they name what is missing.

use claviger_domain::{
    access::{self, Bar, Case, Missing, Path},
    role::{Action, OrgAction, OrgRole, RepoState, Role, Visibility},
    scope::{QuayScope, Scopes},
    token::TokenState,
};
use proptest::prelude::*;

use crate::{
    cases, naive,
    world::{self, Who, World},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn explanation_decides_as_the_decision_and_the_naive_evaluator_do(plan in world::plan()) {
        let world = World::from_plan(&plan);
        for who in world.askers() {
            for repo in world.repos() {
                for &action in Action::ALL {
                    let (why, decided) = world.ask_as(&who, &repo, |asker, acl| {
                        (access::explain(asker, acl, action), access::decide(asker, acl, action))
                    });
                    prop_assert_eq!(why.missing.is_none(), decided, "{:?} {} {}", who, repo, action);
                    prop_assert_eq!(decided, naive::decide(&world, &who, &repo, action));
                    holds_together(&why, action)?;
                    for at in 0..8_u8 {
                        let [barred, closed, there] = [1, 2, 4].map(|bit| at & bit != 0);
                        let (why, decided) = world.ask_as(&who, &repo, |asker, acl| {
                            let case = Case {
                                bar: barred.then_some(Bar::TokenExpired),
                                asker: *asker,
                                acl: there.then_some(acl),
                                closed,
                            };
                            (case.explain(action), case.decide(action))
                        });
                        prop_assert_eq!(why.missing.is_none(), decided);
                        let plain = naive::decide(&world, &who, &repo, action);
                        prop_assert_eq!(decided, plain && !barred && !closed && there);
                    }
                }
            }
        }
    }

    #[test]
    fn explanation_of_an_organisation_decides_as_the_role_in_it_does(plan in world::plan()) {
        let world = World::from_plan(&plan);
        for who in world.askers() {
            for repo in world.repos() {
                for &action in OrgAction::ALL {
                    let (why, role) = world.ask_as(&who, &repo, |asker, acl| {
                        let why = access::explain_org(asker, acl.namespace, action);
                        (why, access::namespace_role(asker, acl.namespace))
                    });
                    prop_assert_eq!(why.role, role);
                    prop_assert_eq!(why.missing.is_none(), role >= Some(action.needs()));
                }
            }
        }
    }
}

/// What is said to be missing fits the paths.
fn holds_together(why: &access::Answer, action: Action) -> Result<(), TestCaseError> {
    let best = why.paths.iter().map(|path| path.role).max();
    let enough = |role: Option<Role>| role >= Some(action.needs());
    match why.missing {
        None => prop_assert!(enough(why.role) && enough(best)),
        Some(Missing::Path) => prop_assert!(best.is_none()),
        Some(Missing::Role) => prop_assert!(best.is_some() && !enough(best)),
        Some(Missing::Ceiling) => prop_assert!(enough(best) && !enough(why.role)),
        Some(Missing::State(state)) => {
            prop_assert!(enough(why.role) && state != RepoState::Normal);
        }
        Some(Missing::Barred(_)) => prop_assert!(why.role.is_none()),
        Some(Missing::Object | Missing::Namespace) => prop_assert!(false, "{:?}", why),
    }
    Ok(())
}

fn why(world: &World, who: &str, repo: &str, action: Action) -> access::Answer {
    world.ask(who, repo, |asker, acl| access::explain(asker, acl, action))
}

#[test]
fn every_path_is_told_with_what_it_gives() {
    let mut world = World::default();
    world.org("acme");
    world.user("ann");
    world.team("acme", "devs", OrgRole::Member);
    world.team("acme", "owners", OrgRole::Admin);
    world.join("acme", "devs", "ann");
    world.join("acme", "owners", "ann");
    world.repo("acme/app", Visibility::Public, RepoState::Normal);
    world.grant_user("acme/app", "ann", Role::Read);
    world.grant_team("acme/app", "devs", Role::Write);
    let standing = access::Standing { superuser: true, full_access: true, global_readonly: true };
    world.standings.insert("ann".to_owned(), standing);
    let team = |name: &str| world.teams[&format!("acme/{name}")].id;
    let found = why(&world, "ann", "acme/app", Action::Push);
    let found: Vec<_> = found.paths.iter().map(|path| (path.path, path.role)).collect();
    assert_eq!(
        found,
        [
            (Path::Direct, Role::Read),
            (Path::Team(team("devs")), Role::Write),
            (Path::TeamRole(team("owners")), Role::Admin),
            (Path::Superuser, Role::Admin),
            (Path::GlobalReadOnly, Role::Read),
            (Path::Public, Role::Read),
        ]
    );
}

#[test]
fn refusal_names_what_is_missing() {
    let mut world = World::default();
    for user in ["olga", "ann", "root"] {
        world.user(user);
    }
    world.repo("olga/app", Visibility::Private, RepoState::ReadOnly);
    let missing = |world: &World, who, action| why(world, who, "olga/app", action).missing;
    assert_eq!(missing(&world, "ann", Action::Pull), Some(Missing::Path));
    world.grant_user("olga/app", "ann", Role::Read);
    assert_eq!(missing(&world, "ann", Action::Pull), None);
    assert_eq!(missing(&world, "ann", Action::Push), Some(Missing::Role));
    let state = Missing::State(RepoState::ReadOnly);
    assert_eq!(missing(&world, "olga", Action::Push), Some(state));
    let below = |scope, who: &str, action| {
        let who = Who { name: who.to_owned(), caps: Scopes::quay([scope]).caps() };
        world.ask_as(&who, "olga/app", |asker, acl| access::explain(asker, acl, action)).missing
    };
    assert_eq!(below(QuayScope::RepoRead, "olga", Action::Administer), Some(Missing::Ceiling));
    let full = access::Standing { superuser: true, full_access: true, ..Default::default() };
    world.standings.insert("root".to_owned(), full);
    let below = |scope| {
        let who = Who { name: "root".to_owned(), caps: Scopes::quay([scope]).caps() };
        world.ask_as(&who, "olga/app", |a, acl| access::explain(a, acl, Action::Pull)).missing
    };
    assert_eq!(below(QuayScope::UserRead), Some(Missing::Ceiling));
    assert_eq!(below(QuayScope::SuperUser), None);
    world.disable("ann");
    let disabled = Missing::Barred(Bar::PrincipalDisabled);
    assert_eq!(missing(&world, "ann", Action::Pull), Some(disabled));
}

#[test]
fn what_bars_a_token_comes_before_what_bars_whom_it_acts_for() {
    let mut world = World::default();
    world.org("acme");
    world.robot("acme+ci");
    let may = |world: &World, token, owner: bool, admitted| {
        let owner = owner.then_some(&world.principals["acme"]);
        access::may_act(token, world.principals.get("acme+ci"), owner, |_| admitted).err()
    };
    let live = Some(TokenState::Live);
    assert_eq!(may(&world, live, true, true), None);
    assert_eq!(may(&world, None, true, true), None);
    assert_eq!(may(&world, Some(TokenState::Expired), false, false), Some(Bar::TokenExpired));
    assert_eq!(may(&world, Some(TokenState::Revoked), false, false), Some(Bar::TokenRevoked));
    assert_eq!(may(&world, live, false, false), Some(Bar::OwnerDisabled));
    assert_eq!(may(&world, live, true, false), Some(Bar::RobotsDisallowed));
    world.disable("acme");
    assert_eq!(may(&world, live, true, true), Some(Bar::OwnerDisabled));
    world.disable("acme+ci");
    assert_eq!(may(&world, live, true, true), Some(Bar::PrincipalDisabled));
    let gone = access::may_act(live, None, None, |_| true).err();
    assert_eq!(gone, Some(Bar::PrincipalGone));
    let org = access::may_act(None, world.principals.get("acme"), None, |_| true).err();
    assert_eq!(org, Some(Bar::PrincipalDisabled));
}
