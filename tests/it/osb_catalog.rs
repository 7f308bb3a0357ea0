//! `GET /v2/catalog`.

use std::path::PathBuf;

use chandlery::catalog::Catalog;
use http::Method;
use sqlx::PgPool;

use crate::support::parcels;
use crate::support::wire::Transcript;

#[sqlx::test]
async fn the_catalog_on_the_wire_changes_its_tag_only_with_its_body(pool: PgPool) {
    let app = parcels::idle(pool).await;
    let mut wire = Transcript::new(&app);
    let get = |name: &str, value: &str| app.request(Method::GET, "/v2/catalog").header(name, value);
    let first = wire.say("The catalog", app.request(Method::GET, "/v2/catalog")).await;
    let (etag, date) = (first.header("etag").unwrap().to_owned(), first.header("last-modified").unwrap().to_owned());
    wire.name(&etag, "ETAG");
    wire.say("As it is in 2.12", app.speaking("2.12", Method::GET, "/v2/catalog")).await;
    let fresh = wire.say("Nothing new", get("If-None-Match", &etag)).await;
    assert_eq!((fresh.status, fresh.text.as_str(), fresh.header("etag")), (304, "", Some(etag.as_str())));
    assert_eq!(get("If-Modified-Since", &date).send().await.status, 304);
    assert_eq!(get("If-None-Match", "\"other\"").send().await.status, 200);
    wire.check("catalog");

    let publish = async |catalog: PathBuf| {
        app.broker.publish(Catalog::load(&catalog, &app.registry).unwrap()).await.unwrap();
        app.get("/v2/catalog").await.header("etag").unwrap().to_owned()
    };
    assert_eq!(publish(parcels::options().catalog).await, etag);
    let changed = publish(parcels::edited(&[("Few parcels", "Very few parcels")])).await;
    assert_ne!(changed, etag);
    assert_eq!(get("If-None-Match", &etag).send().await.status, 200);
    assert_eq!(publish(parcels::options().catalog).await, etag);
}
