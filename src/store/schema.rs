//! The connection pool and the migrations.

use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use super::Result;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections there are at most.
    pub connections: u32,
    /// How long to wait for a free one.
    pub acquire: Duration,
    /// How long a statement may run; then the database cancels it, so that a request can never hang on one.
    pub statement: Duration,
}

/// Opens a pool.
pub async fn connect(options: PgConnectOptions, limits: &Limits) -> Result<PgPool> {
    let options = options
        .application_name("chandlery")
        .options([
            ("statement_timeout", limits.statement.as_millis().to_string()),
            // A connection that died inside a transaction must not hold its locks until TCP notices.
            ("idle_in_transaction_session_timeout", "60000".to_owned()),
            // Statements are prepared once and each has an index for its way: to plan one again costs more than to execute it
            // (0.5 ms for a poll that takes 0.06), and a plan made while the tables were empty must hold when they are full.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            ("enable_seqscan", "off".to_owned()),
            ("jit", "off".to_owned()),
        ])
        .statement_cache_capacity(256);
    let pool = PgPoolOptions::new()
        .max_connections(limits.connections)
        .acquire_timeout(limits.acquire)
        // A ping before every use would double the round trips of a poll; a broken connection shows itself in use.
        .test_before_acquire(false)
        .connect_with(options.clone())
        .await;
    match pool {
        // The pool tries again and again, and then says only that it took too long; one attempt more says why.
        Err(sqlx::Error::PoolTimedOut) => {
            let attempt = tokio::time::timeout(limits.acquire, PgConnection::connect_with(&options)).await;
            Err(attempt.ok().and_then(std::result::Result::err).unwrap_or(sqlx::Error::PoolTimedOut).into())
        }
        pool => Ok(pool?),
    }
}

/// Brings the database to this program's schema. Safe to run from several places at once (advisory lock).
pub async fn migrate(pool: &PgPool) -> std::result::Result<(), MigrateError> {
    MIGRATIONS.run(pool).await
}

/// The descriptions of migrations that this program needs and the database lacks. Newer ones there are fine: migrations
/// expand before they contract.
pub async fn pending_migrations(pool: &PgPool) -> std::result::Result<Vec<String>, MigrateError> {
    let mut connection = pool.acquire().await.map_err(MigrateError::Execute)?;
    // Not made here: whoever serves need not be allowed to make tables.
    let applied = match connection.list_applied_migrations("_sqlx_migrations").await {
        Err(MigrateError::Execute(error)) if is_no_table(&error) => Vec::new(),
        applied => applied?,
    };
    Ok(MIGRATIONS
        .iter()
        .filter(|known| !applied.iter().any(|row| row.version == known.version))
        .map(|known| format!("{:04} {}", known.version, known.description))
        .collect())
}

fn is_no_table(error: &sqlx::Error) -> bool {
    const UNDEFINED_TABLE: &str = "42P01";
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(UNDEFINED_TABLE)
}
