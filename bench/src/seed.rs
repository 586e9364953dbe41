//! Writes a data set into a store: the schema and the installation as the program makes them, then
//! all rows at once, in one transaction that is not synced, with the indexes made afterwards.
//!
//! A set is kept under a name that tells its size, its schema and [`GENERATION`].

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use claviger_domain::TokenKind;
use ring::digest::{SHA256, digest};
use rusqlite::{Connection, Statement, Transaction, params};

use crate::{
    Outcome, inside,
    world::{Drawn, Owner, Size, World, database},
};

/// Counts up when other rows are written for the same size.
const GENERATION: u32 = 1;
/// Written last, so that a set that is half there is not taken for one.
const COMPLETE: &str = "complete";

/// The folder of the data set; made when it is not there.
pub(crate) fn data_set(folder: &Path, size: Size) -> Outcome<PathBuf> {
    let making = folder.join("making");
    remove(&making)?;
    make_store(&making)?;
    let prefix = format!("users-{}-", size.users);
    let set = folder.join(format!("{prefix}{}-{GENERATION}", schema(&making)?));
    if set.join(COMPLETE).exists() {
        remove(&making)?;
        return Ok(set);
    }
    for entry in fs::read_dir(folder)? {
        // of another schema, or half there
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            remove(&entry.path())?;
        }
    }
    let started = Instant::now();
    eprintln!("making the data set {}", set.display());
    fill(&making, size)?;
    fs::write(making.join(COMPLETE), "")?;
    fs::rename(&making, &set)?;
    eprintln!("made in {:.0} s", started.elapsed().as_secs_f64());
    Ok(set)
}

pub(crate) fn remove(folder: &Path) -> Outcome<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// An empty store, as the first start of the program leaves it.
fn make_store(folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let app = runtime.block_on(inside::open(folder, claviger_service::Settings::default()))?;
    app.close();
    Ok(())
}

/// Some digits that tell one schema from another.
fn schema(folder: &Path) -> Outcome<String> {
    let store = Connection::open(database(folder))?;
    let mut all =
        store.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1")?;
    let all = all.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let hash = digest(&SHA256, all.concat().as_bytes());
    let start = hash.as_ref().first_chunk().copied().unwrap_or_default();
    Ok(format!("{:08x}", u32::from_be_bytes(start)))
}

