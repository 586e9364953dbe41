//! The audit: who did what, with which credential, through which door. A row is written in the
//! transaction of its act and chained to the one before by a hash, so that a row that was changed
//! or taken away is noticed. Nothing deletes rows but retention.

use claviger_domain::{
    TokenKind, UnixMillis,
    id::{PrincipalId, RequestId, TokenId},
};
use ring::digest::{Context, SHA256};

use crate::db::{Param, Query, Stmt, StoreError, Tx, statements};

/// Who did it, and from where.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The principal; `None` for nobody and for the program.
    pub id: Option<PrincipalId>,
    /// Its name; for the program the name of the system's user.
    pub name: String,
    /// What it came with: `session`, `password`, `program`, `none`, or a kind of token.
    pub credential: &'static str,
    /// The id of that session or token.
    pub credential_id: Option<String>,
    /// The token that the token was minted with.
    pub credential_minter: Option<String>,
    /// The door.
    pub door: &'static str,
    /// The client's address.
    pub address: Option<String>,
    /// The request.
    pub request_id: Option<RequestId>,
}

impl Actor {
    /// The program itself, run by the system's user `name`; empty for work in the background.
    pub const fn program(name: String) -> Self {
        Self {
            id: None,
            name,
            credential: "program",
            credential_id: None,
            credential_minter: None,
            door: "program",
            address: None,
            request_id: None,
        }
    }

    /// The token that it came with.
    pub fn token(&self) -> Option<TokenId> {
        self.credential.parse::<TokenKind>().ok()?;
        self.credential_id.as_ref()?.parse().ok()
    }
}

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Denied,
}

impl Outcome {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
        }
    }
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Act<'a> {
    /// The act, such as `create_app_specific_token`: Quay's word where Quay has one.
    pub act: &'static str,
    /// The kind of the object, such as `token`.
    pub object_kind: &'static str,
    /// The object's id; NULL when it has none.
    pub object_id: Param<'a>,
    /// The object's name.
    pub object_name: &'a str,
    /// The namespace in whose log it shows.
    pub namespace: Option<&'a str>,
    /// What was there before, as JSON. Never a secret.
    pub before: Option<&'a str>,
    /// What is there now, as JSON. Never a secret.
    pub after: Option<&'a str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused.
    pub reason: Option<&'a str>,
}

impl<'a> Act<'a> {
    /// A successful act on an object.
    pub const fn done(act: &'static str, object_kind: &'static str, object_name: &'a str) -> Self {
        Self {
            act,
            object_kind,
            object_id: Param::Text(None),
            object_name,
            namespace: None,
            before: None,
            after: None,
            outcome: Outcome::Success,
            reason: None,
        }
    }

    /// The same, with the object's id.
    #[must_use]
    pub fn id(self, id: impl Into<Param<'a>>) -> Self {
        Self { object_id: id.into(), ..self }
    }

    /// The same, in the log of a namespace.
    #[must_use]
    pub const fn namespace(self, namespace: &'a str) -> Self {
        Self { namespace: Some(namespace), ..self }
    }

    /// The same, with what was there before and what is there now, as JSON.
    #[must_use]
    pub const fn change(self, before: Option<&'a str>, after: Option<&'a str>) -> Self {
        Self { before, after, ..self }
    }

    /// The same act, refused.
    #[must_use]
    pub const fn denied(self, reason: &'a str) -> Self {
        Self { outcome: Outcome::Denied, reason: Some(reason), ..self }
    }
}

statements! {
    LAST = Stmt::same("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1");
    INSERT = Stmt::same(
        "INSERT INTO audit (id, at, actor_id, actor_name, credential, credential_id,
            credential_minter, door, act, object_kind, object_id, object_name, namespace, before,
            after, outcome, reason, address, request_id, previous_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21)"
    );
    NEWEST = Stmt::same("SELECT at FROM audit ORDER BY at DESC LIMIT 1");
    CHAIN = Stmt::same(
        "SELECT id, at, actor_id, actor_name, credential, credential_id, credential_minter, door,
            act, object_kind, object_id, object_name, namespace, before, after, outcome, reason,
            address, request_id, previous_hash, hash, seq
         FROM audit WHERE seq > $1 ORDER BY seq LIMIT 1000"
    );
}

