//! Medians, and ratios that compare only what ran in the same round.

/// The middle of the numbers, or nothing where there are none.
pub(super) fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    let high = *sorted.get(upper)?;
    if sorted.len() % 2 == 1 {
        return Some(high);
    }
    Some(f64::midpoint(*sorted.get(upper - 1)?, high))
}

/// What `compare` says of each round in which both were measured.
pub(super) fn per_round(
    ours: &[Option<f64>],
    theirs: &[Option<f64>],
    compare: impl Fn(f64, f64) -> f64,
) -> Vec<Option<f64>> {
    let pairs = ours.iter().zip(theirs);
    pairs
        .map(|pair| match pair {
            (Some(ours), Some(theirs)) => Some(compare(*ours, *theirs)),
            _ => None,
        })
        .collect()
}

/// The median of the ratios round by round: drift of the machine between rounds then cancels out.
pub(super) fn ratio(ours: &[Option<f64>], theirs: &[Option<f64>]) -> Option<f64> {
    let ratios = per_round(ours, theirs, |ours, theirs| ours / theirs);
    median(ratios.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0]), Some(5.0));
        assert_eq!(median([9.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn a_ratio_skips_rounds_with_a_gap() {
        let ours = [Some(1.0), Some(2.0), Some(9.0)];
        let theirs = [Some(2.0), Some(4.0), None];
        assert_eq!(ratio(&ours, &theirs), Some(0.5));
        assert_eq!(ratio(&ours, &[None, None, None]), None);
    }
}
