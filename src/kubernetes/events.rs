//! Events for `kubectl describe`. They are written aside: no turn waits for one, and a flood is dropped, not queued.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;

use crate::metrics::ControllerMetrics;

/// How many may wait.
const WAITING: usize = 1024;

/// The longest note that the API takes.
const LONGEST: usize = 1024;

/// Takes events.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<(Event, ObjectReference)>,
    metrics: ControllerMetrics,
}

impl Events {
    /// A recorder that writes until it is dropped.
    pub fn start(client: Client, identity: String, metrics: ControllerMetrics) -> Self {
        let recorder =
            Recorder::new(client, Reporter { controller: "chandlery-controller".into(), instance: Some(identity) });
        let (queue, mut waiting) = mpsc::channel::<(Event, ObjectReference)>(WAITING);
        tokio::spawn(async move {
            while let Some((event, about)) = waiting.recv().await {
                if let Err(error) = recorder.publish(&event, &about).await {
                    // A namespace in deletion takes no event: nothing to worry about.
                    tracing::debug!(event.reason = event.reason, "an event was not written: {error}");
                }
            }
        });
        Self { queue, metrics }
    }

    /// Something went as it should.
    pub fn normal<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        action: &str,
        reason: &str,
        note: impl Into<String>,
    ) {
        self.publish(about, EventType::Normal, action, reason, note.into());
    }

    /// Something did not.
    pub fn warning<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        action: &str,
        reason: &str,
        note: impl Into<String>,
    ) {
        self.publish(about, EventType::Warning, action, reason, note.into());
    }

    fn publish<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        type_: EventType,
        action: &str,
        reason: &str,
        note: String,
    ) {
        let note = Some(shortened(note));
        let event = Event { type_, reason: reason.to_owned(), note, action: action.to_owned(), secondary: None };
        if self.queue.try_send((event, about.object_ref(&()))).is_err() {
            self.metrics.event_dropped();
        }
    }
}

fn shortened(mut note: String) -> String {
    if note.len() > LONGEST {
        let end = (0..=LONGEST - 4).rev().find(|end| note.is_char_boundary(*end)).unwrap_or_default();
        note.truncate(end);
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_two_characters() {
        let note = shortened("ü".repeat(2000));
        assert!(note.len() <= LONGEST && note.ends_with("ü…"));
        assert_eq!(shortened("short".into()), "short");
    }
}
