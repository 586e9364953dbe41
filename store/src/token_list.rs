//! Every token of every kind, as those see it who may: in one list, with its secrets' uses, its
//! scopes and its labels. What has ended is there too, until it is swept out.
//!
//! Who may see which is the service's to say; here it is one of a few conditions ([`Sight`]).

use std::collections::HashMap;

use claviger_domain::{
    TokenKind, UnixMillis,
    account::Label,
    collection::Asked,
    id::{AccountId, ApplicationId, PrincipalId, TokenId},
    scope::{Scope as TokenScope, Scopes},
    token::TokenState,
};

use crate::{
    collection::{self, Column, Page, Scope, Source},
    db::{Composed, Param, Query, Row, Stmt, StoreError, Tx, statements},
    endings::Ending,
    token_uses::{self, TokenUse, last_used_address, last_used_at},
    tokens,
};

/// A token, without what it is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: TokenId,
    /// What it is.
    pub kind: TokenKind,
    /// What it is called.
    pub name: String,
    /// The account it acts in.
    pub account: AccountId,
    /// Whom it acts for; he may be gone.
    pub principal: PrincipalId,
    /// His name when it was made.
    pub principal_name: String,
    /// The OAuth application it was given to.
    pub application: Option<ApplicationId>,
    /// The token it ends with.
    pub parent: Option<TokenId>,
    /// The token it was made with.
    pub minted_by: Option<TokenId>,
    /// The name of who made it.
    pub created_by: String,
    /// His id; `None`: the program.
    pub created_by_id: Option<PrincipalId>,
    /// The registry service of a refresh token.
    pub service: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends; `None` is never.
    pub expires_at: Option<UnixMillis>,
    /// When it was ended.
    pub revoked_at: Option<UnixMillis>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// Why.
    pub revoke_reason: Option<String>,
    /// When it was last used, as far as that is written.
    pub last_used_at: Option<UnixMillis>,
    /// From where.
    pub last_used_address: Option<String>,
    /// When it was last changed.
    pub modified_at: Option<UnixMillis>,
    /// What it may do at most.
    pub scopes: Scopes,
    /// Its labels.
    pub labels: Vec<Label>,
    /// What opens it, the newest first.
    pub secrets: Vec<Secret>,
}

/// One of the secrets of a token: when it was made and used, and nothing of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Under which it is found; never shown.
    pub lookup: [u8; 32],
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends before its token does.
    pub valid_until: Option<UnixMillis>,
    /// When it was last used, as far as that is written.
    pub last_used_at: Option<UnixMillis>,
    /// From where.
    pub last_used_address: Option<String>,
}

impl Listed {
    /// Where it stands in its life at `now`.
    pub fn state(&self, now: UnixMillis) -> TokenState {
        if self.revoked_at.is_some() {
            TokenState::Revoked
        } else if self.expires_at.is_some_and(|end| now >= end) {
            TokenState::Expired
        } else {
            TokenState::Live
        }
    }

    /// Says of the token and its secrets when they were last used; the last use comes first.
    fn add_uses(&mut self, uses: Vec<TokenUse>) {
        if let Some(last) = uses.first() {
            self.last_used_at = Some(last.at);
            self.last_used_address.clone_from(&last.address);
        }
        let mut through: HashMap<_, _> =
            uses.into_iter().map(|used| (used.lookup, (used.at, used.address))).collect();
        for secret in &mut self.secrets {
            if let Some((at, address)) = through.remove(secret.lookup.as_slice()) {
                secret.last_used_at = Some(at);
                secret.last_used_address = address;
            }
        }
    }
}

/// Which tokens somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All.
    All,
    /// His own, and those of his robots.
    Own(PrincipalId),
    /// Those besides of the robots of organisations that he administers.
    Homes(PrincipalId),
    /// Those besides of the people of his account.
    Account(PrincipalId, AccountId),
}

macro_rules! own {
    () => {
        "t.principal_id = $2 OR t.principal_id IN (
            SELECT r.id FROM principal r WHERE r.kind = 'robot' AND r.owner_id = $2)"
    };
}
macro_rules! homes {
    () => {
        "t.principal_id = $2 OR t.principal_id IN (
            SELECT r.id FROM principal r WHERE r.kind = 'robot' AND (r.owner_id = $2
                OR r.owner_id IN (
                    SELECT g.org_id FROM team_member m JOIN team g ON g.id = m.team_id
                    WHERE m.principal_id = $2 AND g.role = 'admin')))"
    };
}

