//! The process dies at a point; another one goes on.

use super::jobs::{self, Slot};
use super::parameters::{Case, cases};
use super::points::{Point, Points, Stop};
use super::walk::Walk;
use super::world::World;

/// The points of a walk, by running it once undisturbed.
pub async fn recorded(case: &Case) -> (Vec<Point>, Vec<(String, String)>) {
    let slot = Slot::new().await;
    let world = World::begin(&slot, Points::recording()).await;
    Walk::new(&world, case).whole().await;
    let recorded = (world.points.seen(), world.points.calls());
    world.end().await;
    recorded
}

/// Every plan of every offering of the repository.
pub async fn all_cases() -> Vec<Case> {
    let slot = Slot::new().await;
    let world = World::begin(&slot, Points::recording()).await;
    let cases = cases(&world.app().shelf.current());
    world.end().await;
    assert!(!cases.is_empty());
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_it_goes_on_elsewhere() {
    let seed = jobs::seed();
    let (mut always, mut sometimes) = (Vec::new(), Vec::new());
    for case in all_cases().await {
        let (points, _) = recorded(&case).await;
        println!("{}: {} points, update {:?}", case.name(), points.len(), case.update);
        let jobs = if case.is_first { &mut always } else { &mut sometimes };
        for (number, point) in points.into_iter().enumerate() {
            jobs.push((format!("kill {} {number}", case.name()), (case.clone(), point)));
        }
    }
    println!("seed {seed} of {} points of other plans", sometimes.len());
    always.extend(jobs::sampled(sometimes, 60, seed));
    jobs::run("kill", always, |slot, (case, point)| async move {
        let world = World::begin(&slot, Points::at(point, Stop::ForEver)).await;
        world.crashing(Walk::new(&world, &case).whole()).await;
        world.end().await;
    })
    .await;
}
