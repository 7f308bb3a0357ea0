//! One job's world: a fresh account, brokers that come and go, and what must be true of rows and AWS together.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chandlery::aws::CallObserver;
use chandlery::engine::{Observer, Silent};
use chandlery::vault::{FileMasterKey, MasterKey};
use serde_json::Value;

use super::jobs::Slot;
use super::points::Points;
use crate::support::app::{Options, Replica, TestApp, engine_settings};
use crate::support::aws::Aws;

/// Short enough for thousands of retries, long enough to tell one from the next.
const BACKOFF: Duration = Duration::from_millis(5);

pub struct World {
    pub aws: Aws,
    pub points: Arc<Points>,
    catalog: Mutex<PathBuf>,
    apps: Mutex<Vec<Arc<TestApp>>>,
    replica: Mutex<Option<Replica>>,
    others: Mutex<Vec<Replica>>,
    beside: Mutex<Vec<Arc<TestApp>>>,
}

/// The settings of every broker here.
pub fn options() -> Options {
    let settings =
        chandlery::engine::Settings { backoff: BACKOFF, poll: Duration::from_millis(50), ..engine_settings() };
    Options { settings, ..Options::default() }
}

impl World {
    /// With a broker whose engine passes these points.
    pub async fn begin(slot: &Slot, points: Points) -> Self {
        Self::with(slot, points, options()).await
    }

    pub async fn with(slot: &Slot, points: Points, options: Options) -> Self {
        let points = Arc::new(points);
        let master: Arc<dyn MasterKey> = master();
        let catalog = Mutex::new(options.catalog.clone());
        let options = Options {
            observer: Arc::clone(&points) as Arc<dyn Observer>,
            calls: Some(Arc::clone(&points) as Arc<dyn CallObserver>),
            ..options
        };
        let mut app = TestApp::at(slot.connect(), Aws::over(Some(slot.client.clone())), master, options).await;
        let replica = Mutex::new(app.replica.take());
        Self {
            aws: app.aws.clone(),
            points,
            catalog,
            apps: Mutex::new(vec![Arc::new(app)]),
            replica,
            others: Mutex::default(),
            beside: Mutex::default(),
        }
    }

    /// The broker that answers now.
    pub fn app(&self) -> Arc<TestApp> {
        Arc::clone(self.apps.lock().unwrap().last().unwrap())
    }

    /// The process dies where it stands, and another one comes up, as if the dead one's leases had run out long ago.
    pub async fn crash(&self) {
        let replica = self.replica.lock().unwrap().take();
        if let Some(replica) = replica {
            replica.kill().await;
        }
        // A lease outlasts every call; so what was on its way has arrived.
        self.aws.quiet().await;
        self.app().expire_leases().await;
        self.replace(options()).await;
    }

    /// The same, but the new one serves another catalog.
    pub async fn crash_into(&self, catalog: PathBuf) {
        *self.catalog.lock().unwrap() = catalog;
        self.crash().await;
    }

    /// The process stops in good order; the one beside it answers from now on.
    pub fn stop(&self) -> impl Future<Output = ()> + use<> {
        let beside = self.beside.lock().unwrap().pop().unwrap();
        self.apps.lock().unwrap().push(beside);
        let replica = self.replica.lock().unwrap().take().unwrap();
        replica.stop()
    }

    /// Another process with an empty memory.
    pub async fn replace(&self, options: Options) {
        let catalog = self.catalog.lock().unwrap().clone();
        let options = Options { catalog, observer: Arc::new(Silent), ..options };
        let mut app = self.join(options).await;
        let replica = app.replica.take();
        self.apps.lock().unwrap().push(Arc::new(app));
        *self.replica.lock().unwrap() = replica;
    }

    /// Another process beside this one.
    pub async fn second(&self, options: Options) {
        let mut app = self.join(options).await;
        let replica = app.replica.take().unwrap();
        self.others.lock().unwrap().push(replica);
        self.beside.lock().unwrap().push(Arc::new(app));
    }

    async fn join(&self, options: Options) -> TestApp {
        let before = self.app();
        let pool = super::jobs::process_pool(&before.pool);
        TestApp::at(pool, self.aws.clone(), Arc::clone(&before.master), options).await
    }