impl Sight {
    const fn condition(&self) -> &'static str {
        match self {
            Self::All => "1 = 1",
            Self::Own(_) => own!(),
            Self::Homes(_) => homes!(),
            Self::Account(..) => concat!(
                homes!(),
                " OR (t.account_id = $3 AND NOT EXISTS (
                    SELECT 1 FROM principal r WHERE r.id = t.principal_id AND r.kind = 'robot'))"
            ),
        }
    }

    fn values(&self, now: UnixMillis) -> Vec<Param<'_>> {
        match self {
            Self::All => vec![now.into()],
            Self::Own(user) | Self::Homes(user) => vec![now.into(), user.into()],
            Self::Account(user, account) => vec![now.into(), user.into(), account.into()],
        }
    }
}

macro_rules! columns {
    () => {
        "t.id, t.kind, t.name, t.account_id, t.principal_id, t.principal_name, t.application_id,
            t.parent_id, t.minted_by, t.created_by, t.created_by_id, t.service, t.created_at,
            t.expires_at, t.revoked_at, t.revoked_by, t.revoke_reason, t.modified_at"
    };
}

macro_rules! state {
    () => {
        "CASE WHEN t.revoked_at IS NOT NULL THEN 'revoked'
            WHEN t.expires_at <= clock.at THEN 'expired' ELSE 'live' END"
    };
}

const LABELS: &str = "SELECT 1 FROM label l WHERE l.object_id = t.id";
const SCOPES: &str = "SELECT 1 FROM token_scope s WHERE s.token_id = t.id";

static SOURCE: Source = Source {
    from: "token t CROSS JOIN (SELECT CAST($1 AS BIGINT) AS at) clock",
    columns: columns!(),
    id: "t.id",
    created: "t.created_at",
    fields: &[
        ("id", Column::whole("t.id")),
        ("kind", Column::whole("t.kind")),
        ("name", Column::whole("t.name")),
        ("state", Column::whole(state!()).postgres(concat!("(", state!(), ") COLLATE \"C\""))),
        ("account", Column::whole("t.account_id")),
        ("principal_id", Column::whole("t.principal_id")),
        ("principal_name", Column::whole("t.principal_name")),
        ("application", Column::nullable("t.application_id")),
        ("parent", Column::nullable("t.parent_id")),
        ("minted_by", Column::nullable("t.minted_by")),
        ("created_by", Column::whole("t.created_by")),
        ("created_by_id", Column::nullable("t.created_by_id")),
        ("service", Column::nullable("t.service")),
        ("created_at", Column::whole("t.created_at")),
        ("expires_at", Column::nullable("t.expires_at")),
        ("revoked_at", Column::nullable("t.revoked_at")),
        ("revoked_by", Column::nullable("t.revoked_by")),
        ("revoke_reason", Column::nullable("t.revoke_reason")),
        ("last_used_at", Column::nullable(last_used_at!())),
        ("last_used_address", Column::nullable(last_used_address!())),
        ("idle_since", Column::whole(concat!("COALESCE(", last_used_at!(), ", t.created_at)"))),
        ("modified_at", Column::whole("COALESCE(t.modified_at, t.created_at)")),
        (
            "scope",
            Column::any(SCOPES, "s.dialect || ':' || s.word")
                .postgres("(s.dialect || ':' || s.word) COLLATE \"C\""),
        ),
        ("label_name", Column::any(LABELS, "l.name")),
        ("label_value", Column::any(LABELS, "l.value")),
    ],
};

