//! Signing keys, sealed, with their certificates. A purpose has one key that signs (the newest);
//! former ones are retired and published until their tokens are gone.

use claviger_domain::{UnixMillis, id::SigningKeyId, role::UnknownWord};

use crate::db::{Query, Row, Stmt, StoreError, Tx, statements};

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The leaves that sign registry tokens.
    RegistryAuthority,
    /// Registry tokens.
    Registry,
}

impl Purpose {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RegistryAuthority => "registry-ca",
            Self::Registry => "registry",
        }
    }
}

impl std::str::FromStr for Purpose {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "registry-ca" => Ok(Self::RegistryAuthority),
            "registry" => Ok(Self::Registry),
            _ => Err(UnknownWord("purpose")),
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id, which is the associated data of the seal.
    pub id: SigningKeyId,
    /// What it signs.
    pub purpose: Purpose,
    /// Its certificate (DER).
    pub certificate: Vec<u8>,
    /// The private key (PKCS#8), sealed.
    pub sealed: Vec<u8>,
    /// The generation of the master key that sealed it.
    pub key_generation: u8,
    /// When its certificate begins.
    pub not_before: UnixMillis,
    /// When its certificate ends.
    pub not_after: UnixMillis,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ceased to sign.
    pub retired_at: Option<UnixMillis>,
}

statements! {
    OF_PURPOSE = Stmt::same(
        "SELECT id, purpose, certificate, sealed, key_generation, not_before, not_after, created_at,
            retired_at
         FROM signing_key WHERE purpose = $1 ORDER BY created_at DESC, id"
    );
    LIST = Stmt::same(
        "SELECT id, purpose, certificate, sealed, key_generation, not_before, not_after, created_at,
            retired_at
         FROM signing_key ORDER BY created_at DESC, id"
    );
    INSERT = Stmt::same(
        "INSERT INTO signing_key (id, purpose, certificate, sealed, key_generation, not_before,
            not_after, created_at, retired_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    RETIRE = Stmt::same(
        "UPDATE signing_key SET retired_at = $2 WHERE purpose = $1 AND retired_at IS NULL"
    );
    DELETE_RETIRED = Stmt::same(
        "DELETE FROM signing_key WHERE purpose = $1 AND retired_at < $2"
    );
    RECERTIFY = Stmt::same(
        "UPDATE signing_key SET certificate = $2, not_before = $3, not_after = $4 WHERE id = $1"
    );
    RESEAL = Stmt::same("UPDATE signing_key SET sealed = $2, key_generation = $3 WHERE id = $1");
}

impl SigningKey {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(0)?,
            purpose: row.parse(1)?,
            certificate: row.blob(2)?.to_vec(),
            sealed: row.blob(3)?.to_vec(),
            key_generation: u8::try_from(row.int(4)?)
                .map_err(|_| StoreError::Column { column: 4 })?,
            not_before: row.millis(5)?,
            not_after: row.millis(6)?,
            created_at: row.millis(7)?,
            retired_at: row.opt_millis(8)?,
        })
    }
}

/// The keys of `purpose`, retired ones too, newest first.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn of_purpose(q: &mut dyn Query, purpose: Purpose) -> Result<Vec<SigningKey>, StoreError> {
    q.all(&OF_PURPOSE, &[purpose.as_str().into()])?.iter().map(SigningKey::from_row).collect()
}

/// All keys, newest first.
///
/// # Errors
/// For trouble with the database.
pub fn list(q: &mut dyn Query) -> Result<Vec<SigningKey>, StoreError> {
    q.all(&LIST, &[])?.iter().map(SigningKey::from_row).collect()
}

/// Adds a key.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, key: &SigningKey) -> Result<(), StoreError> {
    tx.execute(
        &INSERT,
        &[
            (&key.id).into(),
            key.purpose.as_str().into(),
            key.certificate.as_slice().into(),
            key.sealed.as_slice().into(),
            i64::from(key.key_generation).into(),
            key.not_before.into(),
            key.not_after.into(),
            key.created_at.into(),
            key.retired_at.into(),
        ],
    )
    .map(drop)
}

/// Retires every key of `purpose` that signs.
///
/// # Errors
/// For trouble with the database.
pub fn retire(tx: &mut Tx<'_>, purpose: Purpose, now: UnixMillis) -> Result<(), StoreError> {
    tx.execute(&RETIRE, &[purpose.as_str().into(), now.into()]).map(drop)
}

/// Deletes the keys of `purpose` that were retired before `before`.
///
/// # Errors
/// For trouble with the database.
pub fn delete_retired(
    tx: &mut Tx<'_>,
    purpose: Purpose,
    before: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(&DELETE_RETIRED, &[purpose.as_str().into(), before.into()]).map(drop)
}

/// Replaces the sealed private key by the same key, sealed by another generation.
///
/// # Errors
/// For trouble with the database.
pub fn reseal(
    tx: &mut Tx<'_>,
    id: &SigningKeyId,
    sealed: &[u8],
    key_generation: u8,
) -> Result<(), StoreError> {
    tx.execute(&RESEAL, &[id.into(), sealed.into(), i64::from(key_generation).into()]).map(drop)
}

/// Gives the same key another certificate (DER).
///
/// # Errors
/// For trouble with the database.
pub fn recertify(
    tx: &mut Tx<'_>,
    id: &SigningKeyId,
    certificate: &[u8],
    not_before: UnixMillis,
    not_after: UnixMillis,
) -> Result<(), StoreError> {
    let values = [id.into(), certificate.into(), not_before.into(), not_after.into()];
    tx.execute(&RECERTIFY, &values).map(drop)
}
