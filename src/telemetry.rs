//! Logs: one line per event on standard error, as text or JSON, and a panic as one line as well.
//!
//! **What a log may hold.** Our own events name no secret at any level; a test seeds secrets and greps. Of other crates
//! that cannot be said: below `info` the AWS SDK shows requests and responses (`aws_smithy_runtime`), HTTP stacks show
//! headers and with them `Authorization` (`hyper`, `h2`, `reqwest`), sqlx shows statements, rustls shows handshakes. So
//! **nothing but our own crate logs below `info`, whatever the filter says** (`RUST_LOG=trace` of a hurried night included).
//! It is a list of what may, not of what may not: a dependency that is added tomorrow is covered.
//!
//! Dependencies that speak through the `log` crate are not heard at all.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, ParseError, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not one.
    #[error("the log filter is not valid: {0}; it should look like `info` or `info,chandlery::engine=debug`")]
    Filter(#[from] ParseError),
    /// It was set up before.
    #[error("logs are set up already")]
    Twice,
}

/// Sets up logs and the panic hook of this process. `filter` is of tracing's `EnvFilter` form.
pub fn init(filter: &str, format: LogFormat) -> Result<(), Error> {
    subscriber(filter, format, std::io::stderr().is_terminal(), std::io::stderr)?
        .try_init()
        .map_err(|_| Error::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn subscriber<W>(
    filter: &str,
    format: LogFormat,
    colour: bool,
    writer: W,
) -> Result<impl Subscriber + Send + Sync, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let clamp = filter_fn(is_harmless).with_max_level_hint(LevelFilter::TRACE);
    let filter = EnvFilter::builder().parse(filter)?.and(clamp);
    let lines = match format {
        LogFormat::Text => fmt::layer().with_writer(writer).with_ansi(colour).boxed(),
        LogFormat::Json => fmt::layer().with_writer(writer).json().flatten_event(true).with_current_span(false).boxed(),
    };
    Ok(tracing_subscriber::registry().with(lines.with_filter(filter)))
}

/// Our own crate at every level, everybody else from `info` up.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    const OURS: &str = env!("CARGO_CRATE_NAME");
    let ours = metadata.target().strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    ours || *metadata.level() <= tracing::Level::INFO
}

/// The default hook writes several lines that no log collector keeps together.
fn log_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let message = info.payload_as_str().unwrap_or("no message").replace('\n', " ");
    let thread = std::thread::current();
    tracing::error!(panic.place = place, panic.thread = thread.name().unwrap_or("unnamed"), "panic: {message}");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, events: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = subscriber(filter, format, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, events);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn nobody_else_logs_below_info_whatever_the_filter_says() {
        let filter = "trace,aws_smithy_runtime=trace,sqlx::query=debug,hyper=trace,chandlery=trace,chandlery_x=trace";
        let text = logged(filter, LogFormat::Text, || {
            tracing::trace!(target: "aws_smithy_runtime::client", "secret-1");
            tracing::debug!(target: "sqlx::query", "secret-2");
            tracing::debug!(target: "chandlery_x", "secret-3");
            let span = tracing::debug_span!(target: "hyper", "request", header = "secret-4");
            span.in_scope(|| tracing::trace!(target: "chandlery::engine", { instance.id = 1 }, "ours"));
            tracing::warn!(target: "sqlx::query", "slow");
        });
        assert!(text.contains("ours") && text.contains("slow") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn the_filter_is_the_users_for_our_own_events_and_json_is_one_object_a_line() {
        let text = logged("info", LogFormat::Json, || {
            tracing::debug!("no");
            tracing::info!(operation.id = 2, "yes\nand");
        });
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!((&line["message"], &line["operation.id"]), (&"yes\nand".into(), &2.into()));
        assert!(subscriber("info,=x=y", LogFormat::Text, false, std::io::sink).is_err());
    }
}
