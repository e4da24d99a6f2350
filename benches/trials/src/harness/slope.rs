//! Slopes that single outliers do not bend (Theil 1950, Sen 1968).

/// The median of the slopes between all pairs of points `(x, y)`; not a number for fewer than two.
pub fn theil_sen(points: &[(f64, f64)]) -> f64 {
    let pairs = points.iter().enumerate().flat_map(|(at, from)| points[at + 1..].iter().map(move |to| (from, to)));
    median(pairs.filter(|(from, to)| to.0 != from.0).map(|(from, to)| (to.1 - from.1) / (to.0 - from.0)).collect())
}

/// The median; not a number for none.
pub fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

/// The value below which that share lies, as one of them; not a number for none.
pub fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len() as f64 - 1.0) * share).round();
    values.get(at.max(0.0) as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_whatever_a_few_points_do() {
        let mut points: Vec<_> = (0..50).map(|x| (f64::from(x), 3.0 + 0.5 * f64::from(x))).collect();
        points[10].1 = 1e6;
        points[40].1 = -1e6;
        assert!((theil_sen(&points) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn of_one_point_there_is_no_slope() {
        assert!(theil_sen(&[(1.0, 1.0)]).is_nan());
        assert!(percentile(Vec::new(), 0.99).is_nan());
        assert_eq!(percentile(vec![3.0, 1.0, 2.0], 1.0), 3.0);
    }
}
