//! What a binding hands out is what lives in AWS.

use serde_json::{Map, Value};

use super::world::World;

/// Every user has exactly one key, and the credentials name it.
pub async fn assert_one_key(world: &World, credentials: &Map<String, Value>) {
    let inventory = world.aws.inventory().await;
    for user in inventory["users"].as_array().unwrap() {
        let keys: Vec<&str> = user["access_keys"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let [key] = keys[..] else { panic!("{} has the keys {keys:?}", user["name"]) };
        assert!(credentials.values().any(|value| value == key), "the live key {key} was not handed out");
    }
}

/// The credentials are accepted by AWS.
pub async fn assert_usable(world: &World, credentials: &Map<String, Value>) {
    let text = |name: &str| credentials.get(name).and_then(Value::as_str);
    let (Some(id), Some(secret)) = (text("access_key_id"), text("secret_access_key")) else { return };
    let session = world.aws.sessions_as(id, secret, None).await.of(&world.aws.target()).await;
    assert!(session.is_ok(), "the credentials do not work: {:?}", session.err());
}
