//! Text for people: aligned columns, times that say how long ago, and no control character of anybody's.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;

/// Rows under headings, each column as wide as it needs; the last one runs on.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these headings.
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    /// One more row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| clean(cell)).collect());
    }

    /// Writes it, every line behind `indent`.
    pub fn write(&self, indent: &str, out: &mut impl Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:width$}  ");
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Without control characters: what a platform or AWS said must not move the cursor of an operator's terminal.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => clean.push_str("\\n"),
            // Bidirectional overrides let a name look like another one.
            c if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c) => {
                let _ = write!(clean, "\\u{{{:x}}}", u32::from(c));
            }
            c => clean.push(c),
        }
    }
    clean
}

/// A span in at most two units: `0.4 s`, `42 s`, `3 min 5 s`, `2 h`, `5 d 1 h`.
pub fn span(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{:.1} s", seconds.max(0.0));
    }
    // Whole seconds of a positive, bounded number.
    let seconds = seconds.min(1e12).round() as u64;
    let two = |whole: u64, unit: &str, rest: u64, below: &str| match rest {
        0 => format!("{whole} {unit}"),
        rest => format!("{whole} {unit} {rest} {below}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// How many seconds lie between two times; negative where the second is the earlier.
pub fn between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// A time in UTC, to the second.
pub fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A time in UTC and how long ago, or how far ahead, it is.
pub fn when(time: Timestamp, now: Timestamp) -> String {
    let seconds = between(time, now);
    match seconds < 0.0 {
        true => format!("{} (in {})", utc(time), span(-seconds)),
        false => format!("{} ({} ago)", utc(time), span(seconds)),
    }
}

/// Text, or a dash where there is none.
pub fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nobody_moves_the_cursor() {
        let mut table = Table::new(["ID", "WHAT"]);
        table.row(["long enough".to_owned(), "x\u{1b}[2J\u{202e}\ny".to_owned()]);
        table.row(["ä".to_owned(), String::new()]);
        let mut out = Vec::new();
        table.write("  ", &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "  ID           WHAT\n  long enough  x\\u{1b}[2J\\u{202e}\\ny\n  ä\n");
    }

    #[test]
    fn spans_read_well() {
        let texts = [0.42, 12.4, 60.0, 185.0, 7200.0, 90_061.0].map(span);
        assert_eq!(texts, ["0.4 s", "12 s", "1 min", "3 min 5 s", "2 h", "1 d 1 h"]);
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let soon: Timestamp = "2026-01-02T03:05:05Z".parse().unwrap();
        assert_eq!(when(soon, now), "2026-01-02 03:05:05Z (in 1 min)");
        assert_eq!(when(now, soon), "2026-01-02 03:04:05Z (1 min ago)");
    }
}
