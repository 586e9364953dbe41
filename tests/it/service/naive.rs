//! The decision once more, from the rows of the store as they are: sets of words and loops, no
//! facts, no early answers. For callers who come with a password, in a house without superusers.

use std::collections::BTreeSet;

use claviger_domain::Error;
use claviger_store::{Query, Stmt, StoreError};

const PRINCIPALS: Stmt =
    Stmt::same("SELECT id, name, kind, COALESCE(disabled_at, -1) FROM principal");
const TEAMS: Stmt = Stmt::same("SELECT id, org_id, role FROM team");
const MEMBERS: Stmt = Stmt::same("SELECT team_id, principal_id FROM team_member");
const REPOSITORIES: Stmt =
    Stmt::same("SELECT id, namespace_id, name, visibility, state FROM repository");
const PERMISSIONS: Stmt = Stmt::same(
    "SELECT repo_id, COALESCE(principal_id, ''), COALESCE(team_id, ''), role FROM permission",
);

type Texts = Vec<Vec<String>>;

/// Everything that a decision can depend on, at one moment.
pub(super) struct Rows {
    principals: Texts,
    disabled: BTreeSet<String>,
    teams: Texts,
    members: Texts,
    repositories: Texts,
    permissions: Texts,
}

fn texts(q: &mut dyn Query, stmt: &Stmt, columns: usize) -> Result<Texts, StoreError> {
    let rows = q.all(stmt, &[])?;
    rows.iter()
        .map(|row| (0..columns).map(|column| Ok(row.text(column)?.to_owned())).collect())
        .collect()
}

impl Rows {
    pub(super) fn read(q: &mut dyn Query) -> Result<Self, Error> {
        let rows = q.all(&PRINCIPALS, &[])?;
        let disabled = rows.iter().filter(|row| row.int(3).unwrap() >= 0);
        Ok(Self {
            disabled: disabled.map(|row| row.text(0).unwrap().to_owned()).collect(),
            principals: texts(q, &PRINCIPALS, 3)?,
            teams: texts(q, &TEAMS, 3)?,
            members: texts(q, &MEMBERS, 2)?,
            repositories: texts(q, &REPOSITORIES, 5)?,
            permissions: texts(q, &PERMISSIONS, 4)?,
        })
    }

    /// What `who` may do with the repository; `None` when there is none.
    pub(super) fn may(&self, who: &str, repo: &str) -> Option<BTreeSet<&'static str>> {
        let me = &self.principals.iter().find(|row| row[1] == who).expect("somebody")[0];
        let repo = self.repositories.iter().find(|row| row[2] == repo)?;
        let mut all = BTreeSet::new();
        for permission in &self.permissions {
            let mine = permission[1] == *me || self.is_member(&permission[2], me);
            if permission[0] == repo[0] && mine {
                all.extend(actions(&permission[3]));
            }
        }
        for team in &self.teams {
            if team[1] == repo[1] && team[2] == "admin" && self.is_member(&team[0], me) {
                all.extend(actions("admin"));
            }
        }
        if repo[1] == *me {
            all.extend(actions("admin"));
        }
        if repo[3] == "public" {
            all.extend(actions("read"));
        }
        if repo[4] != "NORMAL" {
            all.remove("push");
            all.remove("delete");
        }
        if self.disabled.contains(me) || self.disabled.contains(&repo[1]) {
            all.clear();
        }
        Some(all)
    }

    fn is_member(&self, team: &str, who: &str) -> bool {
        self.members.iter().any(|row| row[0] == team && row[1] == who)
    }
}

fn actions(role: &str) -> BTreeSet<&'static str> {
    match role {
        "read" => BTreeSet::from(["pull"]),
        "write" => BTreeSet::from(["pull", "push"]),
        "admin" => BTreeSet::from(["pull", "push", "delete", "administer"]),
        other => panic!("the role {other}"),
    }
}
