//! Runs many jobs, some at a time, each group in a database of its own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chandlery::osb::Uid;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::task::JoinSet;

use crate::support::aws::client_of_this_runtime;

/// How many jobs run at the same time.
const SLOTS: usize = 4;

/// The longest that a job may take; then it is stuck.
const LIMIT: Duration = Duration::from_secs(180);

/// What all jobs of a slot share.
#[derive(Clone)]
pub struct Slot {
    pub pool: PgPool,
    pub client: reqwest::Client,
}

impl Slot {
    pub async fn new() -> Self {
        Self { pool: database(4).await, client: client_of_this_runtime() }
    }

    /// Connections of a process of its own: what a dead one had under way is no concern of the next.
    pub fn connect(&self) -> PgPool {
        process_pool(&self.pool)
    }
}

pub fn is_full() -> bool {
    std::env::var_os("CHANDLERY_TEST_FULL").is_some_and(|value| !value.is_empty() && value != "0")
}

/// From `CHANDLERY_TEST_SEED`, or else another one every time.
pub fn seed() -> u64 {
    std::env::var("CHANDLERY_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| u64::try_from(Uid::random().uuid().as_u128() % 1_000_000).unwrap_or_default())
}

/// `some` of the jobs, chosen by the seed; all in a full run.
pub fn sampled<T>(mut jobs: Vec<T>, some: usize, seed: u64) -> Vec<T> {
    if is_full() {
        return jobs;
    }
    // xorshift: the choice must be the same for the same seed everywhere.
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while jobs.len() > some {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let index = usize::try_from(state % jobs.len() as u64).unwrap();
        jobs.swap_remove(index);
    }
    jobs
}

/// An empty database with our tables, on the server that `DATABASE_URL` names.
pub async fn database(connections: u32) -> PgPool {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL names a PostgreSQL for tests");
    let options: PgConnectOptions = url.parse().unwrap();
    let name = format!("crash_{}", Uid::random().uuid().simple());
    let server = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create).execute(&server).await.unwrap();
    server.close().await;
    let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
    let pool = pool.acquire_timeout(Duration::from_secs(20)).connect_with(options.database(&name)).await.unwrap();
    chandlery::store::migrate(&pool).await.unwrap();
    pool
}

/// A pool as a process has it, on the database of that one.
pub fn process_pool(pool: &PgPool) -> PgPool {
    let options = PgPoolOptions::new().max_connections(8).test_before_acquire(false);
    options.acquire_timeout(Duration::from_secs(20)).connect_lazy_with(pool.connect_options().as_ref().clone())
}

/// Runs every job; panics with those that failed, and how to run only them.
pub async fn run<T, F>(name: &str, jobs: Vec<(String, T)>, job: impl Fn(Slot, T) -> F + Clone + Send + 'static)
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let only = std::env::var("CHANDLERY_TEST_ONLY").ok();
    let jobs: Vec<_> = jobs.into_iter().filter(|(id, _)| only.as_ref().is_none_or(|only| only == id)).collect();
    let (began, total) = (Instant::now(), jobs.len());
    let (jobs, next) = (Arc::new(jobs), Arc::new(AtomicUsize::new(0)));
    let client = client_of_this_runtime();
    let mut slots = JoinSet::new();
    for _ in 0..SLOTS.min(total) {
        let (jobs, next, job, client) = (Arc::clone(&jobs), Arc::clone(&next), job.clone(), client.clone());
        slots.spawn(async move {
            let mut failed = Vec::new();
            let mut slot = Slot { pool: database(4).await, client: client.clone() };
            while let Some((id, what)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let task = tokio::spawn(job(slot.clone(), what.clone()));
                let abort = task.abort_handle();
                let why = match tokio::time::timeout(LIMIT, task).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(panic)) => panic.to_string(),
                    Err(_) => format!("stuck for {LIMIT:?}"),
                };
                abort.abort();
                println!("FAILED: {id}: {why}\n{}", story(&slot.pool).await);
                failed.push(id.clone());
                // Whatever it left must not fail the next one.
                slot.pool.close().await;
                slot = Slot { pool: database(4).await, client: client.clone() };
                if failed.len() == 3 {
                    break;
                }
            }
            failed
        });
    }
    let failed: Vec<String> = slots.join_all().await.into_iter().flatten().collect();
    println!("{name}: {total} jobs in {:.1} s", began.elapsed().as_secs_f64());
    let only: Vec<String> = failed.iter().map(|id| format!("CHANDLERY_TEST_ONLY='{id}'")).collect();
    assert!(failed.is_empty(), "{} failed; each alone with\n{}", failed.len(), only.join("\n"));
}

/// What happened in a database last.
async fn story(pool: &PgPool) -> String {
    let lines = sqlx::query_scalar::<_, String>(
        "(SELECT format('%s %s %s %s [%s]', to_char(at, 'SS.MS'), left(operation::text, 4), what, message, detail)
          FROM (SELECT * FROM event ORDER BY id DESC LIMIT 40) e ORDER BY id)
         UNION ALL SELECT format('operation %s: %s, %s: %s', kind, state, phase, description) FROM operation WHERE state = 'in progress'
         UNION ALL SELECT format('resource %s %s of %s: %s %s', key, name, owner, state, message) FROM resource
         UNION ALL SELECT format('owner %s %s due %s lease %s', kind, uid, run_at, lease_until) FROM owner WHERE run_at IS NOT NULL OR lease_id IS NOT NULL",
    );
    lines.fetch_all(pool).await.unwrap_or_default().join("\n")
}
