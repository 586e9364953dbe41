//! What the audit shows to those whose namespace or repository it is about: the acts that Quay logs
//! too, under its words.

use claviger_domain::{
    UnixMillis,
    id::{PrincipalId, RepoId},
};

use crate::{
    db::{Param, Query, Row, Stmt, StoreError, statements},
    faces::Face,
};

/// Whose log.
#[derive(Clone, Debug)]
pub enum LogOf {
    /// A namespace's, by its name.
    Namespace(String),
    /// A repository's.
    Repository(RepoId),
    /// Every namespace's.
    All,
}

/// Which rows.
#[derive(Clone, Debug)]
pub struct LogQuery {
    /// Whose log.
    pub of: LogOf,
    /// Not before this moment.
    pub from: UnixMillis,
    /// Before this moment.
    pub until: UnixMillis,
    /// Only what somebody of this name did.
    pub performer: Option<String>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its place.
    pub place: i64,
    /// When.
    pub at: UnixMillis,
    /// What was done.
    pub act: String,
    /// To what kind of thing.
    pub object_kind: String,
    /// What it is called.
    pub object_name: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// What there is now, or what there was, as JSON.
    pub detail: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// By whom, when there is still such a one.
    pub performer: Option<Face>,
    /// Whose namespace it is, when there is still such a one; only in the log of all.
    pub owner: Option<Face>,
}

/// How often something was done on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCount {
    /// What was done.
    pub act: String,
    /// The day's beginning.
    pub day: UnixMillis,
    /// How often.
    pub count: i64,
}

/// The rows of `$1`, found by the condition `$of`.
macro_rules! logged {
    ($select:literal, $of:literal, $rest:literal) => {
        Stmt::same(concat!(
            $select,
            " WHERE ",
            $of,
            " AND a.at >= $2 AND a.at < $3
                AND (CAST($4 AS TEXT) IS NULL OR a.actor_name = $4) AND a.outcome = 'success'
                AND a.act IN ('create_repo', 'delete_repo', 'change_repo_permission',
                    'delete_repo_permission', 'change_repo_visibility', 'change_repo_state',
                    'set_repo_description', 'org_create', 'org_change_name', 'org_delete',
                    'org_create_team', 'org_delete_team', 'org_set_team_role',
                    'org_set_team_description', 'org_add_team_member', 'org_remove_team_member',
                    'org_invite_team_member', 'org_delete_team_member_invite',
                    'org_team_member_invite_accepted', 'org_team_member_invite_declined', 'create_robot',
                    'delete_robot', 'regenerate_robot_token', 'create_prototype_permission',
                    'modify_prototype_permission', 'delete_prototype_permission',
                    'create_application', 'update_application', 'delete_application',
                    'reset_application_client_secret', 'create_app_specific_token',
                    'revoke_app_specific_token', 'user_create', 'user_delete', 'user_disable',
                    'user_enable', 'user_change_email', 'user_change_password') ",
            $rest
        ))
    };
}

