use crate::support::aws::Aws;
use chandlery::catalog::Revision;
use chandlery::driver::{Driver, Registry};
use std::sync::Arc;

#[tokio::test]
async fn offerings_are_valid() {
    let sessions = Aws::fresh().sessions().await;
    let registry = Registry::new([
        Arc::new(chandlery::resource::s3::bucket::BucketDriver::new(sessions.clone())) as Arc<dyn Driver>,
        Arc::new(chandlery::resource::sqs::queue::QueueDriver::new(sessions.clone())),
        Arc::new(chandlery::resource::iam::identity::IdentityDriver::new(sessions)),
    ]);
    for file in ["s3-bucket.yaml", "sqs-queue.yaml"] {
        let source = std::fs::read_to_string(format!("catalog/{file}")).unwrap();
        if let Err(problems) = Revision::parse(file, &source, &registry) {
            panic!("{problems}")
        }
    }
}
