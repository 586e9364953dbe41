//! One connection to PostgreSQL. The address may name several hosts; with
//! `target_session_attrs=read-write` the one that takes writes is found after a fail-over.

use std::{
    collections::HashMap, error::Error as StdError, net::IpAddr, str::FromStr, sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use postgres::{
    Client, Config, NoTls, Statement,
    config::{Host, SslMode},
    types::{IsNull, ToSql, Type, to_sql_checked},
};

use crate::db::{Param, Row, StoreError, Value};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where PostgreSQL is, and how to speak with it.
#[derive(Clone)]
pub struct PostgresAddress {
    config: Box<Config>,
    tls: Option<tokio_postgres_rustls::MakeRustlsConnect>,
}

impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // the address may hold a password
        f.debug_struct("PostgresAddress")
            .field("hosts", &self.config.get_hosts())
            .finish_non_exhaustive()
    }
}

impl FromStr for PostgresAddress {
    type Err = StoreError;

    /// Reads `postgres://user:password@host,host/database?parameter=value`. Beyond loopback TLS is
    /// needed, and the server's name is checked (verify-full).
    fn from_str(url: &str) -> Result<Self, StoreError> {
        // the error could quote the password
        let mut config: Box<Config> = url.parse().map(Box::new).map_err(|_| {
            StoreError::Address("the database address is not a valid `postgres://…` URL".to_owned())
        })?;
        let local = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => {
                name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_) => true,
        }) && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        if !local {
            if url.contains("sslmode=disable") {
                return Err(StoreError::Address(
                    "PostgreSQL beyond loopback needs TLS: remove `sslmode=disable` from the \
                     database address"
                        .to_owned(),
                ));
            }
            config.ssl_mode(SslMode::Require);
        }
        config.application_name("claviger");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.tcp_user_timeout(Duration::from_secs(10));
        let tls = if config.get_ssl_mode() == SslMode::Require { Some(tls()?) } else { None };
        Ok(Self { config, tls })
    }
}

/// TLS that trusts what the system trusts, and checks names.
fn tls() -> Result<tokio_postgres_rustls::MakeRustlsConnect, StoreError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Address(format!("TLS to PostgreSQL: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}

pub(crate) struct PostgresConnection {
    client: Client,
    statements: HashMap<&'static str, Statement>,
}

impl PostgresConnection {
    pub(crate) fn connect(address: &PostgresAddress) -> Result<Self, StoreError> {
        let client = match &address.tls {
            Some(tls) => address.config.connect(tls.clone()),
            None => address.config.connect(NoTls),
        };
        let client = client.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        Ok(Self { client, statements: HashMap::new() })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    fn statement(&mut self, sql: &'static str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).map_err(trouble)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    pub(crate) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        self.client.execute(&statement, &dynamic(params)).map_err(trouble)
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).map_err(trouble)
    }

    pub(crate) fn prepare(&mut self, sql: &str) -> Result<(), StoreError> {
        self.client.prepare(sql).map(drop).map_err(trouble)
    }

    pub(crate) fn optional(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.all(sql, params)?.into_iter().next())
    }

    pub(crate) fn all(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        // text here cannot hold NUL, so nothing equals a text with one
        if params.iter().any(|param| matches!(param, Param::Text(Some(t)) if t.contains('\0'))) {
            return Ok(Vec::new());
        }
        let statement = self.statement(sql)?;
        let rows = self.client.query(&statement, &dynamic(params)).map_err(trouble)?;
        rows.iter().map(read).collect()
    }

    /// The same, for a statement that is not kept prepared: planned for these very values.
    pub(crate) fn once(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let typed = |param| {
            let ty = match param {
                &Param::Int(_) => Type::INT8,
                Param::Text(_) | Param::Id(_) => Type::TEXT,
                Param::Blob(_) => Type::BYTEA,
            };
            (param as &(dyn ToSql + Sync), ty)
        };
        let params: Vec<_> = params.iter().map(typed).collect();
        let rows = self.client.query_typed(sql, &params).map_err(trouble)?;
        rows.iter().map(read).collect()
    }
}

fn dynamic<'a>(params: &'a [Param<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

fn read(row: &postgres::Row) -> Result<Row, StoreError> {
    let value = |(at, column): (usize, &postgres::Column)| {
        let wrong = |_| StoreError::Column { column: at };
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(at).map_err(wrong)?.map(Value::Int),
            Type::INT4 => {
                row.try_get::<_, Option<i32>>(at).map_err(wrong)?.map(|n| Value::Int(n.into()))
            }
            Type::BOOL => {
                row.try_get::<_, Option<bool>>(at).map_err(wrong)?.map(|b| Value::Int(b.into()))
            }
            Type::TEXT | Type::VARCHAR | Type::NAME => {
                row.try_get::<_, Option<String>>(at).map_err(wrong)?.map(Value::Text)
            }
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(at).map_err(wrong)?.map(Value::Blob),
            _ => return Err(StoreError::Column { column: at }),
        };
        Ok(value.unwrap_or(Value::Null))
    };
    row.columns().iter().enumerate().map(value).collect::<Result<_, _>>().map(Row)
}

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Int(Some(value)) => value.to_sql(ty, out),
            Self::Text(Some(text)) => text.to_sql(ty, out),
            Self::Id(id) => id.as_str().to_sql(ty, out),
            Self::Blob(Some(bytes)) => bytes.to_sql(ty, out),
            Self::Int(None) | Self::Text(None) | Self::Blob(None) => Ok(IsNull::Yes),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::VARCHAR | Type::BYTEA)
    }

    to_sql_checked!();
}

/// Tells an outage from a statement that is wrong. The server refuses work for a while with the
/// classes 08 (connection), 25 (read-only), 53 (resources), 57 (shutdown) and 58 (system).
fn trouble(error: postgres::Error) -> StoreError {
    let outage = if let Some(state) = error.code() {
        ["08", "25", "53", "57", "58"].iter().any(|class| state.code().starts_with(class))
    } else {
        error.is_closed() || error.source().is_some_and(<dyn StdError>::is::<std::io::Error>)
    };
    if outage {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Statement(Box::new(error))
    }
}
