//! Who may act for an instance or binding: claims, leases, epochs.
//!
//! Rows are locked in one order everywhere, so that requests and turns never wait for each other in a circle: the instance,
//! its bindings, the owner (the instance's before a binding's), the operation, resources.

use std::time::Duration;

use jiff_sqlx::Timestamp;
use sqlx::postgres::types::PgInterval;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{Error, Fence, Lane, OwnerKind, Result};
use crate::osb::Uid;

/// One turn's hold on an owner.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Whose turn it is.
    pub owner: Uid,
    /// What it is.
    pub kind: OwnerKind,
    /// account/region, for the cap per target.
    pub target: String,
    /// What the turn's writes are conditional on.
    pub epoch: i64,
    /// Names this turn, so that it can hand the lease back although the epoch has moved on.
    pub lease: Uuid,
    /// When it fell due. If it says something else at the end of the turn, something has happened meanwhile.
    pub due: Option<Timestamp>,
}

pub(super) fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}

/// How many turns may run per target.
#[derive(Clone, Debug)]
pub struct Caps {
    /// For one target.
    pub per_target: usize,
    /// How many run already, by target; those that are not listed have none.
    pub running: Vec<(String, usize)>,
}

/// Claims up to `limit` due owners of a lane. Fair: the next claim goes to the platform with the fewest turns under way
/// (over all replicas), within a platform to what has been due longest. No target gets more than its cap has room for.
///
/// `places` skips through the index from one platform and target to the next, so a target at its cap costs one look, however
/// many thousands wait for it.
///
/// An owner whose lease ran out without being handed back is claimed only `grace` later: a call that its last worker began
/// may still be on its way (a call starts only if the lease outlasts its time-out, so `grace` covers clocks and AWS itself).
pub async fn claim(
    db: impl PgExecutor<'_>,
    lane: Lane,
    limit: i64,
    lease: Duration,
    grace: Duration,
    caps: &Caps,
) -> Result<Vec<Claim>> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (targets, running): (Vec<String>, Vec<i64>) =
        caps.running.iter().map(|(target, count)| (target.clone(), number(*count))).unzip();
    let rows = sqlx::query!(
        r#"WITH RECURSIVE places AS (
             (SELECT platform, target FROM owner WHERE lane = $1 AND run_at IS NOT NULL ORDER BY platform, target LIMIT 1)
             UNION ALL
             SELECT next.platform, next.target FROM places p CROSS JOIN LATERAL (
               SELECT o.platform, o.target FROM owner o
               WHERE o.lane = $1 AND o.run_at IS NOT NULL AND (o.platform, o.target) > (p.platform, p.target)
               ORDER BY o.platform, o.target LIMIT 1) next),
           busy AS (SELECT target, count FROM unnest($5::text[], $6::bigint[]) AS busy (target, count)),
           held AS MATERIALIZED (SELECT platform, count(*) AS turns FROM owner WHERE lease_id IS NOT NULL AND lane = $1 GROUP BY platform),
           due AS (
             SELECT p.platform, p.target, d.uid, d.run_at FROM places p CROSS JOIN LATERAL (
               SELECT o.uid, o.run_at FROM owner o
               WHERE o.platform = p.platform AND o.target = p.target AND o.lane = $1 AND o.run_at <= now()
                 AND (o.lease_id IS NULL OR o.lease_until + $4 < now())
               ORDER BY o.run_at LIMIT $2 FOR UPDATE SKIP LOCKED) d
             WHERE NOT EXISTS (SELECT FROM busy b WHERE b.target = p.target AND b.count >= $7)),
           ranked AS (
             SELECT uid, run_at, target, COALESCE(turns, 0)
                    + row_number() OVER (PARTITION BY due.platform ORDER BY run_at) AS place
             FROM due LEFT JOIN held ON held.platform = due.platform),
           roomy AS (
             SELECT uid, run_at, place, COALESCE((SELECT count FROM busy b WHERE b.target = ranked.target), 0)
                    + row_number() OVER (PARTITION BY target ORDER BY place, run_at) AS load FROM ranked),
           fair AS (SELECT uid FROM roomy WHERE load <= $7 ORDER BY place, run_at LIMIT $2)
           UPDATE owner SET epoch = epoch + 1, lease_id = gen_random_uuid(), lease_until = now() + $3
           FROM fair WHERE owner.uid = fair.uid
           RETURNING owner.uid, owner.kind AS "kind: OwnerKind", owner.target, owner.epoch, owner.lease_id AS "lease!",
                     owner.run_at AS due"#,
        lane.number(),
        limit,
        interval(lease),
        interval(grace),
        &targets,
        &running,
        number(caps.per_target),
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Claim {
            owner: row.uid.into(),
            kind: row.kind,
            target: row.target,
            epoch: row.epoch,
            lease: row.lease,
            due: row.due,
        })
        .collect())
}

