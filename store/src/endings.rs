//! Ends and renames of namespaces: all that goes with a user, a robot or an organisation.
//! `docs/revocation.md` says it as a table.
//!
//! Rows that refer to the principal go with its own row. Tokens stay as tombstones, revoked; names
//! that a registry may still hold content under leave tombstones too (`names`).

use claviger_domain::{UnixMillis, id::PrincipalId, principal::PrincipalKind};

use crate::{
    db::{Query, Stmt, StoreError, Touched, Tx, statements},
    labels,
    names::{self, NameOf},
    principals::Principal,
    role_bindings, tokens,
};

/// Why something ends, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// When.
    pub now: UnixMillis,
    /// The name of who ended it.
    pub by: &'a str,
    /// Why, such as `user deleted`; the tombstones of tokens keep it.
    pub reason: &'a str,
}

statements! {
    // with tokens end those that stand for them
    REVOKE_NAMESPACE = Stmt::same(
        "WITH RECURSIVE ends (id) AS (
            SELECT id FROM token WHERE principal_id = $1
            UNION SELECT t.id FROM token t JOIN principal p ON p.id = t.principal_id
                WHERE p.owner_id = $1
            UNION SELECT t.id FROM token t JOIN application a ON a.id = t.application_id
                WHERE a.org_id = $1
            UNION SELECT t.id FROM token t JOIN ends e ON t.parent_id = e.id)
         UPDATE token SET revoked_at = $2, revoked_by = $3, revoke_reason = $4
         WHERE revoked_at IS NULL AND id IN (SELECT id FROM ends) RETURNING id"
    );
    ROBOTS = Stmt::same("SELECT id, name FROM principal WHERE owner_id = $1");
    TEAMS = Stmt::same("SELECT id FROM team WHERE org_id = $1");
    REPOSITORIES = Stmt::same("SELECT id, name FROM repository WHERE namespace_id = $1");
    GRANTED = Stmt::same(
        "SELECT DISTINCT r.name FROM permission g
            JOIN repository r ON r.id = g.repo_id JOIN principal p ON p.id = g.principal_id
         WHERE p.id = $1 OR p.owner_id = $1"
    );
    DELETE = Stmt::same("DELETE FROM principal WHERE id = $1");
    RENAME = Stmt::same("UPDATE principal SET name = $2 WHERE id = $1");
    RENAME_REPOSITORY = Stmt::same("UPDATE repository SET name = $2 WHERE id = $1");
}

/// Deletes a user, robot or organisation with all that is its own: tokens (also of its robots, and
/// those given to its applications), robots, teams, applications, repositories, permissions,
/// memberships, sessions. Only `former_owner` and superusers may take the names again.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn delete(
    tx: &mut Tx<'_>,
    principal: &Principal,
    former_owner: Option<&PrincipalId>,
    ending: &Ending<'_>,
) -> Result<(), StoreError> {
    let id = &principal.id;
    let Ending { now, by, reason } = *ending;
    let values = [id.into(), now.into(), by.into(), reason.into()];
    tokens::revoke_by(tx, &REVOKE_NAMESPACE, &values)?;
    for row in tx.all(&GRANTED, &[id.into()])? {
        tx.touch(Touched::Repo(row.text(0)?.to_owned()));
    }
    for row in tx.all(&REPOSITORIES, &[id.into()])? {
        let name = row.text(1)?;
        names::bury(tx, name, NameOf::Repository, former_owner, now)?;
        tx.touch(Touched::Repo(name.to_owned()));
    }
    for row in tx.all(&TEAMS, &[id.into()])? {
        tx.touch(Touched::Team(row.parse(0)?));
    }
    for row in tx.all(&ROBOTS, &[id.into()])? {
        tx.touch(Touched::Principal(row.parse(0)?));
    }
    if principal.kind != PrincipalKind::Robot {
        names::bury(tx, &principal.name, NameOf::Namespace, former_owner, now)?;
        names::hand_on(tx, id, former_owner)?;
    }
    labels::remove(tx, &id.text())?;
    labels::remove(tx, &labels::of_credential(&id.text()))?;
    role_bindings::remove_labels(tx, id)?;
    tx.touch(Touched::Principal(*id));
    tx.execute(&DELETE, &[id.into()]).map(drop)
}

/// Gives a namespace another name, which must be free, and with it its robots and repositories. The
/// old names are for superusers alone from now on.
///
/// # Errors
/// For trouble with the database.
pub fn rename(
    tx: &mut Tx<'_>,
    id: &PrincipalId,
    from: &str,
    to: &str,
    now: UnixMillis,
) -> Result<(), StoreError> {
    for row in tx.all(&ROBOTS, &[id.into()])? {
        let (robot, name): (PrincipalId, _) = (row.parse(0)?, row.text(1)?);
        let name = renamed(name, from, to);
        tx.execute(&RENAME, &[(&robot).into(), (&name).into()])?;
        tx.touch(Touched::Principal(robot));
    }
    for row in tx.all(&REPOSITORIES, &[id.into()])? {
        let old = row.text(1)?;
        let name = renamed(old, from, to);
        tx.execute(&RENAME_REPOSITORY, &[row.text(0)?.into(), (&name).into()])?;
        names::free(tx, &name)?;
        names::bury(tx, old, NameOf::Repository, None, now)?;
        tx.touch(Touched::Repo(old.to_owned()));
        tx.touch(Touched::Repo(name));
    }
    names::free(tx, to)?;
    names::bury(tx, from, NameOf::Namespace, None, now)?;
    tx.execute(&RENAME, &[id.into(), to.into()])?;
    tx.touch(Touched::Principal(*id));
    Ok(())
}

/// `name`, which begins with `from`, beginning with `to`.
fn renamed(name: &str, from: &str, to: &str) -> String {
    format!("{to}{}", name.strip_prefix(from).unwrap_or_default())
}
