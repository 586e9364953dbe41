//! Repositories: named, in a namespace, private or public.

use claviger_domain::{
    UnixMillis,
    access::{Grant, Grantee, NamespaceFacts, RepoAcl},
    id::{PrincipalId, RepoId},
    role::{RepoState, Visibility},
};

use crate::{
    db::{Query, Row, Stmt, StoreError, Touched, Tx, statements},
    faces::{Face, pattern},
};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its id.
    pub id: RepoId,
    /// The user or organisation in whose namespace it lies.
    pub namespace: PrincipalId,
    /// Its full name, `namespace/name`.
    pub name: String,
    /// Who may pull it without a permission.
    pub visibility: Visibility,
    /// Whether it takes pushes.
    pub state: RepoState,
    /// What is said of it.
    pub description: String,
    /// Who made it.
    pub created_by: Option<PrincipalId>,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// What somebody sees.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// Who looks: what his namespace, permissions and teams reach is visible to him.
    pub of: Option<PrincipalId>,
    /// Whether everything is visible to him.
    pub everything: bool,
    /// Whether public repositories are listed too.
    pub public: bool,
}

/// Which repositories a list shows: those that somebody can see, in the order in which they were
/// made.
#[derive(Clone, Debug)]
pub struct Visible {
    /// Who looks.
    pub sight: Sight,
    /// Which of them.
    pub which: Which,
    /// Whose stars are shown.
    pub stars_of: Option<PrincipalId>,
    /// Only those made after the one at this place.
    pub after: i64,
    /// How many at most.
    pub limit: i64,
}

/// A search among the repositories that somebody sees.
#[derive(Clone, Debug)]
pub struct Search {
    /// Who looks.
    pub sight: Sight,
    /// What the name contains, in lower case; the namespace is looked at where this has a slash.
    pub text: String,
    /// How many are left out.
    pub skip: i64,
    /// How many at most.
    pub limit: i64,
}

/// What somebody ($4) sees of the repositories `r`: everything ($2), what is public ($3), what is
/// his.
macro_rules! seen {
    () => {
        "(CAST($2 AS BIGINT) = 1
            OR (CAST($3 AS BIGINT) = 1 AND r.visibility = 'public')
            OR r.namespace_id = $4
            OR r.id IN (SELECT g.repo_id FROM permission g WHERE g.principal_id = $4)
            OR r.id IN (SELECT g.repo_id FROM permission g
                JOIN team_member m ON m.team_id = g.team_id WHERE m.principal_id = $4)
            OR r.namespace_id IN (SELECT t.org_id FROM team t
                JOIN team_member m ON m.team_id = t.id
                WHERE m.principal_id = $4 AND t.role = 'admin'))"
    };
}

/// The repositories behind the place `$1` that somebody sees, of those that `$which` picks.
macro_rules! visible {
    ($which:literal) => {
        Stmt::same(concat!(
            "SELECT r.seq, r.id, r.namespace_id, r.name, r.visibility, r.state, r.description,
                r.created_by, r.created_at,
                (SELECT COUNT(*) FROM star s WHERE s.repo_id = r.id AND s.principal_id = $6)
             FROM repository r
             WHERE r.seq > $1 ",
            $which,
            " AND ",
            seen!(),
            " ORDER BY r.seq LIMIT $5"
        ))
    };
}

/// Which of the repositories that somebody sees.
#[derive(Clone, Debug)]
pub enum Which {
    /// All.
    All,
    /// Those of a namespace, by its name.
    InNamespace(String),
    /// Those that [`Visible::stars_of`] starred.
    Starred,
}

/// A repository in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its place in the order of making.
    pub place: i64,
    /// The repository.
    pub repository: Repository,
    /// Whether [`Visible::stars_of`] starred it.
    pub starred: bool,
}

/// A repository that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The repository.
    pub repository: Repository,
    /// Its namespace.
    pub namespace: Face,
    /// How many users have starred it.
    pub stars: i64,
}

statements! {
    ACL = Stmt::same(
        "SELECT r.id, r.namespace_id, p.kind, r.visibility, r.state, r.name
         FROM repository r JOIN principal p ON p.id = r.namespace_id WHERE r.name = $1"
    );
    GRANTS = Stmt::same(
        "SELECT principal_id, team_id, role FROM permission WHERE repo_id = $1 ORDER BY seq"
    );
    FIND = Stmt::same(
        "SELECT seq, id, namespace_id, name, visibility, state, description, created_by, created_at
         FROM repository WHERE name = $1"
    );
    INSERT = Stmt::same(
        "INSERT INTO repository (id, namespace_id, name, visibility, state, description,
            created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    UPDATE = Stmt::same(
        "UPDATE repository SET visibility = $2, state = $3, description = $4 WHERE id = $1"
    );
    DELETE = Stmt::same("DELETE FROM repository WHERE id = $1");
    VISIBLE = visible!("");
    VISIBLE_IN_NAMESPACE =
        visible!("AND r.namespace_id = (SELECT id FROM principal WHERE name = $7)");
    // the shorter the name, the more of it was asked for
    FOUND = Stmt::same(concat!(
        "SELECT r.seq, r.id, r.namespace_id, r.name, r.visibility, r.state, r.description,
            r.created_by, r.created_at, p.id, p.kind, p.name, p.email, p.avatar_key,
            (SELECT COUNT(*) FROM star s WHERE s.repo_id = r.id)
         FROM repository r JOIN principal p ON p.id = r.namespace_id
         WHERE r.name LIKE $1 ESCAPE '\\' AND ",
        seen!(),
        " ORDER BY LENGTH(r.name), r.seq LIMIT $5 OFFSET $6"
    ));
    STARRED = visible!("AND r.id IN (SELECT s.repo_id FROM star s WHERE s.principal_id = $6)");
}

impl Repository {
    /// Reads a row that begins with its place in the order of making.
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(1)?,
            namespace: row.parse(2)?,
            name: row.text(3)?.to_owned(),
            visibility: row.parse(4)?,
            state: row.parse(5)?,
            description: row.text(6)?.to_owned(),
            created_by: row.opt_parse(7)?,
            created_at: row.millis(8)?,
        })
    }
}

