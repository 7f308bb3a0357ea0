//! Goldens of the wire: a transcript of requests and answers as a client sees them, with what differs from run to run taken
//! out. One transcript a test, under `tests/it/goldens`.

use std::fmt::Write;

use serde_json::Value;

use super::app::TestApp;
use super::reply::{Raw, Reply};

/// Headers of an answer that are part of the protocol.
const SHOWN: [&str; 7] = [
    "allow",
    "cache-control",
    "content-type",
    "retry-after",
    "vary",
    "www-authenticate",
    "x-broker-api-request-identity",
];

/// Texts whose value is random.
const RANDOM: [&str; 3] = ["operation", "access_key_id", "secret_access_key"];

pub struct Transcript {
    names: Vec<(String, String)>,
    text: String,
}

impl Transcript {
    pub fn new(app: &TestApp) -> Self {
        let standin = (app.aws.endpoint.clone(), "https://aws".to_owned());
        Self { names: vec![standin, (app.aws.account.clone(), "ACCOUNT".to_owned())], text: String::new() }
    }

    /// From now on this text is shown as that word.
    pub fn name(&mut self, text: &str, word: &str) {
        self.names.push((text.to_owned(), word.to_owned()));
    }

    /// Sends a request, under a heading that says what it is about, and notes both.
    pub async fn say(&mut self, heading: &str, raw: Raw) -> Reply {
        let (client, request) = raw.builder.build_split();
        let request = request.unwrap();
        let query = request.url().query().map(|query| format!("?{query}")).unwrap_or_default();
        let line = format!("{} {}{query}", request.method(), request.url().path());
        let body = request.body().and_then(reqwest::Body::as_bytes).map(String::from_utf8_lossy);
        let (line, body) = (self.redacted(&line), body.map(|body| self.redacted(&body)));
        let _ = write!(self.text, "## {heading}\n{line}\n");
        if let Some(body) = body.filter(|body| body.len() < 1000) {
            let _ = writeln!(self.text, "{body}");
        }
        let reply = Reply::of(client.execute(request).await.unwrap()).await;
        self.note(&reply);
        reply
    }

    fn note(&mut self, reply: &Reply) {
        let _ = writeln!(self.text, "\n{}", reply.status);
        for name in SHOWN {
            for value in reply.headers.get_all(name) {
                let _ = writeln!(self.text, "{name}: {}", value.to_str().unwrap());
            }
        }
        if !reply.text.is_empty() {
            let mut body = reply.json();
            hide(&mut body);
            let text = self.redacted(&serde_json::to_string_pretty(&body).unwrap());
            let _ = writeln!(self.text, "{text}");
        }
        self.text.push('\n');
    }

    fn redacted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.names {
            text = text.replace(from, to);
        }
        slugs(&text)
    }

    #[track_caller]
    pub fn check(self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/goldens"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, self.text.trim_end()));
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if value.is_string() && RANDOM.contains(&name.as_str()) {
                    *value = format!("[{name}]").into();
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// Names in AWS are `chandlery-` and a random word.
fn slugs(text: &str) -> String {
    let mut parts = text.split("chandlery-");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown += "chandlery-SLUG";
        shown += part.trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    }
    shown
}