statements! {
    FIND = Stmt::same(concat!("SELECT ", columns!(), " FROM token t WHERE t.id = $1"));
    // what stands for a token and what was made with it, and so on; itself first
    DESCENT = Stmt::same(
        "WITH RECURSIVE descent (id) AS (
            SELECT id FROM token WHERE id = $1
            UNION SELECT t.id FROM token t
                JOIN descent d ON t.parent_id = d.id OR t.minted_by = d.id)
         SELECT t.id FROM token t JOIN descent d ON d.id = t.id
         WHERE t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2)
         ORDER BY CASE WHEN t.id = $1 THEN 0 ELSE 1 END, t.created_at, t.id"
    );
    REVOKE_ONE = Stmt::same(
        "UPDATE token SET revoked_at = $2, revoked_by = $3, revoke_reason = $4
         WHERE id = $1 AND revoked_at IS NULL RETURNING id"
    );
    SET_NAME = Stmt::same(
        "UPDATE token SET name = $2, modified_at = $3, modified_by_id = $4 WHERE id = $1"
    );
    SET_MODIFIED = Stmt::same(
        "UPDATE token SET modified_at = $2, modified_by_id = $3 WHERE id = $1"
    );
    SET_END = Stmt::same("UPDATE token SET expires_at = $2 WHERE id = $1 RETURNING id");
    SHORTEN_CHILDREN = Stmt::same(
        "WITH RECURSIVE ends (id) AS (
            SELECT id FROM token WHERE parent_id = $1
            UNION SELECT t.id FROM token t JOIN ends e ON t.parent_id = e.id)
         UPDATE token SET expires_at = $2
         WHERE (expires_at IS NULL OR expires_at > $2) AND id IN (SELECT id FROM ends)
         RETURNING id"
    );
}

fn from_row(row: &Row) -> Result<Listed, StoreError> {
    let text = |column| row.opt_text(column).map(|text| text.map(str::to_owned));
    Ok(Listed {
        id: row.parse(0)?,
        kind: row.parse(1)?,
        name: row.text(2)?.to_owned(),
        account: row.parse(3)?,
        principal: row.parse(4)?,
        principal_name: row.text(5)?.to_owned(),
        application: row.opt_parse(6)?,
        parent: row.opt_parse(7)?,
        minted_by: row.opt_parse(8)?,
        created_by: row.text(9)?.to_owned(),
        created_by_id: row.opt_parse(10)?,
        service: text(11)?,
        created_at: row.millis(12)?,
        expires_at: row.opt_millis(13)?,
        revoked_at: row.opt_millis(14)?,
        revoked_by: text(15)?,
        revoke_reason: text(16)?,
        last_used_at: None,
        last_used_address: None,
        modified_at: row.opt_millis(17)?,
        scopes: Scopes::default(),
        labels: Vec::new(),
        secrets: Vec::new(),
    })
}

/// The page of the tokens in sight that `asked` describes, with all that is shown of them.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn page(
    q: &mut dyn Query,
    sight: &Sight,
    now: UnixMillis,
    asked: &Asked,
) -> Result<Page<Listed>, StoreError> {
    let values = sight.values(now);
    let scope = Scope { condition: sight.condition(), values: &values };
    let mut page = collection::page(q, &SOURCE, scope, asked, from_row)?;
    complete(q, &mut page.items)?;
    Ok(page)
}

/// How the engine reads such a page, as it says itself.
///
/// # Errors
/// For trouble with the database.
pub fn explain(
    q: &mut dyn Query,
    sight: &Sight,
    now: UnixMillis,
    asked: &Asked,
) -> Result<String, StoreError> {
    let values = sight.values(now);
    let scope = Scope { condition: sight.condition(), values: &values };
    collection::explain(q, &SOURCE, scope, asked)
}

/// One token, whoever may see it.
///
/// # Errors
/// For trouble with the database.
pub fn find(q: &mut dyn Query, id: &TokenId) -> Result<Option<Listed>, StoreError> {
    let row = q.optional(&FIND, &[id.into()])?;
    let mut found: Vec<_> = row.as_ref().map(from_row).transpose()?.into_iter().collect();
    complete(q, &mut found)?;
    Ok(found.pop())
}