/// What decisions need to know of a repository, with every permission on it in the order in which
/// they were given.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn acl(q: &mut dyn Query, name: &str) -> Result<Option<RepoAcl>, StoreError> {
    let Some(row) = q.optional(&ACL, &[name.into()])? else { return Ok(None) };
    let grants = q.all(&GRANTS, &[row.text(0)?.into()])?;
    Ok(Some(RepoAcl {
        id: row.parse(0)?,
        name: row.parse(5)?,
        namespace: NamespaceFacts { id: row.parse(1)?, kind: row.parse(2)? },
        visibility: row.parse(3)?,
        state: row.parse(4)?,
        grants: grants.iter().map(grant).collect::<Result<_, _>>()?,
    }))
}

fn grant(row: &Row) -> Result<Grant, StoreError> {
    let to = match row.opt_parse(0)? {
        Some(principal) => Grantee::Principal(principal),
        None => Grantee::Team(row.parse(1)?),
    };
    Ok(Grant { to, role: row.parse(2)? })
}

/// The repository with exactly this full name.
///
/// # Errors
/// For trouble with the database.
pub fn find(q: &mut dyn Query, name: &str) -> Result<Option<Repository>, StoreError> {
    q.optional(&FIND, &[name.into()])?.as_ref().map(Repository::from_row).transpose()
}

/// The repositories of a list.
///
/// # Errors
/// For trouble with the database.
pub fn visible(q: &mut dyn Query, to: &Visible) -> Result<Vec<Listed>, StoreError> {
    let mut values = vec![
        to.after.into(),
        i64::from(to.sight.everything).into(),
        i64::from(to.sight.public).into(),
        to.sight.of.as_ref().into(),
        to.limit.into(),
        to.stars_of.as_ref().into(),
    ];
    let stmt = match &to.which {
        Which::All => &VISIBLE,
        Which::Starred => &STARRED,
        Which::InNamespace(name) => {
            values.push(name.into());
            &VISIBLE_IN_NAMESPACE
        }
    };
    let listed = |row: &Row| {
        let repository = Repository::from_row(row)?;
        Ok(Listed { place: row.int(0)?, repository, starred: row.int(9)? > 0 })
    };
    q.all(stmt, &values)?.iter().map(listed).collect()
}

/// The repositories of a search, the shortest names first.
///
/// # Errors
/// For trouble with the database.
pub fn search(q: &mut dyn Query, search: &Search) -> Result<Vec<Found>, StoreError> {
    let inside = pattern(&search.text);
    let name =
        if search.text.contains('/') { format!("%{inside}%") } else { format!("%/%{inside}%") };
    let values = [
        (&name).into(),
        i64::from(search.sight.everything).into(),
        i64::from(search.sight.public).into(),
        search.sight.of.as_ref().into(),
        search.limit.into(),
        search.skip.into(),
    ];
    let found = |row: &Row| {
        Ok(Found {
            repository: Repository::from_row(row)?,
            namespace: Face::from_columns(row, 9)?,
            stars: row.int(14)?,
        })
    };
    q.all(&FOUND, &values)?.iter().map(found).collect()
}

/// Adds a repository. Its name must be free.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, repo: &Repository) -> Result<(), StoreError> {
    let values = [
        (&repo.id).into(),
        (&repo.namespace).into(),
        (&repo.name).into(),
        repo.visibility.as_str().into(),
        repo.state.as_str().into(),
        (&repo.description).into(),
        repo.created_by.as_ref().into(),
        repo.created_at.into(),
    ];
    tx.execute(&INSERT, &values).map(drop)
}

/// Writes a repository's visibility, state and description.
///
/// # Errors
/// For trouble with the database.
pub fn update(tx: &mut Tx<'_>, repo: &Repository) -> Result<(), StoreError> {
    let values = [
        (&repo.id).into(),
        repo.visibility.as_str().into(),
        repo.state.as_str().into(),
        (&repo.description).into(),
    ];
    tx.execute(&UPDATE, &values)?;
    tx.touch(Touched::Repo(repo.name.clone()));
    Ok(())
}

/// Removes a repository with the permissions on it. Its name is left to the caller.
///
/// # Errors
/// For trouble with the database.
pub fn delete(tx: &mut Tx<'_>, repo: &Repository) -> Result<(), StoreError> {
    tx.execute(&DELETE, &[(&repo.id).into()])?;
    tx.touch(Touched::Repo(repo.name.clone()));
    Ok(())
}
