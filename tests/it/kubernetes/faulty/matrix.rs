//! Every route × every failure. Whatever it is, the session comes to its end; the user is asked for something exactly where
//! the protocol says that the request is wrong; and what may be left behind is deleted exactly where it says so.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::broker::{Heard, Route, Strict, Trouble};
use super::gate::Gate;
use super::session::{SETTINGS, Session};
use crate::crash::jobs::{sampled, seed};
use crate::kubernetes::world::World;

/// How many sessions run at the same time.
const SLOTS: usize = 4;

/// How many of them a short run takes.
const SAMPLE: usize = 30;

#[derive(Clone, Copy, Debug)]
struct Case {
    route: Route,
    trouble: Trouble,
    times: usize,
}

fn cases() -> Vec<Case> {
    let once = [
        Trouble::Refused(400),
        Trouble::Refused(409),
        Trouble::Refused(410),
        Trouble::Refused(422),
        Trouble::Refused(429),
        Trouble::Broke(500),
        Trouble::Refused(503),
        Trouble::Silent,
        Trouble::Slow,
        Trouble::Lost,
    ];
    let all = Route::ALL.into_iter().flat_map(|route| {
        let once = once.into_iter().map(move |trouble| Case { route, trouble, times: 1 });
        once.chain([Case { route, trouble: Trouble::Broke(500), times: 5 }])
    });
    all.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 10)]
async fn whatever_the_broker_does_the_session_comes_to_its_end() {
    if World::own().await.is_none() {
        return;
    }
    let seed = seed();
    println!("CHANDLERY_TEST_SEED={seed}");
    let slots = Arc::new(Semaphore::new(SLOTS));
    let mut running = JoinSet::new();
    for case in sampled(cases(), SAMPLE, seed) {
        let slots = Arc::clone(&slots);
        running.spawn(async move {
            let _slot = slots.acquire_owned().await.unwrap();
            let ended = tokio::spawn(session(case)).await;
            ended.map_err(|error| println!("{case:?}: {error}")).err().map(|()| case)
        });
    }
    let failed: Vec<Case> = running.join_all().await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

async fn session(case: Case) {
    let world = World::own().await.unwrap();
    let polls = if case.route.is_asynchronous() { 2 } else { 0 };
    let broker = Strict::start(&World::unique(), polls, Gate::default()).await;
    broker.fails(case.route, case.times, case.trouble);
    let running = world.start(&SETTINGS).await;
    let mut session = Session::new(&world, &broker);
    session.run().await;
    let rescued = session.rescued.clone();
    running.stop().await;
    let heard = broker.heard();
    assert_eq!(heard.iter().filter(|heard| heard.trouble.is_some()).count(), case.times, "{case:?}");
    assert_eq!(rescued, rescue(case).as_slice(), "{case:?}: {heard:?}");
    let (made, removed) = (broker.made(), mitigations(&heard));
    assert_eq!(removed, mitigated(case), "{case:?}: {heard:?}");
    // What was made twice was deleted in between.
    assert!(made.0 <= 1 + removed.0 && made.1 <= 1 + removed.1, "{case:?}: {made:?}");
}

/// Where the user has to ask again.
fn rescue(case: Case) -> Vec<&'static str> {
    match (case.route, case.trouble) {
        (Route::Provision, Trouble::Refused(400)) => vec!["provision"],
        (Route::Update, Trouble::Refused(400)) => vec!["touch"],
        (Route::Bind, Trouble::Refused(400)) => vec!["bind"],
        // The broker says that the operation is wrong, or does not know it.
        (Route::PollProvision, Trouble::Refused(400)) => vec!["provision"],
        (Route::PollUpdate, Trouble::Refused(400 | 410)) => vec!["touch"],
        (Route::PollBind, Trouble::Refused(400)) => vec!["bind"],
        _ => vec![],
    }
}

/// How many attempts at an instance and at a binding are followed by a delete of what they may have left (spec: "Orphan
/// Mitigation").
fn mitigated(case: Case) -> (usize, usize) {
    let is_doubtful =
        matches!(case.trouble, Trouble::Broke(_) | Trouble::Refused(503) | Trouble::Silent | Trouble::Lost);
    match (case.route, case.trouble) {
        (Route::Provision, _) if is_doubtful => (case.times, 0),
        (Route::Bind, _) if is_doubtful => (0, case.times),
        (Route::PollProvision, Trouble::Refused(400 | 410)) => (1, 0),
        (Route::PollBind, Trouble::Refused(400 | 410)) => (0, 1),
        _ => (0, 0),
    }
}

/// Deletes that are followed by another attempt: those were not the user's.
fn mitigations(heard: &[Heard]) -> (usize, usize) {
    let count = |make: Route, delete: Route| {
        let turns: Vec<_> = heard.iter().map(|heard| heard.route).filter(|at| [make, delete].contains(at)).collect();
        turns.windows(2).filter(|pair| *pair == [delete, make]).count()
    };
    (count(Route::Provision, Route::Deprovision), count(Route::Bind, Route::Unbind))
}