/// Adds scopes, labels and secrets.
fn complete(q: &mut dyn Query, tokens: &mut [Listed]) -> Result<(), StoreError> {
    if tokens.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
    let mut scopes = of_each(
        q,
        "SELECT token_id, dialect, word FROM token_scope WHERE token_id IN",
        "token_id, dialect, word",
        &ids,
        |row| Ok(TokenScope { dialect: row.parse(1)?, word: row.text(2)?.into() }),
    )?;
    let mut labels = of_each(
        q,
        "SELECT object_id, name, value FROM label WHERE object_id IN",
        "object_id, position",
        &ids,
        |row| {
            let label = Label::new(row.text(1)?, row.text(2)?);
            label.map_err(|_| StoreError::Column { column: 1 })
        },
    )?;
    let mut secrets = of_each(
        q,
        "SELECT token_id, lookup, created_at, valid_until FROM secret WHERE token_id IN",
        // of two of one moment the one that stays is the newer one
        "token_id, created_at DESC, CASE WHEN valid_until IS NULL THEN 0 ELSE 1 END",
        &ids,
        |row| {
            let lookup = row.blob(1)?.try_into();
            Ok(Secret {
                lookup: lookup.map_err(|_| StoreError::Column { column: 1 })?,
                created_at: row.millis(2)?,
                valid_until: row.opt_millis(3)?,
                last_used_at: None,
                last_used_address: None,
            })
        },
    )?;
    let mut uses =
        of_each(q, token_uses::OF_TOKENS, token_uses::IN_ORDER, &ids, TokenUse::from_row)?;
    for token in tokens {
        token.scopes = Scopes::new(scopes.remove(&token.id).unwrap_or_default());
        token.labels = labels.remove(&token.id).unwrap_or_default();
        token.secrets = secrets.remove(&token.id).unwrap_or_default();
        token.add_uses(uses.remove(&token.id).unwrap_or_default());
    }
    Ok(())
}

/// The rows that `select` finds for `ids`, by the id in their first column.
fn of_each<T>(
    q: &mut dyn Query,
    select: &'static str,
    order: &'static str,
    ids: &[TokenId],
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<HashMap<TokenId, Vec<T>>, StoreError> {
    let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
    let sql = Composed::new(format!("{select} ({}) ORDER BY {order}", places.join(", ")));
    let params: Vec<Param<'_>> = ids.iter().map(Param::from).collect();
    let mut found = HashMap::<_, Vec<T>>::new();
    for row in q.once(&sql, &params)? {
        found.entry(row.parse(0)?).or_default().push(read(&row)?);
    }
    Ok(found)
}

/// The ids of the live token `id` and of all live ones that stand for it or were made with it, and
/// so on. The token itself comes first, if it lives.
///
/// # Errors
/// For trouble with the database.
pub fn descent(
    q: &mut dyn Query,
    id: &TokenId,
    now: UnixMillis,
) -> Result<Vec<TokenId>, StoreError> {
    let rows = q.all(&DESCENT, &[id.into(), now.into()])?;
    rows.iter().map(|row| row.parse(0)).collect()
}

/// Revokes one token alone; whether it was not revoked yet.
///
/// # Errors
/// For trouble with the database.
pub fn revoke(tx: &mut Tx<'_>, id: &TokenId, ending: &Ending<'_>) -> Result<bool, StoreError> {
    let Ending { now, by, reason } = *ending;
    tokens::revoke_by(tx, &REVOKE_ONE, &[id.into(), now.into(), by.into(), reason.into()])
}

/// Who changes a token, and when.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// When.
    pub now: UnixMillis,
    /// Who.
    pub by: Option<&'a PrincipalId>,
}

/// Notes that a token was changed.
///
/// # Errors
/// For trouble with the database.
pub fn changed(tx: &mut Tx<'_>, id: &TokenId, change: Change<'_>) -> Result<(), StoreError> {
    tx.execute(&SET_MODIFIED, &[id.into(), change.now.into(), change.by.into()]).map(drop)
}

/// Gives a token another name. Nobody decides by it, so nothing is touched.
///
/// # Errors
/// For trouble with the database.
pub fn rename(
    tx: &mut Tx<'_>,
    id: &TokenId,
    name: &str,
    change: Change<'_>,
) -> Result<(), StoreError> {
    let values = [id.into(), name.into(), change.now.into(), change.by.into()];
    tx.execute(&SET_NAME, &values).map(drop)
}

/// Gives a token another end; what stands for it ends then at the latest.
///
/// # Errors
/// For trouble with the database.
pub fn set_end(tx: &mut Tx<'_>, id: &TokenId, end: UnixMillis) -> Result<(), StoreError> {
    tokens::revoke_by(tx, &SET_END, &[id.into(), end.into()])?;
    tokens::revoke_by(tx, &SHORTEN_CHILDREN, &[id.into(), end.into()]).map(drop)
}
