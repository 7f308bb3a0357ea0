//! The points at which a worker can be stopped: every write of the engine and every call to AWS, before and after, and
//! every request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chandlery::aws::{CallObserver, Outcome};
use chandlery::engine::Observer;
use tokio::sync::Notify;

/// What happens at the chosen point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing goes on from there.
    ForEver,
    /// It goes on when [`Points::go_on`] is called; time-outs run meanwhile.
    Until,
    /// The same, but the worker is frozen as a whole, as in a machine that is suspended: its time-outs do not run either.
    Frozen,
}

/// A point of a run: its name, and how many of that name came before. Not its place among all, because what goes on at the
/// same time (a binding that follows an update) comes in another order the next time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub name: String,
    pub nth: usize,
}

/// Whether to stop at a point, and how.
type Stops = dyn Fn(&Point) -> Option<Stop> + Send + Sync;

/// Numbers the points of a run as they come, and stops at one.
pub struct Points {
    seen: Mutex<Vec<Point>>,
    calls: Mutex<Vec<(String, String)>>,
    stop: Box<Stops>,
    hit: Notify,
    was_hit: AtomicBool,
    go: Notify,
    thaw: (Mutex<bool>, Condvar),
    fenced: Mutex<usize>,
    given_way: Mutex<usize>,
    /// The turn that was stopped until it goes on, and whether a call of it has reached AWS since.
    frozen: Mutex<(Option<(tokio::task::Id, String)>, bool)>,
}

impl Points {
    pub fn new(stop: impl Fn(&Point) -> Option<Stop> + Send + Sync + 'static) -> Self {
        Self {
            seen: Mutex::default(),
            calls: Mutex::default(),
            stop: Box::new(stop),
            hit: Notify::new(),
            was_hit: AtomicBool::new(false),
            go: Notify::new(),
            thaw: Default::default(),
            fenced: Mutex::default(),
            given_way: Mutex::default(),
            frozen: Mutex::default(),
        }
    }

    /// Only counts.
    pub fn recording() -> Self {
        Self::new(|_| None)
    }

    /// Stops at that point of an earlier run.
    pub fn at(point: Point, how: Stop) -> Self {
        Self::new(move |here| (*here == point).then_some(how))
    }

    /// Resolves when the point is reached.
    pub async fn hit(&self) {
        self.hit.notified().await;
    }

    /// Whether the point has been reached.
    pub fn was_hit(&self) -> bool {
        self.was_hit.load(Ordering::SeqCst)
    }

    pub fn go_on(&self) {
        self.go.notify_one();
        *self.thaw.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.thaw.1.notify_all();
    }

    pub fn seen(&self) -> Vec<Point> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The calls that reached AWS, `("s3", "CreateBucket")`.
    pub fn calls(&self) -> Vec<(String, String)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many writes were refused.
    pub fn fenced(&self) -> usize {
        *self.fenced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many turns ended because somebody else acts for their owner.
    pub fn given_way(&self) -> usize {
        *self.given_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the turn that was stopped has sent a call since.
    pub fn sent_late(&self) -> bool {
        self.frozen.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// A point outside the engine: a request was answered. True if its answer is to be lost and the process to die.
    pub fn request(&self, name: &str) -> bool {
        self.count(format!("answer of {name}")).is_some()
    }

    fn count(&self, name: String) -> Option<Stop> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let point = Point { nth: seen.iter().filter(|point| point.name == name).count(), name };
        let stop = (self.stop)(&point);
        self.was_hit.fetch_or(stop.is_some(), Ordering::SeqCst);
        seen.push(point);
        stop
    }

    async fn pass(&self, name: String) {
        match self.count(name.clone()) {
            None => {}
            Some(Stop::ForEver) => {
                self.hit.notify_one();
                std::future::pending::<()>().await;
            }
            Some(Stop::Until) => {
                self.hit.notify_one();
                self.go.notified().await;
            }
            Some(Stop::Frozen) => {
                self.frozen.lock().unwrap_or_else(PoisonError::into_inner).0 =
                    tokio::task::try_id().map(|id| (id, name));
                self.hit.notify_one();
                tokio::task::block_in_place(|| {
                    let thawed = self.thaw.0.lock().unwrap_or_else(PoisonError::into_inner);
                    drop(self.thaw.1.wait_while(thawed, |thawed| !*thawed));
                });
            }
        }
    }
}

#[async_trait]
impl Observer for Points {
    async fn before_write(&self, what: &'static str) {
        self.pass(format!("before write {what}")).await;
    }

    async fn after_write(&self, what: &'static str) {
        self.pass(format!("after write {what}")).await;
    }

    fn turn(&self, _: &'static str, outcome: &'static str) {
        if outcome == "fenced" {
            *self.given_way.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
    }

    fn fenced(&self) {
        *self.fenced.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }
}

#[async_trait]
impl CallObserver for Points {
    async fn before(&self, service: &str, operation: &str) {
        self.pass(format!("before call {service}:{operation}")).await;
    }

    async fn after(&self, service: &str, operation: &str, _: Outcome, _: Duration) {
        {
            let mut frozen = self.frozen.lock().unwrap_or_else(PoisonError::into_inner);
            let same = |(id, name): &(_, String)| {
                tokio::task::try_id() == Some(*id) && *name == format!("before call {service}:{operation}")
            };
            frozen.1 |= frozen.0.as_ref().is_some_and(same);
        }
        let call = (service.to_owned(), operation.to_owned());
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        self.pass(format!("after call {service}:{operation}")).await;
    }
}
