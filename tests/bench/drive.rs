//! A load generator: one thread per keep-alive connection, blocking, no pipelining.
//!
//! It shares the machine's cores with what it measures, so it does as little as possible: requests are put together from
//! text, and of an answer only status and length are looked at.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// What to send.
#[derive(Deserialize)]
pub struct Job {
    address: String,
    method: String,
    /// Taken in turn. `{n}` in one becomes the request's number.
    paths: Vec<String>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    body: String,
    connections: usize,
    /// How long, and how many requests at most.
    seconds: f64,
    #[serde(default)]
    count: Option<u64>,
    /// Requests a second over all connections: each has its time, and its latency counts from then on, sent late or not.
    /// Absent: each connection sends the next request when it has the answer.
    #[serde(default)]
    rate: Option<f64>,
}

/// What came of it.
#[derive(Serialize)]
pub struct Figures {
    requests: u64,
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    statuses: BTreeMap<u16, u64>,
}

pub fn run(job: &Job) -> anyhow::Result<Figures> {
    let numbers = AtomicU64::new(0);
    let began = Instant::now();
    let seen = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..job.connections).map(|_| scope.spawn(|| work(job, &numbers, began))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let wall = began.elapsed().as_secs_f64();
    let mut took: Vec<Duration> = seen.iter().flat_map(|seen| seen.took.iter().copied()).collect();
    took.sort_unstable();
    let mut statuses = BTreeMap::new();
    for (status, times) in seen.iter().flat_map(|seen| &seen.statuses) {
        *statuses.entry(*status).or_default() += times;
    }
    let at = |share: f64| {
        let index = (share * took.len().saturating_sub(1) as f64).round() as usize;
        took.get(index).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    let requests = took.len() as u64;
    Ok(Figures {
        requests,
        per_s: requests as f64 / wall,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        max_ms: at(1.0),
        statuses,
    })
}

#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
    statuses: BTreeMap<u16, u64>,
}

fn work(job: &Job, numbers: &AtomicU64, began: Instant) -> anyhow::Result<Seen> {
    let mut stream = TcpStream::connect(&job.address).context("the server is not there")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(70)))?;
    let (mut seen, mut request, mut buffer) = (Seen::default(), String::new(), Vec::with_capacity(1 << 16));
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let due = job.rate.map(|rate| began + Duration::from_secs_f64(number as f64 / rate));
        if job.count.is_some_and(|count| number >= count)
            || due.unwrap_or_else(Instant::now) > began + Duration::from_secs_f64(job.seconds)
        {
            return Ok(seen);
        }
        write_request(&mut request, job, number)?;
        if let Some(due) = due {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let sent = due.unwrap_or_else(Instant::now);
        stream.write_all(request.as_bytes())?;
        let status = read_answer(&mut stream, &mut buffer)?;
        seen.took.push(sent.elapsed());
        *seen.statuses.entry(status).or_default() += 1;
    }
}

fn write_request(request: &mut String, job: &Job, number: u64) -> anyhow::Result<()> {
    let path = &job.paths[number as usize % job.paths.len()];
    request.clear();
    write!(
        request,
        "{} {} HTTP/1.1\r\nHost: {}\r\n",
        job.method,
        path.replace("{n}", &number.to_string()),
        job.address
    )?;
    for header in &job.headers {
        write!(request, "{header}\r\n")?;
    }
    if !job.body.is_empty() {
        write!(request, "Content-Type: application/json\r\nContent-Length: {}\r\n", job.body.len())?;
    }
    write!(request, "\r\n{}", job.body)?;
    Ok(())
}

/// Reads one answer to its end; its status.
fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    let (mut chunk, mut head_end) = ([0; 1 << 16], None);
    buffer.clear();
    let head_end = loop {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            bail!("the connection was closed");
        }
        buffer.extend_from_slice(&chunk[..read]);
        head_end = head_end.or_else(|| buffer.windows(4).position(|four| four == b"\r\n\r\n"));
        if let Some(end) = head_end {
            break end + 4;
        }
    };
    let head = std::str::from_utf8(&buffer[..head_end])?;
    let status = head.get(9..12).and_then(|status| status.parse().ok()).context("that is no HTTP")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut left = (head_end + length.context("an answer without a length")?).saturating_sub(buffer.len());
    while left > 0 {
        match stream.read(&mut chunk)? {
            0 => bail!("the connection was closed"),
            read => left = left.saturating_sub(read),
        }
    }
    Ok(status)
}