statements! {
    OF_NAMESPACE = logged!(
        "SELECT a.seq, a.at, a.act, a.object_kind, a.object_name, a.namespace,
            COALESCE(a.after, a.before), a.address, p.id, p.kind, p.name, p.email, p.avatar_key
         FROM audit a LEFT JOIN principal p ON p.id = a.actor_id",
        "a.namespace = $1",
        "AND a.seq < $5 ORDER BY a.seq DESC LIMIT $6"
    );
    OF_REPOSITORY = logged!(
        "SELECT a.seq, a.at, a.act, a.object_kind, a.object_name, a.namespace,
            COALESCE(a.after, a.before), a.address, p.id, p.kind, p.name, p.email, p.avatar_key
         FROM audit a LEFT JOIN principal p ON p.id = a.actor_id",
        "a.object_id = $1",
        "AND a.seq < $5 ORDER BY a.seq DESC LIMIT $6"
    );
    // the sum: a span of days is found by its days
    OF_ALL = logged!(
        "SELECT a.seq, a.at, a.act, a.object_kind, a.object_name, a.namespace,
            COALESCE(a.after, a.before), a.address, p.id, p.kind, p.name, p.email, p.avatar_key,
            n.id, n.kind, n.name, n.email, n.avatar_key
         FROM audit a LEFT JOIN principal p ON p.id = a.actor_id
            LEFT JOIN principal n ON n.name = a.namespace",
        "CAST($1 AS TEXT) IS NULL",
        "AND a.seq + 0 < $5 ORDER BY a.seq DESC LIMIT $6"
    );
    COUNT_OF_NAMESPACE = logged!(
        "SELECT a.act, a.at / 86400000, COUNT(*) FROM audit a",
        "a.namespace = $1",
        "GROUP BY a.act, a.at / 86400000 ORDER BY 2, 1"
    );
    COUNT_OF_ALL = logged!(
        "SELECT a.act, a.at / 86400000, COUNT(*) FROM audit a",
        "CAST($1 AS TEXT) IS NULL",
        "GROUP BY a.act, a.at / 86400000 ORDER BY 2, 1"
    );
    COUNT_OF_REPOSITORY = logged!(
        "SELECT a.act, a.at / 86400000, COUNT(*) FROM audit a",
        "a.object_id = $1",
        "GROUP BY a.act, a.at / 86400000 ORDER BY 2, 1"
    );
}

impl LogQuery {
    fn values(&self) -> Vec<Param<'_>> {
        let of = match &self.of {
            LogOf::Namespace(name) => name.into(),
            LogOf::Repository(id) => id.into(),
            LogOf::All => None::<&str>.into(),
        };
        vec![of, self.from.into(), self.until.into(), self.performer.as_deref().into()]
    }
}

fn log_row(row: &Row, of: &LogOf) -> Result<LogRow, StoreError> {
    let text = |column| Ok::<_, StoreError>(row.opt_text(column)?.map(str::to_owned));
    let face = |first| {
        let there = row.opt_parse::<PrincipalId>(first)?.is_some();
        there.then(|| Face::from_columns(row, first)).transpose()
    };
    Ok(LogRow {
        place: row.int(0)?,
        at: row.millis(1)?,
        act: row.text(2)?.to_owned(),
        object_kind: row.text(3)?.to_owned(),
        object_name: row.text(4)?.to_owned(),
        namespace: text(5)?,
        detail: text(6)?,
        address: text(7)?,
        performer: face(8)?,
        owner: if matches!(of, LogOf::All) { face(13)? } else { None },
    })
}

/// The rows before the place `before`, newest first, at most `limit`.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn page(
    q: &mut dyn Query,
    which: &LogQuery,
    before: i64,
    limit: i64,
) -> Result<Vec<LogRow>, StoreError> {
    let mut values = which.values();
    values.extend([Param::from(before), Param::from(limit)]);
    let stmt = match which.of {
        LogOf::Namespace(_) => &OF_NAMESPACE,
        LogOf::Repository(_) => &OF_REPOSITORY,
        LogOf::All => &OF_ALL,
    };
    q.all(stmt, &values)?.iter().map(|row| log_row(row, &which.of)).collect()
}

/// How often each act was done, day by day.
///
/// # Errors
/// For trouble with the database.
pub fn counts(q: &mut dyn Query, which: &LogQuery) -> Result<Vec<LogCount>, StoreError> {
    let stmt = match which.of {
        LogOf::Namespace(_) => &COUNT_OF_NAMESPACE,
        LogOf::Repository(_) => &COUNT_OF_REPOSITORY,
        LogOf::All => &COUNT_OF_ALL,
    };
    let count = |row: &Row| {
        let day = UnixMillis(row.int(1)? * 86_400_000);
        Ok(LogCount { act: row.text(0)?.to_owned(), day, count: row.int(2)? })
    };
    q.all(stmt, &which.values())?.iter().map(count).collect()
}
