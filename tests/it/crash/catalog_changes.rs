//! The catalog changes while operations run: each ends by the revision it began with.

use std::path::PathBuf;

use chandlery::catalog::Catalog;

use super::jobs;
use super::kill::{all_cases, recorded};
use super::parameters::Case;
use super::points::{Point, Points, Stop};
use super::walk::Walk;
use super::world::World;

/// The repository's catalog, with another description everywhere and only the last plan of each offering left.
fn changed() -> PathBuf {
    let directory =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chandlery-{}", chandlery::osb::Uid::random()));
    std::fs::create_dir_all(&directory).unwrap();
    for entry in std::fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("catalog")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = text.split_once("\nplans:\n").unwrap();
        let end = rest.find("\nparameters:\n").unwrap();
        let last = rest[..end].rfind("  - id: ").unwrap();
        let plan: String =
            rest[last..end].lines().filter(|line| !line.contains("change_to")).map(|l| format!("{l}\n")).collect();
        let head = head.replacen("description: ", "description: As of today, ", 1);
        let file = directory.join(path.file_name().unwrap());
        std::fs::write(file, format!("{head}\nplans:\n{plan}{}", &rest[end..])).unwrap();
    }
    directory
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_ends_by_the_revision_it_began_with() {
    let (seed, mut jobs) = (jobs::seed(), Vec::new());
    for case in all_cases().await.into_iter().filter(|case| case.is_first) {
        let (points, _) = recorded(&case).await;
        let after = points.iter().position(|point| point.name == "after write end").unwrap();
        let points = points.into_iter().take(after).enumerate().filter(|(_, point)| !point.name.starts_with("answer"));
        jobs.extend(points.map(|(n, point)| (format!("catalog {} {n}", case.name()), (case.clone(), point))));
    }
    println!("seed {seed} of {} jobs", jobs.len());
    let directory = changed();
    let there = directory.clone();
    jobs::run("catalog changes", jobs::sampled(jobs, 12, seed), move |slot, (case, point): (Case, Point)| {
        let there = there.clone();
        async move {
            let world = World::begin(&slot, Points::at(point.clone(), Stop::Until)).await;
            let walk = Walk::new(&world, &case);
            let digest = world.app().shelf.current().by_name(&case.offering).unwrap().digest.clone();
            let change = async {
                let catalog = Catalog::load(&there, &world.app().registry).unwrap();
                world.app().broker.publish(catalog).await.unwrap();
                world.points.go_on();
            };
            let ended = world.disturbed(walk.provision(), change).await;
            walk.succeeded(ended);
            // Another process that knows the new catalog only goes on by what the database says.
            world.crash_into(there).await;
            let runs_by: String = sqlx::query_scalar("SELECT revision FROM instance WHERE id = $1")
                .bind(&walk.instance)
                .fetch_one(&slot.pool)
                .await
                .unwrap();
            assert_eq!(runs_by, digest);
            if case.bind.is_some() {
                walk.succeeded(walk.bind().await);
                walk.gone(walk.unbind().await);
            }
            walk.gone(walk.deprovision().await);
            world.assert_nothing_left().await;
            world.end().await;
        }
    })
    .await;
    std::fs::remove_dir_all(directory).unwrap();
}
