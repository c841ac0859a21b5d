//! Lines of points (x, y), x ascending: thinned for drawing, interpolated, split where they are not finite.

use super::canvas::Point;

/// Thins lines to at most `limit` points each by averaging in bins that all lines share, so that points of different
/// lines in the same bin have the same x. Lines whose distinct x are at most `limit` are returned as they are.
pub(super) fn thin(lines: &[Vec<Point>], limit: usize) -> Vec<Vec<Point>> {
    let xs = distinct_x(lines);
    let (first, last) = match xs[..] {
        [first, .., last] if xs.len() > limit => (first, last),
        _ => return lines.to_vec(),
    };
    let bin = |x: f64| (((x - first) / (last - first) * limit as f64) as usize).min(limit - 1);
    let mean_x = bin_means(xs.iter().map(|&x| (bin(x), x)), limit);
    let thinned = |line: &Vec<Point>| {
        let mean_y = bin_means(line.iter().map(|&(x, y)| (bin(x), y)), limit);
        mean_x.iter().zip(mean_y).filter_map(|(x, y)| (*x).zip(y)).collect()
    };
    lines.iter().map(thinned).collect()
}

/// The x of all points, ascending, each once.
pub(super) fn distinct_x(lines: &[Vec<Point>]) -> Vec<f64> {
    let mut xs: Vec<f64> = lines.iter().flatten().map(|p| p.0).collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    xs
}

/// The mean of the values in each bin; `None` for an empty bin.
fn bin_means(values: impl Iterator<Item = (usize, f64)>, bins: usize) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0usize); bins];
    for (bin, value) in values {
        sums[bin].0 += value;
        sums[bin].1 += 1;
    }
    sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / count as f64)).collect()
}

/// The line's value at `x`, interpolated linearly; `None` outside its range.
pub(super) fn value_at(line: &[Point], x: f64) -> Option<f64> {
    let above = line.partition_point(|p| p.0 < x);
    let &(x1, y1) = line.get(above)?;
    if x1 == x {
        return Some(y1);
    }
    let &(x0, y0) = line.get(above.checked_sub(1)?)?;
    Some(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
}

/// The stretches of a line whose points are finite.
pub(super) fn finite(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    points.split(|p| !p.0.is_finite() || !p.1.is_finite()).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_averages_in_shared_bins() {
        let line: Vec<_> = (0..8).map(|i| (i as f64, 10.0 * i as f64)).collect();
        let thinned = thin(&[line.clone(), line[..4].to_vec()], 4);
        assert_eq!(thinned[0], [(0.5, 5.0), (2.5, 25.0), (4.5, 45.0), (6.5, 65.0)]);
        assert_eq!(thinned[1], [(0.5, 5.0), (2.5, 25.0)]);
        assert_eq!(thin(std::slice::from_ref(&line), 8), [line]);
    }

    #[test]
    fn values_between_points() {
        let line = [(1.0, 2.0), (3.0, 6.0)];
        let values = [1.0, 2.0, 3.0, 0.9, 3.1].map(|x| value_at(&line, x));
        assert_eq!(values, [Some(2.0), Some(4.0), Some(6.0), None, None]);
    }
}
