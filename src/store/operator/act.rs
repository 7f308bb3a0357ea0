//! What an operator may do to an owner: have it tried again now, and have a thing forgotten.

use std::time::Duration;

use sqlx::{Acquire, PgConnection};

use crate::osb::{OperationId, Uid};
use crate::store::operation::{Change, NewOperation, accept, live};
use crate::store::{Lane, OperationKind, OperationState, Phase, Result, State, event};

const ACTOR: &str = "operator";

/// How long an operation that nobody polls is given before it counts as overdue in the operator's list.
const LASTS: Duration = Duration::from_secs(24 * 3600);

/// What a retry came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// What runs is due now, with so many of its resources.
    Hastened(OperationId, u64),
    /// A new operation goes on with what is left.
    Started(OperationId, OperationKind),
    /// There is nothing to be tried again; this is the owner's state.
    Nothing(State),
}

/// Makes an owner due now, with fresh patience; where its last operation has ended and left something, starts another one that
/// goes on. `who` and the rest are for the event.
pub async fn retry(db: &mut PgConnection, owner: Uid, who: &str) -> Result<Retried> {
    let mut transaction = db.begin().await?;
    let Some(state) = lock(&mut transaction, owner).await? else { return Ok(Retried::Nothing(State::Deleted)) };
    let retried = match live(&mut *transaction, owner).await? {
        Some(operation) => {
            let hastened = hasten(&mut transaction, owner).await?;
            Retried::Hastened(operation.id, hastened)
        }
        None => start(&mut transaction, owner, state).await?,
    };
    if let Retried::Hastened(id, _) | Retried::Started(id, _) = retried {
        let message = format!("an operator ({who}) had it tried again now");
        event::append(&mut *transaction, owner, id, ACTOR, "retry", &message).await?;
    }
    transaction.commit().await?;
    Ok(retried)
}

async fn hasten(db: &mut PgConnection, owner: Uid) -> Result<u64> {
    // An operation whose owner nothing wakes any more (its `run_at` lost by a defect) is woken, too. A turn that is under way
    // sees at its end that this is not the time it fell due at, and leaves it.
    sqlx::query!("UPDATE owner SET run_at = now() WHERE uid = $1", owner.uuid()).execute(&mut *db).await?;
    refresh(db, owner).await
}

/// Gives an owner's resources fresh patience. Answers how many.
async fn refresh(db: &mut PgConnection, owner: Uid) -> Result<u64> {
    Ok(sqlx::query!(
        "UPDATE resource SET run_at = now(), attempts = 0 WHERE owner = $1 AND state NOT IN ('ready', 'retained', 'abandoned')",
        owner.uuid()
    )
    .execute(db)
    .await?
    .rows_affected())
}

async fn start(db: &mut PgConnection, owner: Uid, state: State) -> Result<Retried> {
    let left = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM resource WHERE owner = $1 AND state NOT IN ('retained', 'abandoned')) AS "left!""#,
        owner.uuid()
    )
    .fetch_one(&mut *db)
    .await?;
    let last = sqlx::query!(
        r#"SELECT kind AS "kind: OperationKind", state AS "state: OperationState", revision FROM operation
           WHERE owner = $1 ORDER BY created_at DESC LIMIT 1"#,
        owner.uuid()
    )
    .fetch_optional(&mut *db)
    .await?;
    let (kind, revision, description) = match (state, last) {
        (State::Deleting, _) => (OperationKind::Cleanup, None, "removing what is left"),
        (State::Failed, _) if left => (OperationKind::Cleanup, None, "removing what a failed operation left"),
        // A live binding that could not follow its instance's update, or an instance that could not go back.
        (State::Ready, Some(last)) if last.kind == OperationKind::Refresh && last.state == OperationState::Failed => {
            (OperationKind::Refresh, last.revision, "bringing everything to what it should be")
        }
        _ => return Ok(Retried::Nothing(state)),
    };
    let new = NewOperation { id: OperationId::random(), description, actor: None, lasts: LASTS };
    accept(&mut *db, owner, kind, Lane::Async, &new, &Change { revision, ..Change::default() }).await?;
    refresh(db, owner).await?;
    Ok(Retried::Started(new.id, kind))
}

/// What was forgotten.
#[derive(Clone, Debug)]
pub struct Abandoned {
    /// Whose it was.
    pub owner: Uid,
    /// Its key.
    pub key: String,
    /// Its kind.
    pub kind: String,
    /// Its name, by which it can be found in AWS.
    pub name: String,
    /// A turn was under way; it can write nothing any more.
    pub fenced: bool,
    /// What runs for the owner and goes on without it.
    pub operation: Option<OperationId>,
}

