//! Help with names: the nearest known one.

/// `; did you mean …?` where a known word is near, else the list of them where it is short, else nothing.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let limit = word.chars().count() / 3 + 1;
    let nearest = known.iter().map(|k| (distance(word, k), *k)).filter(|(d, _)| *d <= limit).min();
    match nearest {
        Some((_, near)) => format!("; did you mean `{near}`?"),
        None if (1..=12).contains(&known.len()) => format!("; known: {}", known.join(", ")),
        None => String::new(),
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1).min(row[j] + 1).min(diagonal + usize::from(ca != *cb));
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered() {
        assert_eq!(did_you_mean("retension", ["retention", "delay"]), "; did you mean `retention`?");
        assert_eq!(did_you_mean("zzz", ["retention", "delay"]), "; known: retention, delay");
        assert_eq!(did_you_mean("zzz", []), "");
    }
}
