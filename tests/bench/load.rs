//! The benchmark's own program: an empty handler to compare with, a load generator, and bare SDK calls.
//!
//! `load empty` serves an empty axum handler and prints its address. `load drive` and `load bare` read one JSON object per
//! line and answer each with one; `__main__.py` is who asks. Python itself would be slower than what it measures.

mod bare;
mod drive;

use std::io::{BufRead, Write};

use anyhow::Context;
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("empty") => empty(),
        Some("drive") => answer(|job| Ok(serde_json::to_value(drive::run(&serde_json::from_value(job)?)?)?)),
        Some("bare") => bare::serve(),
        // Cargo runs benchmarks with arguments of its own; there is nothing to do then.
        _ => Ok(()),
    }
}

/// What every figure stands beside: the same HTTP stack with nothing behind it.
#[tokio::main]
async fn empty() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    tell(&json!({ "address": listener.local_addr()?.to_string() }))?;
    let router = axum::Router::new().route("/", axum::routing::get(async || {}));
    axum::serve(listener, router).await?;
    Ok(())
}

/// One line of JSON out for every line of JSON in.
fn answer(mut work: impl FnMut(Value) -> anyhow::Result<Value>) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let job = serde_json::from_str(&line?).context("a job is one line of JSON")?;
        tell(&work(job)?)?;
    }
    Ok(())
}

fn tell(value: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}
