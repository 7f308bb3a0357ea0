//! A replica that is stopped in good order hands its leases back: another one goes on at once, not when they run out.

use std::time::{Duration, Instant};

use super::jobs;
use super::kill::{all_cases, recorded};
use super::points::{Points, Stop};
use super::walk::Walk;
use super::world::{World, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stops_hands_over_at_once() {
    let seed = jobs::seed();
    let mut jobs = Vec::new();
    for case in all_cases().await {
        let (points, _) = recorded(&case).await;
        let points = points.into_iter().enumerate().filter(|(_, point)| !point.name.starts_with("answer"));
        jobs.extend(points.map(|(n, point)| (format!("handover {} {n}", case.name()), (case.clone(), point))));
    }
    println!("seed {seed} of {} jobs", jobs.len());
    jobs::run("handover", jobs::sampled(jobs, 24, seed), |slot, (case, point)| async move {
        let mut slow = options();
        // Only the bell can wake the other one in time.
        slow.settings.poll = Duration::from_secs(30);
        let world = World::with(&slot, Points::at(point, Stop::Until), options()).await;
        let walk = Walk::new(&world, &case);
        let began = Instant::now();
        let handover = async {
            world.second(slow).await;
            let stopped = world.stop();
            world.points.go_on();
            stopped.await;
        };
        world.disturbed(walk.whole(), handover).await;
        assert!(began.elapsed() < Duration::from_secs(25), "it took {:?}", began.elapsed());
        world.end().await;
    })
    .await;
}
