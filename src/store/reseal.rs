//! Every sealed column there is, for those who count or renew what a ring key holds.
//!
//! A value keeps the id of its ring key at a fixed place ([`crate::vault::Sealed`]), so the database can tell which values a
//! key still holds without opening one. Values are exchanged one at a time by comparing the old bytes, so a value that a turn
//! or a request writes at the same time is never overwritten.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Result;
use crate::osb::Uid;
use crate::vault::{Place, Sealed};

/// How many values are read at a time.
const BATCH: i64 = 200;

/// A column that holds sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// What the user gave for an instance.
    InstanceParameters,
    /// What the user gave for a binding.
    BindingParameters,
    /// What a binding's platform gets.
    BindingAnswer,
    /// What an update aims at.
    OperationParameters,
    /// The secret leaves of what a resource shall be.
    DesiredSecrets,
    /// The secret outputs of a resource.
    OutputSecrets,
}

/// The row's identity and its value.
type Row = (Uuid, Vec<u8>);

impl Column {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::InstanceParameters,
        Self::BindingParameters,
        Self::BindingAnswer,
        Self::OperationParameters,
        Self::DesiredSecrets,
        Self::OutputSecrets,
    ];

    /// Where a row's value stands.
    pub fn place(self, row: Uid) -> Place {
        use super::place;
        match self {
            Self::InstanceParameters => place::instance_parameters(row),
            Self::BindingParameters => place::binding_parameters(row),
            Self::BindingAnswer => place::binding_answer(row),
            Self::OperationParameters => place::operation_parameters(row.uuid().into()),
            Self::DesiredSecrets => place::desired_secrets(row),
            Self::OutputSecrets => place::output_secrets(row),
        }
    }

    /// Values that another key than this one holds, in the order of their rows, after row `after`.
    pub async fn others(self, db: impl PgExecutor<'_>, key: Uid, after: Uid) -> Result<Vec<(Uid, Sealed)>> {
        macro_rules! others {
            ($table:literal, $id:literal, $column:literal) => {
                sqlx::query!(
                    "SELECT "
                        + $id
                        + " AS \"row!\", "
                        + $column
                        + " AS \"value!\" FROM "
                        + $table
                        + " WHERE "
                        + $id
                        + " > $2 AND "
                        + $column
                        + " IS NOT NULL AND substring("
                        + $column
                        + " from 2 for 16) <> uuid_send($1) ORDER BY "
                        + $id
                        + " LIMIT $3",
                    key.uuid(),
                    after.uuid(),
                    BATCH,
                )
                .map(|row| (row.row, row.value))
                .fetch_all(db)
                .await?
            };
        }
        let rows: Vec<Row> = match self {
            Self::InstanceParameters => others!("instance", "uid", "parameters"),
            Self::BindingParameters => others!("binding", "uid", "parameters"),
            Self::BindingAnswer => others!("binding", "uid", "answer"),
            Self::OperationParameters => others!("operation", "id", "parameters"),
            Self::DesiredSecrets => others!("resource", "uid", "desired_secrets"),
            Self::OutputSecrets => others!("resource", "uid", "output_secrets"),
        };
        Ok(rows.into_iter().map(|(row, value)| (row.into(), Sealed::from_bytes(value))).collect())
    }

    /// Puts a value in the place of another; false if that one is not there any more.
    pub async fn exchange(self, db: impl PgExecutor<'_>, row: Uid, old: &Sealed, new: &Sealed) -> Result<bool> {
        macro_rules! exchange {
            ($table:literal, $id:literal, $column:literal) => {
                sqlx::query!(
                    "UPDATE " + $table + " SET " + $column + " = $3 WHERE " + $id + " = $1 AND " + $column + " = $2",
                    row.uuid(),
                    old.as_bytes(),
                    new.as_bytes(),
                )
                .execute(db)
                .await?
            };
        }
        let done = match self {
            Self::InstanceParameters => exchange!("instance", "uid", "parameters"),
            Self::BindingParameters => exchange!("binding", "uid", "parameters"),
            Self::BindingAnswer => exchange!("binding", "uid", "answer"),
            Self::OperationParameters => exchange!("operation", "id", "parameters"),
            Self::DesiredSecrets => exchange!("resource", "uid", "desired_secrets"),
            Self::OutputSecrets => exchange!("resource", "uid", "output_secrets"),
        };
        Ok(done.rows_affected() > 0)
    }
}

/// How many values a ring key holds.
pub async fn count(db: &mut PgConnection, key: Uid) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM instance WHERE substring(parameters from 2 for 16) = uuid_send($1))
                + (SELECT count(*) FROM binding WHERE substring(parameters from 2 for 16) = uuid_send($1))
                + (SELECT count(*) FROM binding WHERE substring(answer from 2 for 16) = uuid_send($1))
                + (SELECT count(*) FROM operation WHERE substring(parameters from 2 for 16) = uuid_send($1))
                + (SELECT count(*) FROM resource WHERE substring(desired_secrets from 2 for 16) = uuid_send($1))
                + (SELECT count(*) FROM resource WHERE substring(output_secrets from 2 for 16) = uuid_send($1)) AS "count!""#,
        key.uuid()
    )
    .fetch_one(db)
    .await?)
}
