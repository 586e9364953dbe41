//! The decision once more, written to be plainly right and not to be fast: sets of words, loops,
//! no early answers. Source: `PRODUCT.md`, "Decisions", and Quay's rules in words.

use std::collections::BTreeSet;

use claviger_domain::{
    access::Grantee,
    principal::PrincipalKind,
    role::{Action, OrgRole, RepoState, Role, Visibility},
};

use crate::world::{Who, World};

/// The actions of each role.
fn actions(role: Role) -> BTreeSet<&'static str> {
    match role {
        Role::Read => BTreeSet::from(["pull"]),
        Role::Write => BTreeSet::from(["pull", "push"]),
        Role::Admin => BTreeSet::from(["pull", "push", "delete", "administer"]),
    }
}

pub(crate) fn decide(world: &World, who: &Who, repo: &str, action: Action) -> bool {
    let me = &world.principals[&who.name];
    let acl = &world.acls[repo];
    if !me.enabled || me.kind == PrincipalKind::Org {
        return false;
    }

    // what my rights let me do
    let mut mine = BTreeSet::new();
    for grant in &acl.grants {
        if grant.to == Grantee::Principal(me.id) {
            mine.extend(actions(grant.role));
        }
    }
    for team in world.teams.values() {
        let member = me.teams.iter().any(|t| t.team == team.id);
        if !member {
            continue;
        }
        for grant in &acl.grants {
            if grant.to == Grantee::Team(team.id) {
                mine.extend(actions(grant.role));
            }
        }
        if team.org == acl.namespace.id && team.role == OrgRole::Admin {
            mine.extend(actions(Role::Admin));
        }
    }
    if acl.namespace.id == me.id {
        mine.extend(actions(Role::Admin));
    }
    if acl.visibility == Visibility::Public {
        mine.extend(actions(Role::Read));
    }

    // what my credential lets me do with them
    let mut credential = BTreeSet::new();
    if let Some(cap) = who.caps.repo {
        credential.extend(actions(cap));
    }
    let mut all: BTreeSet<_> = mine.intersection(&credential).copied().collect();

    // rights that are not about this repository
    let standing = world.standings.get(&who.name).copied().unwrap_or_default();
    if standing.superuser && standing.full_access && who.caps.superuser {
        all.extend(actions(Role::Admin));
    }
    if standing.global_readonly {
        all.extend(actions(Role::Read));
    }

    // a repository that is not in its normal state keeps its content as it is
    if acl.state != RepoState::Normal {
        all.remove("push");
        all.remove("delete");
    }
    all.contains(action.as_str())
}
