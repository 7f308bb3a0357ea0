//! AWS misbehaves at a call: the reply is lost, an error passes, the broker is throttled; or it fails from there on until
//! somebody repairs it.

use std::time::Duration;

use serde_json::{Value, json};

use super::jobs;
use super::kill::{all_cases, recorded};
use super::parameters::Case;
use super::points::Points;
use super::walk::{Ended, Walk};
use super::world::World;

/// What happens at a call.
#[derive(Clone, Copy, Debug)]
enum Mode {
    LoseReply,
    /// Also those of the SDK's own retries.
    LoseReplies,
    Transient,
    Throttle,
    Denied,
    Internal,
}

impl Mode {
    const PASSING: [Self; 4] = [Self::LoseReply, Self::LoseReplies, Self::Transient, Self::Throttle];
    const LASTING: [Self; 2] = [Self::Denied, Self::Internal];

    /// From that call on: the `skip`-th of its operation. Three times is once more than the SDK tries by itself.
    fn rule(self, (service, operation): &(String, String), skip: usize) -> Value {
        let mut rule = json!({ "service": service, "operation": operation, "skip": skip });
        let more = match self {
            Self::LoseReply => json!({ "mode": "lose_reply", "times": 1 }),
            Self::LoseReplies => json!({ "mode": "lose_reply", "times": 3 }),
            Self::Transient => json!({ "mode": "error", "code": "InternalError", "status": 500, "times": 3 }),
            Self::Throttle => json!({ "mode": "throttle", "times": 3 }),
            Self::Denied => json!({ "mode": "error", "code": "AccessDenied", "status": 403, "times": null }),
            Self::Internal => json!({ "mode": "error", "code": "InternalError", "status": 500, "times": null }),
        };
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    }
}

type Job = (String, (Case, Mode, Value, bool));

/// A job for every call of a walk and every mode.
fn jobs_of(case: &Case, calls: &[(String, String)], modes: &[Mode]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let skip = calls[..number].iter().filter(|earlier| *earlier == call).count();
        for mode in modes {
            let id = format!("{mode:?} {} {number} {}:{}", case.name(), call.0, call.1);
            jobs.push((id, (case.clone(), *mode, mode.rule(call, skip), number % 2 == 0)));
        }
    }
    jobs
}

async fn jobs(modes: &[Mode], some: usize) -> Vec<Job> {
    let seed = jobs::seed();
    let (mut always, mut sometimes) = (Vec::new(), Vec::new());
    for case in all_cases().await {
        let (_, calls) = recorded(&case).await;
        println!("{}: {} calls", case.name(), calls.len());
        let jobs = if case.is_first { &mut always } else { &mut sometimes };
        jobs.extend(jobs_of(&case, &calls, modes));
    }
    println!("seed {seed} of {} jobs of other plans", sometimes.len());
    always.extend(jobs::sampled(sometimes, some, seed));
    always
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_not_noticed() {
    jobs::run("passing faults", jobs(&Mode::PASSING, 30).await, |slot, (case, _, rule, _)| async move {
        let world = World::begin(&slot, Points::recording()).await;
        world.aws.faults(json!([rule])).await;
        Walk::new(&world, &case).whole().await;
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lasts_ends_in_failure_and_can_be_repaired() {
    jobs::run("lasting faults", jobs(&Mode::LASTING, 20).await, |slot, (case, _, rule, patient)| async move {
        let world = World::begin(&slot, Points::recording()).await;
        world.aws.faults(json!([rule])).await;
        let walk = Walk::new(&world, &case);
        Repaired { walk, patient }.whole().await;
        world.end().await;
    })
    .await;
}

/// A walk whose operations may fail; then the fault is lifted and the user tries again.
struct Repaired<'a> {
    walk: Walk<'a>,
    /// Whether what the broker does in the background is waited for before the user comes back.
    patient: bool,
}

impl Repaired<'_> {
    async fn whole(&self) {
        let (walk, world) = (&self.walk, self.walk.world);
        if !self.timely(walk.provision()).await {
            self.lift().await;
            walk.gone(walk.deprovision().await);
            world.assert_nothing_left().await;
            walk.succeeded(walk.provision().await);
        }
        world.assert_whole().await;
        if walk.case.bind.is_some() {
            if !self.timely(walk.bind()).await {
                self.lift().await;
                walk.gone(walk.unbind().await);
                world.assert_whole().await;
                walk.succeeded(walk.bind().await);
            }
            super::proof::assert_one_key(world, &walk.credentials().await).await;
        }
        if walk.case.update.is_some() && !self.timely(walk.update()).await {
            self.lift().await;
            walk.succeeded(walk.update().await);
            world.assert_whole().await;
        }
        if walk.case.bind.is_some() && !self.timely(walk.unbind()).await {
            self.lift().await;
            walk.gone(walk.unbind().await);
        }
        if !self.timely(walk.deprovision()).await {
            self.lift().await;
            walk.gone(walk.deprovision().await);
        }
        // Something of the background may still fail.
        world.aws.faults(json!([])).await;
        world.assert_nothing_left().await;
    }

    /// Waits for the end while time passes: what is waited for in vain meets its deadline. True if it succeeded.
    async fn timely(&self, operation: impl Future<Output = Ended>) -> bool {
        let (state, answer) = tokio::select! {
            ended = operation => ended,
            () = self.time_passes() => unreachable!(),
        };
        let description = answer["description"].as_str().unwrap_or_default();
        assert!(state != "failed" || description.len() > 20, "a failure without a sentence: {answer}");
        self.walk.world.assert_no_orphan().await;
        state != "failed"
    }

    async fn time_passes(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let late = "UPDATE operation SET deadline = now() - interval '1 minute' WHERE state = 'in progress'
                        AND created_at < now() - interval '300 milliseconds'";
            sqlx::query(late).execute(&self.walk.world.app().pool).await.unwrap();
        }
    }

    /// Somebody repairs AWS.
    async fn lift(&self) {
        let world = self.walk.world;
        world.aws.faults(json!([])).await;
        if self.patient {
            world.assert_idle().await;
            world.assert_no_orphan().await;
        }
    }
}
