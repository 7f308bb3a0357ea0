//! The controller is killed after every request to the broker and after every write to the API server, once each, and the
//! session comes to the same end: one instance, the credentials in the Secret, nothing left. A new step of the controller is
//! tried without another line here.
//!
//! A kill drops all that the controller does, between the mark that it made and the answer; its lease is taken away, so that
//! nobody waits for it. `lose` lets it live and has it never hear of the write.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::DeleteParams;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::broker::{Route, Strict, Trouble};
use super::gate::Gate;
use super::relay;
use super::session::{SETTINGS, Session};
use crate::crash::jobs::{sampled, seed};
use crate::kubernetes::world::World;

/// How many sessions run at the same time.
const SLOTS: usize = 4;

/// How many of each kind a short run takes.
const SAMPLE: usize = 10;

/// A kind of session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    /// The broker works asynchronously.
    asynchronous: bool,
    /// The first provision and the first bind break off, and leave something.
    orphans: bool,
    /// Writes are lost, and the controller lives.
    lose: bool,
}

const KINDS: [Kind; 4] = [
    Kind { asynchronous: false, orphans: false, lose: false },
    Kind { asynchronous: true, orphans: false, lose: false },
    Kind { asynchronous: true, orphans: true, lose: false },
    Kind { asynchronous: false, orphans: false, lose: true },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 10)]
async fn a_controller_that_is_killed_at_any_step_is_followed_by_one_that_goes_on() {
    if World::own().await.is_none() {
        return;
    }
    let seed = seed();
    println!("CHANDLERY_TEST_SEED={seed}");
    let slots = Arc::new(Semaphore::new(SLOTS));
    let mut running = JoinSet::new();
    for kind in KINDS {
        let steps = session(kind, Gate::default()).await;
        println!("{kind:?}: {} steps", steps.len());
        for point in sampled((0..steps.len()).collect(), SAMPLE, seed) {
            let (slots, step) = (Arc::clone(&slots), steps[point].clone());
            running.spawn(async move {
                let _slot = slots.acquire_owned().await.unwrap();
                let gate = if kind.lose { Gate::losing(point) } else { Gate::stopping_at(point) };
                let ended = tokio::spawn(session(kind, gate)).await;
                let told = ended.map_err(|error| format!("{kind:?} at {point} ({step}): {error}"));
                told.err().inspect(|told| println!("{told}"))
            });
        }
    }
    let failed: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Gives the steps that were made.
async fn session(kind: Kind, gate: Gate) -> Vec<String> {
    let world = World::own().await.unwrap();
    let broker = Strict::start(&World::unique(), if kind.asynchronous { 2 } else { 0 }, gate.clone()).await;
    if kind.orphans {
        broker.fails(Route::Provision, 1, Trouble::Broke(500));
        broker.fails(Route::Bind, 1, Trouble::Broke(500));
    }
    let api = relay::start(world.client.clone(), gate.clone()).await;
    let mut running = world.start_at(&api, &SETTINGS).await;
    let mut session = Session::new(&world, &broker);
    session.rotates = true;
    {
        let mut run = std::pin::pin!(session.run());
        loop {
            tokio::select! {
                () = &mut run => break,
                () = gate.wait() => {
                    running.kill().await;
                    let leases = world.here::<Lease>();
                    let _ = leases.delete("chandlery-controller", &DeleteParams::default()).await;
                    gate.open();
                    running = world.start_at(&api, &SETTINGS).await;
                }
            }
        }
    }
    running.stop().await;
    assert_eq!(session.rescued, Vec::<&str>::new());
    // Whoever did not hear that an attempt broke off finds by the next one what it left, and deletes nothing.
    let (instances, bindings) = broker.made();
    let orphans = usize::from(kind.orphans);
    assert!((1..=1 + orphans).contains(&instances), "{instances}: {:?}", broker.heard());
    assert!((2..=2 + orphans).contains(&bindings), "{bindings}: {:?}", broker.heard());
    gate.marks()
}
