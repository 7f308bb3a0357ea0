//! Things that somebody deletes behind our back, and keys that AWS shows late.

use serde_json::{Value, json};

use super::jobs;
use super::kill::all_cases;
use super::points::Points;
use super::walk::Walk;
use super::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_somebody_deleted_is_never_replaced_silently() {
    let slot = jobs::Slot::new().await;
    for case in all_cases().await.into_iter().filter(|case| case.is_first && case.update.is_some()) {
        let world = World::begin(&slot, Points::recording()).await;
        let walk = Walk::new(&world, &case);
        walk.succeeded(walk.provision().await);
        walk.succeeded(walk.bind().await);
        let credentials = walk.credentials().await;
        let user = world.aws.inventory().await["users"][0].clone();
        let iam = world.aws.sessions().await.of(&world.aws.target()).await.unwrap().iam();
        let key = user["access_keys"][0].as_str().unwrap();
        let delete = iam.delete_access_key().user_name(user["name"].as_str().unwrap()).access_key_id(key);
        delete.send().await.unwrap();

        // A new key for encryption has to reach the policies of live bindings.
        let kms = world.aws.sessions().await.of(&world.aws.target()).await.unwrap().kms();
        let arn = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
        let case = super::parameters::Case { update: Some(json!({ "kms_key": arn })), ..case.clone() };
        let walk = Walk { case: &case, ..walk };
        let (state, answer) = walk.update().await;
        assert_eq!(state, "succeeded", "{answer}");
        let told = answer["description"].as_str().unwrap();
        assert!(told.contains(&walk.binding), "the update does not name the binding: {told}");
        let why: String = sqlx::query_scalar(
            "SELECT description FROM operation WHERE kind = 'refresh' AND state = 'failed'
                                              ORDER BY created_at DESC LIMIT 1",
        )
        .fetch_one(&slot.pool)
        .await
        .unwrap();
        assert!(why.contains("unbind and bind again"), "{why}");
        assert_eq!(walk.credentials().await, credentials);
        assert_eq!(world.aws.inventory().await["users"][0]["access_keys"], json!([]), "a new key was made");
        walk.gone(walk.unbind().await);
        walk.succeeded(walk.bind().await);
        assert_ne!(walk.credentials().await, credentials);
        super::proof::assert_one_key(&world, &walk.credentials().await).await;
        walk.gone(walk.deprovision().await);
        world.assert_nothing_left().await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instances_thing_that_somebody_deleted_is_made_again_by_an_update() {
    let slot = jobs::Slot::new().await;
    for case in all_cases().await.into_iter().filter(|case| case.is_first && case.update.is_some()) {
        let world = World::begin(&slot, Points::recording()).await;
        let walk = Walk::new(&world, &case);
        walk.succeeded(walk.provision().await);
        let inventory = world.aws.inventory().await;
        let session = world.aws.sessions().await.of(&world.aws.target()).await.unwrap();
        let each = |kind: &str, name: &str| -> Vec<String> {
            inventory[kind]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|thing| thing[name].as_str().map(str::to_owned))
                .collect()
        };
        for bucket in each("buckets", "name") {
            session.s3().delete_bucket().bucket(bucket).send().await.unwrap();
        }
        for queue in each("queues", "url") {
            session.sqs().delete_queue().queue_url(queue).send().await.unwrap();
        }
        // Only what the update changes is looked at; the rest is what a later change or the operator's list finds.
        walk.succeeded(walk.update().await);
        let made = world.things().await;
        assert!(!made.is_empty(), "nothing was made again");
        walk.gone(walk.deprovision().await);
        world.assert_nothing_left().await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_aws_shows_late_is_waited_for() {
    let mut jobs = Vec::new();
    for case in all_cases().await.into_iter().filter(|case| jobs::is_full() || case.is_first) {
        for late in [json!({ "seconds": 1.2 }), json!({ "calls": 1 }), json!({ "calls": 3 })] {
            jobs.push((format!("late {} {late}", case.name()), (case.clone(), late)));
        }
    }
    jobs::run("late visibility", jobs, |slot, (case, late): (_, Value)| async move {
        let world = World::begin(&slot, Points::recording()).await;
        world.aws.control(reqwest::Method::PUT, "visibility", Some(late)).await;
        Walk::new(&world, &case).whole().await;
        world.end().await;
    })
    .await;
}
