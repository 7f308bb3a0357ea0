//! Who may act for an instance or binding: claims, leases, epochs.

use std::time::Duration;

use sqlx::PgExecutor;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::{Lane, OwnerKind, Result};
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
}

pub(super) fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}

/// Claims up to `limit` due owners of a lane, round robin over the platforms, leaving out targets that are at their cap.
///
/// An owner whose lease ran out without being handed back is claimed only `grace` later: a call that its last worker began
/// may still be on its way (a call starts only if the lease outlasts its time-out, so `grace` covers clocks and AWS itself).
pub async fn claim(
    db: impl PgExecutor<'_>,
    lane: Lane,
    limit: i64,
    lease: Duration,
    grace: Duration,
    saturated: &[String],
) -> Result<Vec<Claim>> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE platforms AS (
             (SELECT platform FROM owner WHERE run_at IS NOT NULL ORDER BY platform LIMIT 1)
             UNION ALL
             SELECT (SELECT o.platform FROM owner o WHERE o.run_at IS NOT NULL AND o.platform > p.platform
                     ORDER BY o.platform LIMIT 1)
             FROM platforms p WHERE p.platform IS NOT NULL),
           due AS (
             SELECT p.platform, d.uid, d.run_at FROM platforms p CROSS JOIN LATERAL (
               SELECT o.uid, o.run_at FROM owner o
               WHERE o.platform = p.platform AND o.lane = $1 AND o.run_at <= now()
                 AND (o.lease_id IS NULL OR o.lease_until + $4 < now()) AND o.target <> ALL ($5)
               ORDER BY o.run_at LIMIT $2 FOR UPDATE SKIP LOCKED) d),
           fair AS (
             SELECT uid FROM (SELECT uid, run_at, row_number() OVER (PARTITION BY platform ORDER BY run_at) AS place FROM due) ranked
             ORDER BY place, run_at LIMIT $2)
           UPDATE owner SET epoch = epoch + 1, lease_id = gen_random_uuid(), lease_until = now() + $3
           FROM fair WHERE owner.uid = fair.uid
           RETURNING owner.uid, owner.kind AS "kind: OwnerKind", owner.target, owner.epoch, owner.lease_id AS "lease!""#,
        lane.number(),
        limit,
        interval(lease),
        interval(grace),
        saturated,
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

/// Hands a lease back. `after`: when this turn wants to be called again; it counts only if nobody superseded it.
pub async fn release(db: impl PgExecutor<'_>, claim: &Claim, after: Option<Duration>) -> Result<()> {
    sqlx::query!(
        "UPDATE owner SET lease_id = NULL, lease_until = NULL,
                run_at = CASE WHEN epoch = $3 AND $4::interval IS NOT NULL THEN now() + $4 ELSE run_at END
         WHERE uid = $1 AND lease_id = $2",
        claim.owner.uuid(),
        claim.lease,
        claim.epoch,
        after.map(interval),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes an owner due now: something it waited for has happened.
pub async fn wake(db: impl PgExecutor<'_>, owner: Uid) -> Result<()> {
    sqlx::query!("UPDATE owner SET run_at = now() WHERE uid = $1 AND run_at IS NOT NULL", owner.uuid())
        .execute(db)
        .await?;
    Ok(())
}
