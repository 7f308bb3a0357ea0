//! Connections for single statements: what requests read and insert outside transactions, and nearly all that the engine
//! does.
//!
//! sqlx's pool pings the server each time a connection comes back to it, which is how it rolls an abandoned transaction back.
//! A statement that is its own transaction leaves nothing to roll back, and for one as short as a poll the ping is half of
//! the round trips and of PostgreSQL's work. Here a connection goes back as soon as its statement has ended; one whose
//! statement failed for the connection's sake, or was dropped half-way, is closed.
//!
//! Requests and the engine have some each, so that no backlog of work makes a poll wait.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::postgres::{PgConnectOptions, PgQueryResult, PgRow, PgTypeInfo};
use sqlx::{ConnectOptions, Either, Error, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A few connections, opened when they are first needed. Its reference executes single statements.
#[derive(Debug)]
pub struct Singles {
    options: PgConnectOptions,
    connections: usize,
    places: Semaphore,
    /// How long to wait for a place.
    acquire: Duration,
    free: Mutex<Vec<PgConnection>>,
}

impl Singles {
    /// Connections to the same database as the pool's, and at most as many again.
    pub fn beside(pool: &PgPool) -> Self {
        let connections = pool.options().get_max_connections() as usize;
        Self {
            options: pool.connect_options().as_ref().clone(),
            connections,
            places: Semaphore::new(connections),
            acquire: pool.options().get_acquire_timeout(),
            free: Mutex::default(),
        }
    }

    /// How many connections are open.
    pub fn size(&self) -> usize {
        self.idle() + self.connections - self.places.available_permits()
    }

    /// How many connections are open and unused.
    pub fn idle(&self) -> usize {
        self.free().len()
    }

    async fn take(&self) -> Result<(PgConnection, SemaphorePermit<'_>), Error> {
        let place = tokio::time::timeout(self.acquire, self.places.acquire()).await;
        let place = place.map_err(|_| Error::PoolTimedOut)?.map_err(|_| Error::PoolClosed)?;
        let free = self.free().pop();
        let connection = match free {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok((connection, place))
    }

    /// Puts a connection back whose statement has ended.
    fn give_back<T>(&self, connection: PgConnection, result: &Result<T, Error>) {
        let sound = match result {
            Ok(_) | Err(Error::RowNotFound | Error::ColumnDecode { .. }) => true,
            // 57P: the server goes down and takes the connection with it.
            Err(Error::Database(error)) => !error.code().is_some_and(|code| code.starts_with("57P")),
            Err(_) => false,
        };
        match sound {
            true => self.free().push(connection),
            // Whatever broke this one broke the idle ones, most likely; they should not fail a request each.
            false => self.free().clear(),
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'p> Executor<'p> for &'p Singles {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'p: 'e,
        E: Execute<'q, Postgres>,
        'q: 'e,
        E: 'q,
    {
        // All rows are taken before the first is given: the connection is free again then, whatever the caller does.
        let rows = async move {
            let (mut connection, _place) = self.take().await?;
            let result = connection.fetch_many(query).try_collect::<Vec<_>>().await;
            self.give_back(connection, &result);
            Ok::<_, Error>(stream::iter(result?.into_iter().map(Ok)))
        };
        stream::once(rows).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: Execute<'q, Postgres>,
        'q: 'e,
        E: 'q,
    {
        Box::pin(async move {
            let (mut connection, _place) = self.take().await?;
            let result = connection.fetch_optional(query).await;
            self.give_back(connection, &result);
            result
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<sqlx::postgres::PgStatement, Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let (mut connection, _place) = self.take().await?;
            let result = connection.prepare_with(sql, parameters).await;
            self.give_back(connection, &result);
            result
        })
    }

    // A part of the trait while sqlx's macros can write offline data.
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let (mut connection, _place) = self.take().await?;
            let result = connection.describe(sql).await;
            self.give_back(connection, &result);
            result
        })
    }
}
