//! Long lines thinned, and values read between their points.

/// Thins lines to about `limit` points each by averaging in bins that all lines share, so that points of different lines that
/// share a bin share an x. Lines on a common grid of at most `limit` points are returned as they are.
pub(super) fn thin(lines: &[Vec<(f64, f64)>], limit: usize) -> Vec<Vec<(f64, f64)>> {
    let mut xs: Vec<f64> = lines.iter().flatten().map(|p| p.0).collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    let (Some(&first), Some(&last)) = (xs.first(), xs.last()) else {
        return lines.to_vec();
    };
    if xs.len() <= limit || last <= first {
        return lines.to_vec();
    }
    let bin = |x: f64| (((x - first) / (last - first) * limit as f64) as usize).min(limit - 1);
    let mean_x = bin_means(xs.iter().map(|&x| (bin(x), x)), limit);
    let average = |line: &Vec<(f64, f64)>| {
        let mean_y = bin_means(line.iter().map(|&(x, y)| (bin(x), y)), limit);
        let pairs = mean_x.iter().zip(&mean_y);
        pairs.filter_map(|(x, y)| Some(((*x)?, (*y)?))).collect()
    };
    lines.iter().map(average).collect()
}

/// The mean of the values of each bin; `None` for an empty bin.
fn bin_means(values: impl Iterator<Item = (usize, f64)>, bins: usize) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0usize); bins];
    for (bin, value) in values {
        sums[bin].0 += value;
        sums[bin].1 += 1;
    }
    let mean = |(sum, count): (f64, usize)| (count > 0).then(|| sum / count as f64);
    sums.into_iter().map(mean).collect()
}

/// The line's value at `x`, interpolated linearly; `None` outside its range.
pub(super) fn value_at(line: &[(f64, f64)], x: f64) -> Option<f64> {
    let above = line.partition_point(|p| p.0 < x);
    let &(x1, y1) = line.get(above)?;
    if x1 == x {
        return Some(y1);
    }
    let &(x0, y0) = line.get(above.checked_sub(1)?)?;
    Some(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
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
        assert_eq!(value_at(&line, 1.0), Some(2.0));
        assert_eq!(value_at(&line, 2.0), Some(4.0));
        assert_eq!(value_at(&line, 3.0), Some(6.0));
        assert_eq!(value_at(&line, 0.9), None);
        assert_eq!(value_at(&line, 3.1), None);
    }
}