fn fill(folder: &Path, size: Size) -> Outcome<()> {
    let world = World::open(folder, size)?;
    let mut store = Connection::open(database(folder))?;
    store.execute_batch(
        "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;
         PRAGMA cache_size = -2097152; PRAGMA temp_store = MEMORY;",
    )?;
    let indexes: Vec<(String, String)> = {
        let text = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
        let mut indexes = store.prepare(text)?;
        let rows = indexes.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    let tx = store.transaction()?;
    for (name, _) in &indexes {
        tx.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    principals(&tx, &world)?;
    teams(&tx, &world)?;
    repositories(&tx, &world)?;
    tokens(&tx, &world)?;
    for (_, sql) in &indexes {
        tx.execute_batch(sql)?;
    }
    tx.commit()?;
    if store.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err("the data set has references to nothing".into());
    }
    store.execute_batch("PRAGMA journal_mode = WAL;")?;
    store.close().map_err(|(_, error)| error)?;
    fs::File::open(database(folder))?.sync_all()?;
    Ok(())
}

fn principals(tx: &Transaction<'_>, world: &World) -> Outcome<()> {
    let mut insert = tx.prepare(
        "INSERT INTO principal (id, account_id, kind, name, email, email_key, verified_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?6)",
    )?;
    let account = world.account.text();
    let account = account.as_str();
    for user in 0..world.size.users {
        let (id, name) = (World::user_id(user), World::user_name(user));
        let email = format!("{name}@example.com");
        insert.execute(params![
            id.text().as_str(),
            account,
            "user",
            name,
            email,
            inside::START.0
        ])?;
    }
    for organisation in 0..world.size.organisations() {
        let (id, name) =
            (World::organisation_id(organisation), World::organisation_name(organisation));
        let none: Option<&str> = None;
        insert.execute(params![
            id.text().as_str(),
            account,
            "organization",
            name,
            none,
            inside::START.0
        ])?;
    }
    Ok(())
}

fn teams(tx: &Transaction<'_>, world: &World) -> Outcome<()> {
    let mut insert = tx.prepare(
        "INSERT INTO team (id, org_id, name, role, created_at) VALUES (?1, ?2, ?3, 'member', ?4)",
    )?;
    for team in 0..world.size.teams() {
        let (id, org) = (World::team_id(team), World::organisation_id(team / Size::TEAMS_EACH));
        let name = format!("team-{:02}", team % Size::TEAMS_EACH);
        insert.execute(params![id.text().as_str(), org.text().as_str(), name, inside::START.0])?;
    }
    let mut insert = tx.prepare(
        "INSERT INTO team_member (team_id, principal_id, created_at) VALUES (?1, ?2, ?3)",
    )?;
    for user in 0..world.size.users {
        let member = World::user_id(user);
        for team in world.teams_of(user) {
            let team = World::team_id(team);
            insert.execute(params![
                team.text().as_str(),
                member.text().as_str(),
                inside::START.0
            ])?;
        }
    }
    Ok(())
}

fn repositories(tx: &Transaction<'_>, world: &World) -> Outcome<()> {
    let mut insert = tx.prepare(
        "INSERT INTO repository (id, namespace_id, name, visibility, state, created_at)
         VALUES (?1, ?2, ?3, 'private', 'NORMAL', ?4)",
    )?;
    let mut permit = tx.prepare(
        "INSERT INTO permission (repo_id, principal_id, team_id, role, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let role = |number: u64| match Drawn::new("role", number).below(3) {
        0 => "read",
        1 => "write",
        _ => "admin",
    };
    for repository in 0..world.size.repositories() {
        let namespace = match world.owner(repository) {
            Owner::User(user) => World::user_id(user),
            Owner::Organisation(organisation) => World::organisation_id(organisation),
        };
        let (id, name) = (World::repository_id(repository), world.repository_name(repository));
        insert.execute(params![
            id.text().as_str(),
            namespace.text().as_str(),
            name,
            inside::START.0
        ])?;
        let mut grant = |principal: Option<&str>, team: Option<&str>, number: u64| {
            permit.execute(params![
                id.text().as_str(),
                principal,
                team,
                role(number),
                inside::START.0
            ])
        };
        for team in world.teams_on(repository) {
            grant(None, Some(&World::team_id(team).text()), repository + team)?;
        }
        for user in world.users_on(repository) {
            grant(Some(&World::user_id(user).text()), None, repository + user)?;
        }
    }
    Ok(())
}

/// The statements that a token is written with.
struct TokenRows<'tx> {
    token: Statement<'tx>,
    scope: Statement<'tx>,
    secret: Statement<'tx>,
}

fn tokens(tx: &Transaction<'_>, world: &World) -> Outcome<()> {
    let mut rows = TokenRows {
        token: tx.prepare(
            "INSERT INTO token (id, kind, account_id, principal_id, principal_name, name, created_by,
                created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?7)",
        )?,
        scope: tx.prepare("INSERT INTO token_scope (token_id, dialect, word) VALUES (?1, ?2, ?3)")?,
        secret: tx.prepare(
            "INSERT INTO secret (lookup, token_id, form, selector, key_generation, prefix, format,
                created_at)
             VALUES (?1, ?2, 'derived', ?3, ?4, ?5, ?6, ?7)",
        )?,
    };
    for user in 0..world.size.users {
        let (principal, name) = (World::user_id(user), World::user_name(user));
        for place in 0..Size::TOKENS_EACH {
            token(&mut rows, world, user * Size::TOKENS_EACH + place, &principal.text(), &name)?;
        }
    }
    Ok(())
}

fn token(
    rows: &mut TokenRows<'_>,
    world: &World,
    number: u64,
    principal: &str,
    name: &str,
) -> Outcome<()> {
    let (id, _, minted) = world.token(number);
    let id = id.text();
    let (id, at, kind) = (id.as_str(), inside::START.0, World::token_kind(number));
    let title = format!("laptop {}", number % Size::TOKENS_EACH);
    let account = world.account.text();
    let account = account.as_str();
    rows.token.execute(params![id, kind.as_str(), account, principal, name, title, at])?;
    let (door, scope) = match kind {
        TokenKind::Oauth => ("quay", "user:admin"),
        _ => ("native", "registry"),
    };
    rows.scope.execute(params![id, door, scope])?;
    let selector = minted.selector.as_ref().map(claviger_domain::secret::Selector::as_bytes);
    let selector = selector.map(<[u8; 16]>::as_slice);
    let (generation, prefix) = (minted.generation, minted.prefix.as_str());
    rows.secret.execute(params![
        minted.lookup.as_slice(),
        id,
        selector,
        generation,
        prefix,
        minted.format,
        at
    ])?;
    Ok(())
}