/// Why a resource cannot be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such row.
    Unknown,
    /// It is retained or abandoned already.
    Already,
    /// Its owner is in this state and being made or kept, not removed: the engine would wait for the thing for ever.
    Wanted(State),
}

/// Tells the engine to go on without a thing. The epoch is raised in the same transaction, so a turn that is under way
/// cannot write its row any more. Secrets of the row go; name, handle and desired state stay, so that people can find the thing.
pub async fn abandon(
    db: &mut PgConnection,
    resource: Uid,
    who: &str,
) -> Result<std::result::Result<Abandoned, Refused>> {
    let mut transaction = db.begin().await?;
    let owner = sqlx::query_scalar!("SELECT owner FROM resource WHERE uid = $1", resource.uuid())
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(owner) = owner.map(Uid::from) else { return Ok(Err(Refused::Unknown)) };
    let Some(state) = lock(&mut transaction, owner).await? else { return Ok(Err(Refused::Unknown)) };
    let running = live(&mut *transaction, owner).await?;
    let undone = running.as_ref().is_some_and(|running| {
        running.phase == Phase::Undo && matches!(running.kind, OperationKind::Provision | OperationKind::Bind)
    });
    if !undone && !matches!(state, State::Failed | State::Deleting | State::Deleted) {
        return Ok(Err(Refused::Wanted(state)));
    }
    // Waits for writes that began under the old epoch.
    let was = sqlx::query!(
        r#"UPDATE owner SET epoch = epoch + 1, run_at = CASE WHEN $2 THEN now() ELSE run_at END WHERE uid = $1
           RETURNING (lease_id IS NOT NULL AND lease_until > now()) AS "leased!""#,
        owner.uuid(),
        running.is_some(),
    )
    .fetch_one(&mut *transaction)
    .await?;
    let row = sqlx::query!(
        "UPDATE resource SET state = 'abandoned', desired_secrets = NULL, output_secrets = NULL,
                message = 'an operator told the broker to forget it'
         WHERE uid = $1 AND state NOT IN ('retained', 'abandoned') RETURNING key, kind, name",
        resource.uuid()
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = row else { return Ok(Err(Refused::Already)) };
    let operation = match &running {
        Some(running) => Some(running.id),
        None => newest(&mut transaction, owner).await?,
    };
    if let Some(operation) = operation {
        let message = format!("an operator ({who}) had {} forgotten: {} {} stays in AWS", row.key, row.kind, row.name);
        sqlx::query!(
            "INSERT INTO event (owner, operation, actor, what, resource, message) VALUES ($1, $2, $3, 'abandoned', $4, $5)",
            owner.uuid(),
            operation.uuid(),
            ACTOR,
            row.key,
            message,
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    let (key, kind, name) = (row.key, row.kind, row.name);
    let operation = running.map(|running| running.id);
    Ok(Ok(Abandoned { owner, key, kind, name, fenced: was.leased, operation }))
}

async fn newest(db: &mut PgConnection, owner: Uid) -> Result<Option<OperationId>> {
    let id =
        sqlx::query_scalar!("SELECT id FROM operation WHERE owner = $1 ORDER BY created_at DESC LIMIT 1", owner.uuid())
            .fetch_optional(db)
            .await?;
    Ok(id.map(OperationId::from))
}

/// Locks an owner's rows as requests do, the instance first, and says how far it is; `None` if it does not exist.
async fn lock(db: &mut PgConnection, owner: Uid) -> Result<Option<State>> {
    let instance = sqlx::query_scalar!(
        r#"SELECT state AS "state: State" FROM instance WHERE uid = $1 FOR NO KEY UPDATE"#,
        owner.uuid()
    )
    .fetch_optional(&mut *db)
    .await?;
    if instance.is_some() {
        return Ok(instance);
    }
    sqlx::query!(
        "SELECT uid FROM instance WHERE uid = (SELECT instance FROM binding WHERE uid = $1) FOR SHARE",
        owner.uuid()
    )
    .fetch_optional(&mut *db)
    .await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT state AS "state: State" FROM binding WHERE uid = $1 FOR NO KEY UPDATE"#,
        owner.uuid()
    )
    .fetch_optional(&mut *db)
    .await?)
}
