//! A small world of users, organisations, teams and repositories, given by name, from which the
//! facts are made that the decision looks at.

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use claviger_domain::{
    Chance,
    access::{Asker, Grant, Grantee, NamespaceFacts, RepoAcl, Standing},
    id::{AccountId, PrincipalId, RepoId, TeamId},
    principal::{PrincipalFacts, PrincipalKind, TeamFacts, TeamOf},
    role::{OrgRole, RepoState, Role, Visibility},
    scope::{Caps, QuayScope, Scopes},
};
use proptest::prelude::*;

/// Ids that count up, so that a failing test reads the same each time.
#[derive(Default)]
struct Counter;

thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });

impl Chance for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let n = NEXT.get() + 1;
        NEXT.set(n);
        bytes.fill(0);
        for (place, byte) in bytes.iter_mut().rev().zip(n.to_be_bytes().iter().rev()) {
            *place = *byte;
        }
    }
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) principals: BTreeMap<String, PrincipalFacts>,
    /// By `organisation/team`.
    pub(crate) teams: BTreeMap<String, Arc<TeamFacts>>,
    pub(crate) acls: BTreeMap<String, RepoAcl>,
    pub(crate) standings: BTreeMap<String, Standing>,
    account: Option<AccountId>,
}

/// Somebody with a credential.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) caps: Caps,
}

impl World {
    fn principal(&mut self, name: &str, kind: PrincipalKind, owner: Option<PrincipalId>) {
        let account = *self.account.get_or_insert_with(|| AccountId::random(&Counter));
        let facts = PrincipalFacts {
            id: PrincipalId::random(&Counter),
            account,
            kind,
            name: name.into(),
            owner,
            enabled: true,
            verified: true,
            superuser: false,
            decider: false,
            session_epoch: 0,
            teams: [].into(),
        };
        self.principals.insert(name.into(), facts);
    }

    pub(crate) fn user(&mut self, name: &str) {
        self.principal(name, PrincipalKind::User, None);
    }

    pub(crate) fn org(&mut self, name: &str) {
        self.principal(name, PrincipalKind::Org, None);
    }

    pub(crate) fn robot(&mut self, name: &str) {
        let owner = self.principals[name.split('+').next().unwrap()].id;
        self.principal(name, PrincipalKind::Robot, Some(owner));
    }

    pub(crate) fn disable(&mut self, name: &str) {
        self.principals.get_mut(name).unwrap().enabled = false;
    }

    pub(crate) fn team(&mut self, org: &str, team: &str, role: OrgRole) {
        let facts = TeamFacts {
            id: TeamId::random(&Counter),
            org: self.principals[org].id,
            name: team.into(),
            role,
        };
        self.teams.insert(format!("{org}/{team}"), Arc::new(facts));
    }

    /// Removes the team's own fact; permissions and memberships that name it stay behind, as they
    /// do in a cache that has not heard of them.
    pub(crate) fn remove_team(&mut self, org: &str, team: &str) {
        self.teams.remove(&format!("{org}/{team}"));
    }

    pub(crate) fn join(&mut self, org: &str, team: &str, member: &str) {
        let team = &self.teams[&format!("{org}/{team}")];
        let member = self.principals.get_mut(member).unwrap();
        let mut teams = member.teams.to_vec();
        teams.push(TeamOf { team: team.id, org: team.org });
        teams.sort();
        teams.dedup();
        member.teams = teams.into();
    }

    pub(crate) fn repo(&mut self, name: &str, visibility: Visibility, state: RepoState) {
        let owner = &self.principals[name.split('/').next().unwrap()];
        let namespace = NamespaceFacts { id: owner.id, kind: owner.kind };
        let id = RepoId::random(&Counter);
        let (name, grants) = (name.parse().unwrap(), [].into());
        let acl = RepoAcl { id, name, namespace, visibility, state, grants };
        self.acls.insert(acl.name.to_string(), acl);
    }

    fn grant(&mut self, repo: &str, to: Grantee, role: Role) {
        let acl = self.acls.get_mut(repo).unwrap();
        let mut grants: Vec<_> = acl.grants.iter().copied().filter(|g| g.to != to).collect();
        grants.push(Grant { to, role });
        acl.grants = grants.into();
    }

    pub(crate) fn grant_user(&mut self, repo: &str, user: &str, role: Role) {
        self.grant(repo, Grantee::Principal(self.principals[user].id), role);
    }

    pub(crate) fn grant_team(&mut self, repo: &str, team: &str, role: Role) {
        let org = repo.split('/').next().unwrap();
        self.grant(repo, Grantee::Team(self.teams[&format!("{org}/{team}")].id), role);
    }

    pub(crate) fn acl(&self, repo: &str) -> &RepoAcl {
        &self.acls[repo]
    }

