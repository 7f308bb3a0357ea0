//! Changes of catalog and policy while the program serves.

use std::time::{Duration, Instant};

use chandlery::osb::Uid;
use sqlx::PgPool;

use crate::support::app::POLICY;
use crate::support::aws::Aws;
use crate::support::process::{Home, Served};

const PARCELS: &str = include_str!("offerings/parcels.yaml");

#[sqlx::test]
async fn what_no_offering_has_is_told_and_an_emptied_directory_is_not_taken_over(pool: PgPool) {
    let policy = format!("{POLICY}  - match: {{ offering: parcel }}\n    forced: {{ delay: 5 }}\n");
    let home = Home::new(&pool, Aws::fresh(), &policy).await;
    let catalog = home.directory.join(format!("catalog-{}", Uid::random()));
    std::fs::create_dir(&catalog).unwrap();
    std::fs::write(catalog.join("parcels.yaml"), PARCELS).unwrap();
    let served = home
        .serve(|command| {
            command.env("CHANDLERY_CATALOG", &catalog).env("CHANDLERY_RELOAD_INTERVAL", "50ms");
        })
        .await;
    logged(&served, "no offering of the catalog fits \"parcel\"").await;

    std::fs::remove_file(catalog.join("parcels.yaml")).unwrap();
    logged(&served, "holds no offering any more").await;
    let ready = reqwest::get(format!("{}/readyz", served.url)).await.unwrap().status();
    assert!(ready.is_success(), "{ready}: what was served is served");

    let renamed = PARCELS.replace("name: parcels", "name: parcel");
    std::fs::write(catalog.join("parcels.yaml"), renamed).unwrap();
    logged(&served, "took over the changed catalog").await;
}

/// Waits until the broker has logged that.
async fn logged(served: &Served, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !served.log().contains(text) {
        assert!(Instant::now() < deadline, "{text} is not in\n{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
