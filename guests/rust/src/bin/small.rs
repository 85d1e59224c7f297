//! A module of about 100 KB, for measuring how long a start takes: a little of everything that programs link
//! (collections, formatting, floating point, sorting, arguments) and almost no work. Prints one line.
//!
//! Native: the same source runs outside WebAssembly, and prints the same.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Summary {
    count: u32,
    mean: f64,
    deviation: f64,
}

fn summary(values: &[f64]) -> Summary {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    Summary { count: values.len() as u32, mean, deviation: variance.sqrt() }
}

fn main() {
    let text = std::env::args().nth(1).unwrap_or_else(|| "3 1 4 1 5 9 2 6 5 3 5 8 9 7 9 3 2 3 8 4".to_owned());
    let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for word in text.split_whitespace() {
        *seen.entry(word).or_default() += 1;
        match word.parse::<f64>() {
            Ok(value) if value.fract() == 0.0 && value % 2.0 == 0.0 => {
                groups.entry("even".into()).or_default().push(value)
            }
            Ok(value) => groups.entry("odd".into()).or_default().push(value),
            Err(error) => groups.entry(format!("{error}")).or_default().push(f64::NAN),
        }
    }
    let mut words: Vec<(&str, usize)> = seen.into_iter().collect();
    words.sort_unstable_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));

    let mut line = String::new();
    for (name, values) in &groups {
        let Summary { count, mean, deviation } = summary(values);
        let _ = write!(line, "{name}: {count} values, mean {mean:.3}, deviation {deviation:.2}; ");
    }
    let (word, times) = words.first().copied().unwrap_or_default();
    println!("{line}most frequent: {word} ({times} of {})", text.split_whitespace().count());
}
