//! Fewer points for a chart, without losing a peak.

use crate::Point;

/// The least and the greatest value of each of `max / 2` buckets, in order; first and last stay. NaN is kept as it comes.
pub(crate) fn extremes(points: Vec<Point>, max: usize) -> Vec<Point> {
    let buckets = (max / 2).max(1);
    if points.len() <= max.max(2) {
        return points;
    }
    let size = points.len().div_ceil(buckets);
    let mut kept = Vec::with_capacity(buckets * 2);
    for bucket in points.chunks(size) {
        let by_value = |pick: fn(f64, f64) -> bool| {
            bucket.iter().enumerate().fold(0, |best, (index, point)| {
                let known = bucket.get(best).map_or(f64::NAN, |point| point.value);
                if known.is_nan() || pick(point.value, known) {
                    index
                } else {
                    best
                }
            })
        };
        let (least, greatest) = (
            by_value(|new, known| new < known),
            by_value(|new, known| new > known),
        );
        let (first, second) = (least.min(greatest), least.max(greatest));
        kept.extend(bucket.get(first));
        if second != first {
            kept.extend(bucket.get(second));
        }
    }
    kept
}