/// How many columns the hash of a row covers.
const HASHED: usize = 19;

/// Writes one row.
///
/// # Errors
/// For trouble with the database.
pub fn append(
    tx: &mut Tx<'_>,
    now: UnixMillis,
    actor: &Actor,
    act: &Act<'_>,
) -> Result<(), StoreError> {
    let previous = match tx.optional(&LAST, &[])? {
        Some(row) => row.blob(0)?.to_vec(),
        None => Vec::new(),
    };
    let id = RequestId::dated(now, tx.chance());
    let values: [Param<'_>; HASHED] = [
        (&id).into(),
        now.into(),
        actor.id.as_ref().into(),
        (&actor.name).into(),
        actor.credential.into(),
        (&actor.credential_id).into(),
        (&actor.credential_minter).into(),
        actor.door.into(),
        act.act.into(),
        act.object_kind.into(),
        act.object_id,
        act.object_name.into(),
        act.namespace.into(),
        act.before.into(),
        act.after.into(),
        act.outcome.as_str().into(),
        act.reason.into(),
        (&actor.address).into(),
        actor.request_id.as_ref().into(),
    ];
    let hash = chained(&previous, &values);
    let mut params = values.to_vec();
    params.extend([Param::from(previous.as_slice()), Param::from(hash.as_slice())]);
    tx.execute(&INSERT, &params).map(drop)
}

/// SHA-256 over the hash before and every value, each with its kind and length.
fn chained(previous: &[u8], values: &[Param<'_>]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    let mut add = |kind: u8, bytes: &[u8]| {
        context.update(&[kind]);
        context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(bytes);
    };
    add(b'p', previous);
    for value in values {
        match value {
            Param::Int(Some(n)) => add(b'i', &n.to_be_bytes()),
            Param::Text(Some(text)) => add(b't', text.as_bytes()),
            Param::Id(id) => add(b't', id.as_bytes()),
            Param::Blob(Some(bytes)) => add(b'b', bytes),
            Param::Int(None) | Param::Text(None) | Param::Blob(None) => add(b'n', &[]),
        }
    }
    context.finish().as_ref().to_vec()
}

/// When the newest row was written.
///
/// # Errors
/// For trouble with the database.
pub fn newest(q: &mut dyn Query) -> Result<Option<UnixMillis>, StoreError> {
    q.optional(&NEWEST, &[])?.map(|row| row.millis(0)).transpose()
}

/// Checks the chain from its first row that is kept; the position of the first row that does not
/// follow from the one before, or `None` when all do.
///
/// # Errors
/// For trouble with the database.
pub fn first_broken(q: &mut dyn Query) -> Result<Option<i64>, StoreError> {
    let (mut after, mut previous): (i64, Option<Vec<u8>>) = (0, None);
    loop {
        let rows = q.all(&CHAIN, &[after.into()])?;
        let Some(last) = rows.last() else { return Ok(None) };
        after = last.int(HASHED + 2)?;
        for row in &rows {
            let values = (0..HASHED)
                .map(|column| match column {
                    1 => row.opt_int(column).map(Param::Int),
                    _ => row.opt_text(column).map(Param::Text),
                })
                .collect::<Result<Vec<_>, _>>()?;
            let linked = row.blob(HASHED)?;
            let hash = row.blob(HASHED + 1)?;
            if previous.as_deref().is_some_and(|previous| previous != linked)
                || chained(linked, &values) != hash
            {
                return row.int(HASHED + 2).map(Some);
            }
            previous = Some(hash.to_vec());
        }
    }
}
