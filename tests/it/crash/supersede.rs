//! A DELETE at every point of a provision and of a bind: what runs is stopped and undone, and the DELETE does not wait for a
//! lease to run out.

use std::time::{Duration, Instant};

use ::http::Method;

use super::jobs;
use super::kill::{all_cases, recorded};
use super::points::{Points, Stop};
use super::walk::Walk;
use super::world::{World, options};

/// Far below the lease: the worker that is overtaken gives way at once.
const PROMPT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_at_any_point_undoes_what_runs() {
    let seed = jobs::seed();
    let (mut always, mut sometimes) = (Vec::new(), Vec::new());
    for case in all_cases().await {
        let (points, _) = recorded(&case).await;
        let ends: Vec<usize> = (0..points.len()).filter(|&n| points[n].name == "after write end").collect();
        let jobs = if case.is_first { &mut always } else { &mut sometimes };
        let until = ends[1.min(ends.len() - 1)];
        for (number, point) in points.iter().enumerate().take(until) {
            if point.name.starts_with("answer") {
                continue;
            }
            let (is_bind, here) = (number > ends[0], jobs::is_full() || number % 2 == 0);
            // Another replica hears of it by NOTIFY.
            for elsewhere in [false, true].into_iter().filter(|elsewhere| jobs::is_full() || *elsewhere != here) {
                let id = format!("supersede {} {number}{}", case.name(), if elsewhere { " elsewhere" } else { "" });
                jobs.push((id, (case.clone(), point.clone(), is_bind, elsewhere)));
            }
        }
    }
    println!("seed {seed} of {} jobs of other plans", sometimes.len());
    always.extend(jobs::sampled(sometimes, 20, seed));
    jobs::run("supersede", always, |slot, (case, point, is_bind, elsewhere)| async move {
        let world = World::begin(&slot, Points::at(point, Stop::Until)).await;
        let walk = Walk::new(&world, &case);
        let path = if is_bind { walk.binding_path() } else { walk.instance_path() };
        if is_bind {
            walk.succeeded(walk.provision().await);
        }
        let body = match is_bind {
            true => walk.ids.bind(case.bind.clone().unwrap()),
            false => walk.ids.provision(case.create.clone()),
        };
        walk.order(&Method::PUT, &path, "", Some(&body)).await;
        world.points.request("PUT");
        // Points shift a little from run to run; past the last one there is nothing to stop.
        let _ = tokio::time::timeout(Duration::from_secs(15), world.points.hit()).await;
        if elsewhere {
            world.second(options()).await;
        }
        walk.order(&Method::DELETE, &path, &walk.ids.query(), None).await;
        // The call or write that was under way ends only now.
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.points.go_on();
        let began = Instant::now();
        walk.gone(walk.end_of(&path).await);
        assert!(began.elapsed() < PROMPT, "the DELETE took {:?}", began.elapsed());
        if is_bind {
            world.assert_idle().await;
            world.assert_whole().await;
            walk.gone(walk.deprovision().await);
        }
        world.assert_nothing_left().await;
        world.end().await;
    })
    .await;
}
