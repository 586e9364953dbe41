//! Api tokens, as the Astra door shows them: what was revoked or has ended is not there.

use claviger_domain::{
    UnixMillis,
    collection::Asked,
    id::{PrincipalId, TokenId},
};

use crate::{
    collection::{self, Column, Page, Scope, Source},
    db::{Query, Row, Stmt, StoreError, Tx, statements},
};

/// An api token that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// What it is called.
    pub name: String,
    /// Whom it acts for.
    pub owner: PrincipalId,
    /// When it was made.
    pub created_at: UnixMillis,
    /// By whom; `None`: the program.
    pub created_by: Option<PrincipalId>,
    /// When it was changed last.
    pub modified_at: Option<UnixMillis>,
    /// By whom; `None`: nobody, or the program.
    pub modified_by: Option<PrincipalId>,
}

statements! {
    FIND = Stmt::same(
        "SELECT t.id, t.name, t.principal_id, t.created_at, t.created_by_id, t.modified_at,
            t.modified_by_id
         FROM token t
         WHERE t.id = $1 AND t.principal_id = $2 AND t.kind = 'api' AND t.revoked_at IS NULL
            AND (t.expires_at IS NULL OR t.expires_at > $3)"
    );
    CHANGE = Stmt::same(
        "UPDATE token SET name = $2, modified_at = $3, modified_by_id = $4 WHERE id = $1"
    );
}

const LABELS: &str = "SELECT 1 FROM label l WHERE l.object_id = t.id";

/// The api tokens of a user.
static SOURCE: Source = Source {
    from: "token t",
    columns: "t.id, t.name, t.principal_id, t.created_at, t.created_by_id, t.modified_at,
        t.modified_by_id",
    id: "t.id",
    created: "t.created_at",
    fields: &[
        ("id", Column::whole("t.id")),
        ("name", Column::whole("t.name")),
        ("owner", Column::same("t.principal_id")),
        ("created_at", Column::whole("t.created_at")),
        ("modified_at", Column::whole("COALESCE(t.modified_at, t.created_at)")),
        // the program has the nil UUID
        (
            "created_by",
            Column::whole("COALESCE(t.created_by_id, '00000000-0000-0000-0000-000000000000')"),
        ),
        ("modified_by", Column::nullable("t.modified_by_id")),
        ("label_name", Column::any(LABELS, "l.name")),
        ("label_value", Column::any(LABELS, "l.value")),
    ],
};

/// The words of the partial indices, so that they are used.
const LIVE: &str = "t.principal_id = $1 AND t.kind = 'api' AND t.revoked_at IS NULL
    AND (t.expires_at IS NULL OR t.expires_at > $2)";

impl ApiToken {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(0)?,
            name: row.text(1)?.to_owned(),
            owner: row.parse(2)?,
            created_at: row.millis(3)?,
            created_by: row.opt_parse(4)?,
            modified_at: row.opt_millis(5)?,
            modified_by: row.opt_parse(6)?,
        })
    }
}

/// A user's api token.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn find(
    q: &mut dyn Query,
    owner: &PrincipalId,
    id: &TokenId,
    now: UnixMillis,
) -> Result<Option<ApiToken>, StoreError> {
    let row = q.optional(&FIND, &[id.into(), owner.into(), now.into()])?;
    row.map(|row| ApiToken::from_row(&row)).transpose()
}

/// Notes that a token was changed, and what it is called now. Nobody decides by it, so nothing is
/// touched.
///
/// # Errors
/// For trouble with the database.
pub fn change(
    tx: &mut Tx<'_>,
    id: &TokenId,
    name: &str,
    at: UnixMillis,
    by: &PrincipalId,
) -> Result<(), StoreError> {
    tx.execute(&CHANGE, &[id.into(), name.into(), at.into(), by.into()]).map(drop)
}

/// The page of a user's api tokens that `asked` describes.
///
/// # Errors
/// For trouble with the database.
pub fn page(
    q: &mut dyn Query,
    owner: &PrincipalId,
    now: UnixMillis,
    asked: &Asked,
) -> Result<Page<ApiToken>, StoreError> {
    let values = [owner.into(), now.into()];
    let scope = Scope { condition: LIVE, values: &values };
    collection::page(q, &SOURCE, scope, asked, ApiToken::from_row)
}

/// How the engine reads such a page, as it says itself.
///
/// # Errors
/// For trouble with the database.
pub fn explain(
    q: &mut dyn Query,
    owner: &PrincipalId,
    now: UnixMillis,
    asked: &Asked,
) -> Result<String, StoreError> {
    let values = [owner.into(), now.into()];
    collection::explain(q, &SOURCE, Scope { condition: LIVE, values: &values }, asked)
}
