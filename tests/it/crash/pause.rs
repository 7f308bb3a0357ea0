//! A worker freezes just before it sends a call that makes something, or just before a write; its lease runs out by both
//! clocks, another replica takes over and finishes; then the frozen one goes on.

use std::time::Duration;

use super::jobs;
use super::kill::{all_cases, recorded};
use super::points::{Points, Stop};
use super::walk::Walk;
use super::world::{World, options};
use crate::support::app::Options;

/// Nobody renews, so that a lease ends as it does when its worker is frozen as a whole: for the database and for the worker's
/// own guard alike. A successor waits for the lease and one call's time.
fn unrenewed() -> Options {
    let mut options = options();
    options.settings.lease = Duration::from_millis(2000);
    options.settings.renew = Duration::from_secs(3600);
    options.settings.call_timeout = Duration::from_millis(900);
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_worker_makes_nothing_twice() {
    let mut jobs = Vec::new();
    for case in all_cases().await.into_iter().filter(|case| jobs::is_full() || case.is_first) {
        let (points, _) = recorded(&case).await;
        for (number, point) in points.iter().enumerate() {
            let makes = point.name.starts_with("before call") && point.name.contains(":Create");
            let writes = point.name.starts_with("before write") && (number % 3 == 0 || jobs::is_full());
            if makes || writes {
                let id = format!("pause {} {number} {}", case.name(), point.name);
                jobs.push((id, (case.clone(), point.clone(), makes)));
            }
        }
    }
    jobs::run("pause", jobs, |slot, (case, point, is_call)| async move {
        let mut first = unrenewed();
        // Its only worker is the one that freezes, so it takes nothing else up meanwhile.
        first.settings.workers = 1;
        let world = World::with(&slot, Points::at(point, Stop::Frozen), first).await;
        let walk = Walk::new(&world, &case);
        let frozen = async {
            let (gave_way, refused) = (world.points.given_way(), world.points.fenced());
            overtaken(&world).await;
            world.points.go_on();
            // A call is not sent, and so its turn gives way; a write is refused.
            while world.points.given_way() == gave_way || !is_call && world.points.fenced() == refused {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(!world.points.sent_late(), "a call was sent after its lease had ended");
        };
        world.disturbed(walk.whole(), frozen).await;
        world.end().await;
    })
    .await;
}

/// Another replica takes over what the frozen worker holds, and ends it.
async fn overtaken(world: &World) {
    let pool = world.app().pool.clone();
    let held = "SELECT uid::text, epoch FROM owner WHERE lease_id IS NOT NULL";
    let (owner, epoch): (String, i64) = sqlx::query_as(held).fetch_one(&pool).await.unwrap();
    world.second(unrenewed()).await;
    for _ in 0..800 {
        let state =
            "SELECT epoch > $2 AND NOT EXISTS (SELECT FROM operation WHERE owner = uid AND state = 'in progress')
                     FROM owner WHERE uid = $1::uuid";
        if sqlx::query_scalar(state).bind(&owner).bind(epoch).fetch_one(&pool).await.unwrap() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody took over");
}