/// Extends the leases of these turns; answers those that still stand under the epoch they were claimed with.
pub async fn renew(db: impl PgExecutor<'_>, claims: &[(Uuid, i64)], lease: Duration) -> Result<Vec<Uuid>> {
    let (leases, epochs): (Vec<Uuid>, Vec<i64>) = claims.iter().copied().unzip();
    Ok(sqlx::query_scalar!(
        r#"UPDATE owner SET lease_until = now() + $3
           FROM unnest($1::uuid[], $2::bigint[]) AS held (lease, epoch)
           WHERE owner.lease_id = held.lease AND owner.epoch = held.epoch
           RETURNING owner.lease_id AS "lease!""#,
        &leases,
        &epochs,
        interval(lease),
    )
    .fetch_all(db)
    .await?)
}

/// Hands a lease back. `after`: when this turn wants to be called again; it counts only if nobody superseded it and nothing
/// happened that it might have missed: whoever made the owner due meanwhile is heard, and an operation that ended stays so.
/// Answers whether the owner is due again at once.
pub async fn release(db: impl PgExecutor<'_>, claim: &Claim, after: Option<Duration>) -> Result<bool> {
    let due = sqlx::query_scalar!(
        r#"UPDATE owner SET lease_id = NULL, lease_until = NULL,
                run_at = CASE WHEN epoch = $3 AND $4::interval IS NOT NULL AND run_at = $5 THEN now() + $4 ELSE run_at END
         WHERE uid = $1 AND lease_id = $2 RETURNING run_at <= now() AS "due""#,
        claim.owner.uuid(),
        claim.lease,
        claim.epoch,
        after.map(interval),
        claim.due as Option<Timestamp>,
    )
    .fetch_optional(db)
    .await?;
    Ok(due.flatten().unwrap_or_default())
}

/// Makes an owner due now, if it waits: something it waited for has happened. Nothing is lost if this is: whoever waits looks
/// again. Answers whether it waited.
pub async fn wake(db: impl PgExecutor<'_>, owner: Uid) -> Result<bool> {
    let woken = sqlx::query!("UPDATE owner SET run_at = now() WHERE uid = $1 AND run_at IS NOT NULL", owner.uuid())
        .execute(db)
        .await?;
    Ok(woken.rows_affected() > 0)
}

/// Nothing is to be done for this owner: it is not due any more, and the lease is handed back.
pub async fn rest(db: impl PgExecutor<'_>, claim: &Claim) -> Result<()> {
    sqlx::query!(
        "UPDATE owner SET run_at = NULL, lease_id = NULL, lease_until = NULL WHERE uid = $1 AND epoch = $2
         AND NOT EXISTS (SELECT FROM operation WHERE operation.owner = $1 AND operation.state = 'in progress')",
        claim.owner.uuid(),
        claim.epoch,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Locks the owner against whoever would move it on, and says whether it still stands at that epoch.
pub async fn stands(db: &mut PgConnection, fence: &Fence) -> Result<()> {
    let stands =
        sqlx::query!("SELECT uid FROM owner WHERE uid = $1 AND epoch = $2 FOR SHARE", fence.owner.uuid(), fence.epoch)
            .fetch_optional(db)
            .await?;
    stands.map(drop).ok_or(Error::Fenced)
}
