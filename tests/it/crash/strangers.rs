//! What is not ours stays as it is: what a former incarnation left in AWS on purpose, and what others hold the name of.

use serde_json::json;

use super::jobs;
use super::kill::all_cases;
use super::parameters::Case;
use super::points::{Point, Points, Stop};
use super::walk::Walk;
use super::world::World;
use crate::support::aws::Aws;

async fn slot() -> jobs::Slot {
    jobs::Slot::new().await
}

/// The first plans that let a user choose what deleting does.
async fn retainable() -> Vec<Case> {
    let cases = all_cases().await.into_iter().filter(|case| case.is_first);
    cases.map(|case| Case { create: json!({ "deletion": "retain" }), ..case }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_used_again_adopts_nothing_that_was_retained() {
    let slot = slot().await;
    for case in retainable().await {
        let world = World::begin(&slot, Points::recording()).await;
        let walk = Walk::new(&world, &case);
        walk.succeeded(walk.provision().await);
        walk.gone(walk.deprovision().await);
        let (kept, rows) = (world.things().await, world.rows().await);
        assert!(!kept.is_empty() && kept.len() == rows.len(), "{kept:?} {rows:?}");
        assert!(rows.iter().all(|row| row.3 == "retained"), "{rows:?}");

        walk.succeeded(walk.provision().await);
        let both = world.things().await;
        assert_eq!(both.len(), 2 * kept.len(), "{both:?}");
        assert!(kept.iter().all(|thing| both.contains(thing)), "what was kept has changed: {both:?}");
        // Another wish for deletion reaches things that exist already.
        let change = Case { update: Some(json!({ "deletion": "delete" })), ..case.clone() };
        let walk = Walk { case: &change, ..walk };
        walk.succeeded(walk.update().await);
        walk.gone(walk.deprovision().await);
        assert_eq!(world.things().await, kept);
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_be_retained_after_an_update_is() {
    let slot = slot().await;
    for case in retainable().await {
        let world = World::begin(&slot, Points::recording()).await;
        let case =
            Case { create: json!({ "deletion": "delete" }), update: Some(json!({ "deletion": "retain" })), ..case };
        let walk = Walk::new(&world, &case);
        walk.succeeded(walk.provision().await);
        let made = world.things().await;
        walk.succeeded(walk.update().await);
        walk.gone(walk.deprovision().await);
        assert_eq!(world.things().await, made);
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_global_name_that_somebody_holds_is_replaced() {
    let slot = slot().await;
    let stop = |point: &Point| (point.name == "before call s3:CreateBucket").then_some(Stop::Until);
    let world = World::begin(&slot, Points::new(stop)).await;
    let cases = all_cases().await;
    let case = cases.iter().find(|case| case.offering == "s3-bucket").unwrap();
    let walk = Walk::new(&world, case);
    let stranger = Aws::fresh();
    let s3 = stranger.sessions().await.of(&stranger.target()).await.unwrap().s3();
    let squat = async {
        world.points.hit().await;
        let (_, name, ..) = world.rows().await.pop().unwrap();
        let place = aws_sdk_s3::types::BucketLocationConstraint::from("eu-central-1");
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(place).build();
        s3.create_bucket().bucket(&name).create_bucket_configuration(place).send().await.unwrap();
        world.points.go_on();
        // The second name is free.
        world.points.hit().await;
        world.points.go_on();
        name
    };
    let (ended, taken) = tokio::join!(walk.provision(), squat);
    walk.succeeded(ended);
    world.assert_whole().await;
    assert_ne!(world.rows().await[0].1, taken);
    walk.succeeded(walk.bind().await);
    assert_ne!(walk.credentials().await["bucket"], json!(taken));
    walk.gone(walk.unbind().await);
    walk.gone(walk.deprovision().await);
    world.assert_nothing_left().await;
    let theirs = s3.head_bucket().bucket(&taken).send().await;
    assert!(theirs.is_ok(), "the stranger's bucket is gone");
    s3.delete_bucket().bucket(&taken).send().await.unwrap();
    world.end().await;
}
