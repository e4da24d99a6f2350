//! Round times to mark on a time axis, and how they are written.

/// Distances of ticks in seconds; beyond them, multiples of a day.
const STEPS: [f64; 21] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    14_400.0, 21_600.0, 43_200.0, 86_400.0,
];

/// Times from 0 to the end, in seconds, with at most `most` steps between them.
pub(super) fn ticks(duration: f64, most: f64) -> Vec<f64> {
    let days = || (duration / most / 86_400.0).ceil() * 86_400.0;
    let step = STEPS.into_iter().find(|step| duration / step <= most).unwrap_or_else(days);
    // Few, by the choice of the step; the last one may be the end itself.
    (0..=(duration / step + 1e-9) as u32).map(|tick| f64::from(tick) * step).collect()
}

/// A time as it is written beside a tick of an axis of that length.
pub(super) fn label(seconds: f64, duration: f64) -> String {
    let whole = seconds.round() as u64;
    if duration < 1.0 {
        format!("{seconds:.1} s")
    } else if duration < 120.0 {
        // Rounded, because steps below a second add up to 0.6000000000000001.
        format!("{} s", (seconds * 10.0).round() / 10.0)
    } else if duration < 3_600.0 {
        format!("{}:{:02}", whole / 60, whole % 60)
    } else {
        format!("{}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few_whatever_the_length() {
        assert_eq!(ticks(0.3, 8.0).len(), 4);
        assert_eq!(ticks(12.0, 8.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
        assert_eq!(ticks(3_600.0, 8.0), [0.0, 600.0, 1_200.0, 1_800.0, 2_400.0, 3_000.0, 3_600.0]);
        assert_eq!(ticks(40.0 * 86_400.0, 8.0).len(), 9);
    }

    #[test]
    fn labels_read_as_times() {
        assert_eq!([label(0.3, 0.9), label(2.0, 12.0), label(1.2, 2.0)], ["0.3 s", "2 s", "1.2 s"]);
        assert_eq!([label(90.0, 600.0), label(3_690.0, 7_200.0)], ["1:30", "1:01:30"]);
    }
}
