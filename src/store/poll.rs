//! What a poll reads: one operation, by one prepared statement (those of instances are gathered, see [`super::Gather`]).

use sqlx::PgExecutor;
use uuid::Uuid;

use super::gather::in_place;
use super::{OperationKind, OperationState, Result};
use crate::osb::{BindingId, InstanceId, OperationId, PlatformName};

/// What a poll reads.
#[derive(Clone, Debug)]
pub struct Polled {
    /// The operation that answers.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// How far it is.
    pub state: OperationState,
    /// In words.
    pub description: String,
    /// Seconds.
    pub retry_after: i32,
    /// See OSB's `instance_usable`.
    pub instance_usable: Option<bool>,
    /// See OSB's `update_repeatable`.
    pub update_repeatable: Option<bool>,
    /// The operation that the platform named was stopped by this one.
    pub named_superseded: bool,
}

/// Which operation of an instance a platform asks about.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whose instance.
    pub platform: PlatformName,
    /// Which.
    pub instance: InstanceId,
    /// The operation that the platform names.
    pub named: Option<OperationId>,
}

/// The operations that platforms ask about: the one that is named if that still counts (also when the id is in use again), else
/// the newest of the instance. In the order asked.
pub async fn instances(db: impl PgExecutor<'_>, asked: &[Asked]) -> Result<Vec<Option<Polled>>> {
    let platforms: Vec<&str> = asked.iter().map(|asked| asked.platform.as_str()).collect();
    let ids: Vec<&str> = asked.iter().map(|asked| asked.instance.as_str()).collect();
    let named: Vec<Option<Uuid>> = asked.iter().map(|asked| asked.named.map(OperationId::uuid)).collect();
    let rows = sqlx::query!(
        r#"SELECT asked.place AS "place!", o.id AS "id!", o.kind AS "kind!: OperationKind", o.state AS "state!: OperationState",
                  o.description AS "description!", o.retry_after AS "retry_after!", o.instance_usable AS "instance_usable?",
                  o.update_repeatable AS "update_repeatable?",
                  EXISTS (SELECT FROM operation s WHERE s.id = asked.named AND s.owner = o.owner AND s.state = 'superseded')
                  AS "named_superseded!"
           FROM unnest($1::text[], $2::text[], $3::uuid[]) WITH ORDINALITY AS asked (platform, id, named, place)
           CROSS JOIN LATERAL (
             SELECT o.* FROM instance i JOIN operation o ON o.owner = i.uid
             WHERE i.platform = asked.platform AND i.id = asked.id AND o.kind NOT IN ('refresh', 'cleanup')
             ORDER BY COALESCE(o.id = asked.named AND o.state <> 'superseded', false) DESC, (i.state = 'deleted'),
                      i.deleted_at DESC, o.created_at DESC
             LIMIT 1) o"#,
        &platforms as &[&str],
        &ids as &[&str],
        &named as &[Option<Uuid>],
    )
    .fetch_all(db)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let polled = Polled {
            id: row.id.into(),
            kind: row.kind,
            state: row.state,
            description: row.description,
            retry_after: row.retry_after,
            instance_usable: row.instance_usable,
            update_repeatable: row.update_repeatable,
            named_superseded: row.named_superseded,
        };
        (row.place, polled)
    });
    Ok(in_place(asked.len(), rows))
}

/// The same for a binding.
pub async fn binding(
    db: impl PgExecutor<'_>,
    platform: &PlatformName,
    instance: &InstanceId,
    id: &BindingId,
    named: Option<OperationId>,
) -> Result<Option<Polled>> {
    Ok(sqlx::query_as!(
        Polled,
        r#"SELECT o.id, o.kind AS "kind: OperationKind", o.state AS "state: OperationState", o.description, o.retry_after,
                  o.instance_usable, o.update_repeatable,
                  EXISTS (SELECT FROM operation s WHERE s.id = $4 AND s.owner = o.owner AND s.state = 'superseded')
                  AS "named_superseded!"
           FROM instance i JOIN binding b ON b.instance = i.uid JOIN operation o ON o.owner = b.uid
           WHERE i.platform = $1 AND i.id = $2 AND b.id = $3 AND o.kind NOT IN ('refresh', 'cleanup')
           ORDER BY COALESCE(o.id = $4 AND o.state <> 'superseded', false) DESC, (i.state = 'deleted'), i.deleted_at DESC,
                    (b.state = 'deleted'), b.deleted_at DESC, o.created_at DESC
           LIMIT 1"#,
        platform.as_str(),
        instance.as_str(),
        id.as_str(),
        named.map(OperationId::uuid),
    )
    .fetch_optional(db)
    .await?)
}
