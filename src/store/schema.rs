//! The connection pool and the migrations.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::Result;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Opens a pool of at most `max` connections. Statements that run longer than `statement_timeout` are cancelled by the
/// database, so a request can never hang on one.
pub async fn connect(options: PgConnectOptions, max: u32, statement_timeout: Duration) -> Result<PgPool> {
    let options = options
        .application_name("chandlery")
        .options([
            ("statement_timeout", statement_timeout.as_millis().to_string()),
            // A connection that died inside a transaction must not hold its locks until TCP notices.
            ("idle_in_transaction_session_timeout", "60000".to_owned()),
        ])
        .statement_cache_capacity(256);
    Ok(PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(Duration::from_secs(5))
        // A ping before every use would double the round trips of a poll; a broken connection shows itself in use.
        .test_before_acquire(false)
        .connect_with(options)
        .await?)
}

/// Brings the database to this program's schema. Safe to run from several places at once (advisory lock).
pub async fn migrate(pool: &PgPool) -> std::result::Result<(), MigrateError> {
    MIGRATIONS.run(pool).await
}

/// The descriptions of migrations that this program needs and the database lacks. Newer ones there are fine: migrations
/// expand before they contract.
pub async fn pending_migrations(pool: &PgPool) -> std::result::Result<Vec<String>, MigrateError> {
    let mut connection = pool.acquire().await.map_err(MigrateError::Execute)?;
    let table = "_sqlx_migrations";
    connection.ensure_migrations_table(table).await?;
    let applied = connection.list_applied_migrations(table).await?;
    Ok(MIGRATIONS
        .iter()
        .filter(|known| !applied.iter().any(|row| row.version == known.version))
        .map(|known| format!("{:04} {}", known.version, known.description))
        .collect())
}
