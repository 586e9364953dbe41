//! Scenario files: a world in plain words, then what must hold in it.
//!
//! ```text
//! org acme                         an organisation
//! user bob (disabled)              a user
//! robot acme+ci
//! team acme/devs member: bob ann   a team, its role in the organisation, its members
//! repo acme/app private            also: public; READ_ONLY at the end
//! acme/app: bob read, team devs write
//! superuser root (full access)     also: superuser root, reads everything aud
//!
//! bob may pull acme/app
//! bob with repo:read may not push acme/app
//! ann on acme/app is admin         the effective role; or: nothing
//! ```
//! An empty line and `#` say nothing to the test.

use claviger_domain::{
    access::{self, Standing},
    role::{Action, RepoState, Visibility},
    scope::{Caps, QuayScope, Scopes},
};

use crate::world::{Who, World};

/// What did not hold, one text each.
pub(crate) fn run(text: &str) -> Vec<String> {
    let mut world = World::default();
    let mut failures = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap().trim();
        if line.is_empty() {
            continue;
        }
        if let Err(why) = run_line(&mut world, line) {
            failures.push(format!("line {}: {line}: {why}", number + 1));
        }
    }
    failures
}

fn run_line(world: &mut World, line: &str) -> Result<(), String> {
    let parts: Vec<&str> = line.split_whitespace().collect();
    match parts[..] {
        ["org", name] => world.org(name),
        ["user", name] => world.user(name),
        ["user", name, "(disabled)"] => {
            world.user(name);
            world.disable(name);
        }
        ["robot", name] => world.robot(name),
        ["team", team, role, ref members @ ..] => {
            let (org, team) = team.split_once('/').ok_or("a team is organisation/team")?;
            let role = role.trim_end_matches(':').parse().map_err(|e| format!("{role} {e}"))?;
            world.team(org, team, role);
            for member in members {
                world.join(org, team, member);
            }
        }
        ["repo", name, visibility, ref state @ ..] => {
            let visibility: Visibility = visibility.parse().map_err(|e| format!("{e}"))?;
            let state = state.first().map_or(Ok(RepoState::Normal), |s| s.parse());
            world.repo(name, visibility, state.map_err(|e| format!("{e}"))?);
        }
        ["superuser", name, ref how @ ..] => {
            let full_access = how == ["(full", "access)"];
            let standing = Standing { superuser: true, full_access, global_readonly: false };
            world.standings.insert(name.into(), standing);
        }
        ["reads", "everything", name] => {
            let standing = Standing { global_readonly: true, ..Standing::default() };
            world.standings.insert(name.into(), standing);
        }
        [repo, ..] if repo.ends_with(':') => {
            let grants = line.split_once(':').unwrap().1;
            for grant in grants.split(',') {
                let role = |word: &str| word.parse().map_err(|e| format!("{word} {e}"));
                match grant.split_whitespace().collect::<Vec<_>>()[..] {
                    ["team", team, given] => {
                        world.grant_team(repo.trim_end_matches(':'), team, role(given)?);
                    }
                    [user, given] => {
                        world.grant_user(repo.trim_end_matches(':'), user, role(given)?);
                    }
                    _ => return Err("a grant is NAME ROLE or team NAME ROLE".into()),
                }
            }
        }
        [name, "with", scopes, ref claim @ ..] => {
            let words = QuayScope::parse_set(scopes);
            return claim_holds(world, name, Scopes::quay(words).caps(), claim);
        }
        [name, ref claim @ ..] => return claim_holds(world, name, Caps::DIRECT, claim),
        [] => {}
    }
    Ok(())
}

fn claim_holds(world: &World, name: &str, caps: Caps, claim: &[&str]) -> Result<(), String> {
    let who = Who { name: name.into(), caps };
    match *claim {
        ["may", "not", action, repo] => expect(world, &who, action, repo, false),
        ["may", action, repo] => expect(world, &who, action, repo, true),
        ["on", repo, "is", role] => {
            let found = world.ask_as(&who, repo, access::effective_role);
            let found = found.map_or("nothing", claviger_domain::role::Role::as_str);
            if found == role { Ok(()) } else { Err(format!("is {found}")) }
        }
        _ => Err("is no sentence of a scenario".into()),
    }
}

fn expect(world: &World, who: &Who, action: &str, repo: &str, yes: bool) -> Result<(), String> {
    let action: Action = action.parse().map_err(|e| format!("{action} {e}"))?;
    let (found, why) = world.ask_as(who, repo, |asker, acl| {
        let why: Vec<_> = access::paths(asker, acl).collect();
        (access::decide(asker, acl, action), why)
    });
    if found == yes { Ok(()) } else { Err(format!("found {found}, by {why:?}")) }
}
