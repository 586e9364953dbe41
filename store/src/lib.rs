//! The cellar of Claviger: SQL, migrations and the change feed. One file a noun; `db` is the seam
//! that knows the two engines, `pool` the threads that own the connections.

pub mod account_users;
pub mod accounts;
pub mod api_tokens;
pub mod app_tokens;
pub mod applications;
pub mod audit;
pub mod authorizations;
pub mod candidates;
pub mod collection;
pub mod db;
pub mod deciders;
pub mod endings;
pub mod faces;
pub mod feed;
pub mod grants;
pub mod installation;
pub mod invitations;
pub mod key_generations;
pub mod labels;
pub mod lifetimes;
pub mod logs;
pub mod migrate;
pub mod names;
pub mod oauth_tokens;
pub mod organisations;
pub mod permissions;
pub mod pool;
mod postgres;
pub mod principals;
pub mod prototypes;
mod queue;
pub mod repositories;
pub mod robots;
pub mod role_bindings;
pub mod sessions;
pub mod signing_keys;
mod sqlite;
pub mod stars;
pub mod teams;
pub mod token_list;
pub mod token_uses;
pub mod tokens;
mod told;
pub mod users;

pub use db::{Composed, Engine, Param, Query, Row, Stmt, StoreError, Touched, Tx};
pub use pool::{Db, Memory, Target};
pub use postgres::PostgresAddress;

/// Checks that the engine understands every statement of the store; the names of those that it
/// does not, with the reason.
///
/// # Errors
/// When the database cannot be reached.
pub fn misunderstood(target: &Target) -> Result<Vec<String>, StoreError> {
    let files = [
        ("account_users", account_users::ALL),
        ("accounts", accounts::ALL),
        ("api_tokens", api_tokens::ALL),
        ("app_tokens", app_tokens::ALL),
        ("authorizations", authorizations::ALL),
        ("applications", applications::ALL),
        ("audit", audit::ALL),
        ("candidates", candidates::ALL),
        ("deciders", deciders::ALL),
        ("endings", endings::ALL),
        ("faces", faces::ALL),
        ("feed", feed::ALL),
        ("grants", grants::ALL),
        ("installation", installation::ALL),
        ("invitations", invitations::ALL),
        ("key_generations", key_generations::ALL),
        ("labels", labels::ALL),
        ("lifetimes", lifetimes::ALL),
        ("logs", logs::ALL),
        ("migrate", migrate::ALL),
        ("names", names::ALL),
        ("organisations", organisations::ALL),
        ("oauth_tokens", oauth_tokens::ALL),
        ("permissions", permissions::ALL),
        ("principals", principals::ALL),
        ("prototypes", prototypes::ALL),
        ("repositories", repositories::ALL),
        ("robots", robots::ALL),
        ("role_bindings", role_bindings::ALL),
        ("signing_keys", signing_keys::ALL),
        ("sessions", sessions::ALL),
        ("stars", stars::ALL),
        ("teams", teams::ALL),
        ("token_list", token_list::ALL),
        ("token_uses", token_uses::ALL),
        ("tokens", tokens::ALL),
        ("users", users::ALL),
    ];
    pool::apart(|| {
        let mut connection = target.reader()?;
        let statements = files.iter().flat_map(|(file, all)| all.iter().map(move |s| (file, s)));
        let bad = statements.filter_map(|(file, (name, stmt))| {
            let error = connection.prepare(stmt).err()?;
            Some(format!("{file}::{name}: {error:?}"))
        });
        Ok(bad.collect())
    })
}

/// Looks at a database as it is: nothing is migrated or changed.
///
/// # Errors
/// For trouble with the database, and what `f` says.
pub fn look<T: Send>(
    target: &Target,
    f: impl FnOnce(&mut dyn Query) -> Result<T, StoreError> + Send,
) -> Result<T, StoreError> {
    pool::apart(|| f(&mut target.reader()?))
}
