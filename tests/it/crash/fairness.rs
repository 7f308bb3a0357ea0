//! Who is claimed next: fair across platforms, capped per target.

use std::collections::BTreeMap;
use std::time::Duration;

use chandlery::store::Lane;
use chandlery::store::owner::{Caps, Claim, claim};
use sqlx::PgPool;

async fn due(pool: &PgPool, platform: &str, target: &str, count: i32, seconds_ago: f64) {
    sqlx::query(
        "INSERT INTO owner (uid, kind, platform, target, run_at)
         SELECT gen_random_uuid(), 'instance', $1, $2, now() - make_interval(secs => $4) FROM generate_series(1, $3)",
    )
    .bind(platform)
    .bind(target)
    .bind(count)
    .bind(seconds_ago)
    .execute(pool)
    .await
    .unwrap();
}

async fn claimed(pool: &PgPool, limit: i64, running: &[(&str, usize)]) -> Vec<Claim> {
    let running = running.iter().map(|(target, count)| ((*target).to_owned(), *count)).collect();
    let caps = Caps { per_target: 4, running };
    claim(pool, Lane::Async, limit, Duration::from_secs(40), Duration::from_secs(15), &caps).await.unwrap()
}

async fn platforms(pool: &PgPool, claims: &[Claim]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for claim in claims {
        let owner = "SELECT platform FROM owner WHERE uid = $1";
        let platform = sqlx::query_scalar(owner).bind(claim.owner.uuid()).fetch_one(pool).await.unwrap();
        *counts.entry(platform).or_default() += 1;
    }
    counts
}

#[sqlx::test]
async fn a_platform_with_a_long_queue_does_not_keep_others_waiting(pool: PgPool) {
    for target in ["1/a", "2/a", "3/a"] {
        due(&pool, "flood", target, 50, 100.0).await;
    }
    due(&pool, "quiet", "4/a", 3, 1.0).await;
    // All at once: as many of each as there are.
    let first = claimed(&pool, 4, &[]).await;
    assert_eq!(platforms(&pool, &first).await, BTreeMap::from([("flood".to_owned(), 2), ("quiet".to_owned(), 2)]));
    // One worker falls free: the one with less under way is next, however long the other has waited.
    due(&pool, "late", "4/a", 1, 0.5).await;
    assert_eq!(platforms(&pool, &claimed(&pool, 1, &[]).await).await, BTreeMap::from([("late".to_owned(), 1)]));
}

#[sqlx::test]
async fn no_target_gets_more_than_it_has_room_for(pool: PgPool) {
    due(&pool, "one", "1/a", 20, 10.0).await;
    due(&pool, "two", "1/a", 20, 10.0).await;
    due(&pool, "two", "2/a", 20, 5.0).await;
    let claims = claimed(&pool, 32, &[("1/a", 3)]).await;
    let of = |target: &str| claims.iter().filter(|claim| claim.target == target).count();
    assert_eq!((of("1/a"), of("2/a")), (1, 4));
    assert!(claimed(&pool, 32, &[("1/a", 4), ("2/a", 4)]).await.is_empty());
}

#[sqlx::test]
async fn a_lease_that_was_not_handed_back_is_claimed_one_call_later(pool: PgPool) {
    due(&pool, "one", "1/a", 1, 10.0).await;
    assert_eq!(claimed(&pool, 1, &[]).await.len(), 1);
    for (seconds, claims) in [(10, 0), (20, 1)] {
        let ended = "UPDATE owner SET lease_until = now() - make_interval(secs => $1)";
        sqlx::query(ended).bind(f64::from(seconds)).execute(&pool).await.unwrap();
        assert_eq!(claimed(&pool, 1, &[]).await.len(), claims, "{seconds} s after its end");
    }
}
