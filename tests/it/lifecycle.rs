//! The main job, end to end.

use serde_json::json;
use sqlx::PgPool;

use crate::support::app::TestApp;

#[sqlx::test]
async fn a_bucket_is_ordered_bound_used_unbound_and_deleted(pool: PgPool) {
    let app = TestApp::start(pool).await;
    let ids = app.ids("s3-bucket", "standard");
    let instance = app.provision(&ids, json!({})).await;
    let (binding, answer) = app.bind(&instance, &ids, json!({})).await;
    assert_eq!(answer["credentials"]["type"], "s3");
    app.unbind(&instance, &binding, &ids).await.expect(200);
    let end = app.deprovision(&instance, &ids).await;
    assert_eq!(end["state"], "succeeded", "{end}");
    app.assert_settled().await;
    app.assert_nothing_left().await;
}