    pub(crate) fn ask<T>(
        &self,
        who: &str,
        repo: &str,
        f: impl FnOnce(&Asker<'_>, &RepoAcl) -> T,
    ) -> T {
        self.ask_as(&Who { name: who.into(), caps: Caps::DIRECT }, repo, f)
    }

    /// Gathers the facts as the service does: the live teams of the namespace that he is in.
    pub(crate) fn ask_as<T>(
        &self,
        who: &Who,
        repo: &str,
        f: impl FnOnce(&Asker<'_>, &RepoAcl) -> T,
    ) -> T {
        let principal = &self.principals[&who.name];
        let acl = &self.acls[repo];
        let teams: Vec<_> = principal
            .teams
            .iter()
            .filter(|t| t.org == acl.namespace.id)
            .filter_map(|t| self.teams.values().find(|team| team.id == t.team).cloned())
            .collect();
        let standing = self.standings.get(&who.name).copied().unwrap_or_default();
        let asker = Asker { principal: Some(principal), teams: &teams, standing, caps: who.caps };
        f(&asker, acl)
    }

    /// Each principal with each of a few credentials.
    pub(crate) fn askers(&self) -> Vec<Who> {
        let caps = [
            Caps::DIRECT,
            Caps::REGISTRY,
            Caps::NONE,
            Scopes::quay([QuayScope::RepoRead]).caps(),
            Scopes::quay([QuayScope::RepoWrite, QuayScope::OrgAdmin]).caps(),
            Scopes::quay([QuayScope::SuperUser]).caps(),
        ];
        let names = self.principals.keys();
        names.flat_map(|name| caps.map(|caps| Who { name: name.clone(), caps })).collect()
    }

    pub(crate) fn repos(&self) -> Vec<String> {
        self.acls.keys().cloned().collect()
    }

    pub(crate) fn from_plan(plan: &[Step]) -> Self {
        let mut world = Self::default();
        for org in ORGS {
            world.org(org);
        }
        for user in USERS {
            world.user(user);
        }
        for robot in ["acme+ci", "ann+ci"] {
            world.robot(robot);
        }
        for (org, team) in ORGS.into_iter().flat_map(|org| TEAMS.map(|team| (org, team))) {
            world.team(org, team, OrgRole::Member);
        }
        for repo in REPOS {
            world.repo(repo, Visibility::Private, RepoState::Normal);
        }
        for step in plan {
            step.apply(&mut world);
        }
        world
    }
}

const ORGS: [&str; 2] = ["acme", "beta"];
const USERS: [&str; 3] = ["ann", "bob", "eve"];
const MEMBERS: [&str; 5] = ["ann", "bob", "eve", "acme+ci", "ann+ci"];
const GRANTEES: [&str; 6] = ["ann", "bob", "eve", "acme+ci", "ann+ci", "beta"];
const TEAMS: [&str; 2] = ["devs", "owners"];
const REPOS: [&str; 4] = ["acme/app", "acme/team/app", "beta/app", "ann/own"];

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Join(usize, usize, usize),
    TeamRole(usize, usize, OrgRole),
    RemoveTeam(usize, usize),
    GrantUser(usize, usize, Role),
    GrantTeam(usize, usize, Role),
    Public(usize),
    State(usize, RepoState),
    Disable(usize),
    Superuser(usize, bool),
    GlobalReadOnly(usize),
}

impl Step {
    fn apply(&self, world: &mut World) {
        match *self {
            Self::Join(org, team, member) => {
                if world.teams.contains_key(&format!("{}/{}", ORGS[org], TEAMS[team])) {
                    world.join(ORGS[org], TEAMS[team], MEMBERS[member]);
                }
            }
            Self::TeamRole(org, team, role) => {
                if let Some(team) = world.teams.get_mut(&format!("{}/{}", ORGS[org], TEAMS[team])) {
                    *team = Arc::new(TeamFacts { role, ..TeamFacts::clone(team) });
                }
            }
            Self::RemoveTeam(org, team) => world.remove_team(ORGS[org], TEAMS[team]),
            Self::GrantUser(repo, user, role) => {
                world.grant_user(REPOS[repo], GRANTEES[user], role);
            }
            Self::GrantTeam(repo, team, role) => {
                let org = REPOS[repo].split('/').next().unwrap();
                if world.teams.contains_key(&format!("{org}/{}", TEAMS[team])) {
                    world.grant_team(REPOS[repo], TEAMS[team], role);
                }
            }
            Self::Public(repo) => {
                world.acls.get_mut(REPOS[repo]).unwrap().visibility = Visibility::Public;
            }
            Self::State(repo, state) => world.acls.get_mut(REPOS[repo]).unwrap().state = state,
            Self::Disable(who) => world.disable(MEMBERS[who]),
            Self::Superuser(who, full_access) => {
                let standing = world.standings.entry(MEMBERS[who].into()).or_default();
                standing.superuser = true;
                standing.full_access = full_access;
            }
            Self::GlobalReadOnly(who) => {
                world.standings.entry(MEMBERS[who].into()).or_default().global_readonly = true;
            }
        }
    }
}

/// A random world in at most 24 steps.
pub(crate) fn plan() -> impl Strategy<Value = Vec<Step>> {
    let role = || proptest::sample::select(Role::ALL);
    let step = prop_oneof![
        4 => (0..2usize, 0..2usize, 0..5usize).prop_map(|(o, t, m)| Step::Join(o, t, m)),
        2 => (0..2usize, 0..2usize, proptest::sample::select(OrgRole::ALL))
            .prop_map(|(o, t, r)| Step::TeamRole(o, t, r)),
        1 => (0..2usize, 0..2usize).prop_map(|(o, t)| Step::RemoveTeam(o, t)),
        4 => (0..4usize, 0..6usize, role()).prop_map(|(r, u, role)| Step::GrantUser(r, u, role)),
        3 => (0..4usize, 0..2usize, role()).prop_map(|(r, t, role)| Step::GrantTeam(r, t, role)),
        1 => (0..4usize).prop_map(Step::Public),
        1 => (0..4usize, proptest::sample::select(RepoState::ALL))
            .prop_map(|(r, s)| Step::State(r, s)),
        1 => (0..5usize).prop_map(Step::Disable),
        1 => (0..5usize, any::<bool>()).prop_map(|(w, f)| Step::Superuser(w, f)),
        1 => (0..5usize).prop_map(Step::GlobalReadOnly),
    ];
    proptest::collection::vec(step, 0..24)
}