    /// Does something while crashing at the chosen point.
    pub async fn crashing<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => done,
            () = self.points.hit() => {
                self.crash().await;
                work.await
            }
        }
    }

    /// Does something while something else happens at the chosen point.
    pub async fn disturbed<T>(&self, work: impl Future<Output = T>, disturbance: impl Future<Output = ()>) -> T {
        let disturbance = async {
            self.points.hit().await;
            disturbance.await;
        };
        tokio::pin!(work, disturbance);
        tokio::select! {
            biased;
            () = &mut disturbance => work.await,
            done = &mut work => {
                assert!(self.points.was_hit(), "the point did not come: {:?}", self.points.seen());
                disturbance.await;
                done
            }
        }
    }

    /// The rows of this world's account: key, name, owner, state.
    pub async fn rows(&self) -> Vec<(String, String, String, String)> {
        sqlx::query_as(
            "SELECT r.key, r.name, r.owner::text, r.state FROM resource r JOIN owner o ON o.uid = r.owner
             WHERE o.target LIKE $1 || '/%' ORDER BY r.place",
        )
        .bind(&self.aws.account)
        .fetch_all(&self.app().pool)
        .await
        .unwrap()
    }

    /// What the account holds: name and owner tag, of whatever kind.
    pub async fn things(&self) -> Vec<(String, String)> {
        let inventory = self.aws.inventory().await;
        let lists =
            inventory.as_object().unwrap().iter().filter(|(kind, _)| *kind != "kms_keys" && *kind != "policies");
        let things = lists.flat_map(|(_, list)| list.as_array().unwrap().clone());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        things
            .filter(|thing| thing["tags"].get("chandlery:owner").is_some())
            .map(|thing| (text(&thing["name"]), text(&thing["tags"]["chandlery:owner"])))
            .collect()
    }

    /// Everything in AWS stands in a row, whatever state that is in.
    pub async fn assert_no_orphan(&self) {
        let (rows, things) = (self.rows().await, self.things().await);
        for (name, owner) in &things {
            let listed = rows.iter().filter(|row| row.1 == *name && row.2 == *owner).count();
            assert_eq!(listed, 1, "{name} of {owner} is in AWS and in {listed} rows\nrows: {rows:#?}");
        }
    }

    /// Rows and AWS agree thing by thing, and every row is ready.
    pub async fn assert_whole(&self) {
        self.assert_no_orphan().await;
        let (rows, things) = (self.rows().await, self.things().await);
        for (key, name, owner, state) in &rows {
            assert_eq!(state, "ready", "{key} ({name})");
            let made = things.iter().filter(|thing| thing.0 == *name && thing.1 == *owner).count();
            assert_eq!(made, 1, "{key} ({name}) is {made} times in AWS\nAWS: {things:#?}");
        }
    }

    /// Nothing runs, nothing is due, nobody holds a lease.
    pub async fn assert_idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut looks = 0;
        loop {
            looks += 1;
            let busy: Vec<String> = sqlx::query_scalar(
                "SELECT 'operation ' || kind || ' ' || description FROM operation WHERE state = 'in progress'
                 UNION ALL SELECT format('owner %s due %s leased until %s', uid, run_at, lease_until) FROM owner
                           WHERE run_at IS NOT NULL OR lease_id IS NOT NULL",
            )
            .fetch_all(&self.app().pool)
            .await
            .unwrap();
            if busy.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still busy after {looks} looks: {busy:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Neither rows nor AWS hold anything.
    pub async fn assert_nothing_left(&self) {
        self.assert_idle().await;
        assert_eq!(self.rows().await, [], "rows are left");
        assert_eq!(self.things().await, [], "left in AWS");
        self.app().assert_nothing_left().await;
    }

    /// The account is forgotten, so that the stand-in does not fill up.
    pub async fn end(self) {
        let replica = self.replica.lock().unwrap().take();
        let others = std::mem::take(&mut *self.others.lock().unwrap());
        for replica in replica.into_iter().chain(others) {
            replica.kill().await;
        }
        let url = format!("{}/_standin/accounts/{}", self.aws.endpoint, self.aws.account);
        self.aws.http.delete(url).send().await.unwrap();
    }
}

/// One master key for all: a slot's database keeps its ring.
fn master() -> Arc<dyn MasterKey> {
    static KEY: std::sync::OnceLock<Arc<FileMasterKey>> = std::sync::OnceLock::new();
    let key = KEY.get_or_init(|| Arc::new(FileMasterKey::from_base64(&FileMasterKey::generate().unwrap()).unwrap()));
    Arc::<FileMasterKey>::clone(key)
}
