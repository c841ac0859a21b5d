//! Tests of paired networks, and intervals of counts.
//!
//! Runs of different settings share their networks: the same indices and seed give the same initial weights and trials. So they are
//! compared network by network.

/// The two-sided p value of McNemar's exact test: `first` networks did only under the first setting what `second` did only under the
/// second one. Networks that did the same under both say nothing.
pub fn mcnemar(first: u64, second: u64) -> f64 {
    let n = (first + second) as f64;
    // Logarithms, since the probability of no heads in a thousand tosses is less than the smallest number.
    let mut log_probability = -n * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for heads in 0..=first.min(second) {
        tail += libm::exp(log_probability);
        let heads = heads as f64;
        log_probability += libm::log((n - heads) / (heads + 1.0));
    }
    (2.0 * tail).min(1.0)
}

/// Above this number of networks, the sum of ranks counts as normally distributed.
const EXACT: usize = 200;

/// The two-sided p value of Wilcoxon's signed-rank test of paired `differences`: the chance that signs tossed by a coin give a sum of
/// ranks as far from its mean. Differences of 0 are left out; infinite ones rank above all others. Exact, also with ties, for up to 200
/// differences; the normal approximation for more.
pub fn wilcoxon(differences: &[f64]) -> f64 {
    let mut sizes: Vec<(f64, bool)> = differences.iter().filter(|d| **d != 0.0).map(|d| (d.abs(), *d > 0.0)).collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Twice the ranks, which are whole numbers even where ties share the mean of theirs.
    let mut ranks: Vec<usize> = Vec::new();
    for tied in sizes.chunk_by(|a, b| a.0 == b.0) {
        let before = ranks.len();
        ranks.extend(std::iter::repeat_n(2 * before + tied.len() + 1, tied.len()));
    }
    let all: usize = ranks.iter().sum();
    let positive: usize = ranks.iter().zip(&sizes).filter(|(_, (_, up))| *up).map(|(rank, _)| rank).sum();
    if ranks.len() > EXACT {
        let deviation = ranks.iter().map(|rank| (rank * rank) as f64).sum::<f64>().sqrt() / 2.0;
        let away = (positive as f64 - all as f64 / 2.0).abs();
        return libm::erfc(away / deviation / std::f64::consts::SQRT_2);
    }
    // The probability of each sum of the positive ranks.
    let mut sums = vec![0.0; all + 1];
    sums[0] = 1.0;
    let mut largest = 0;
    for rank in ranks {
        largest += rank;
        for sum in (0..=largest).rev() {
            let with = if sum < rank { 0.0 } else { sums[sum - rank] };
            sums[sum] = 0.5 * (sums[sum] + with);
        }
    }
    let least = positive.min(all - positive);
    (2.0 * sums[..=least].iter().sum::<f64>()).min(1.0)
}

/// The p values of a family of tests by Holm's method: below `α`, at most with probability `α` for any of the hypotheses that hold.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![0.0; p.len()];
    let mut largest = 0f64;
    for (done, place) in order.into_iter().enumerate() {
        largest = largest.max(((p.len() - done) as f64 * p[place]).min(1.0));
        corrected[place] = largest;
    }
    corrected
}

/// Wilson's 95 % interval of the probability of which `count` of `n` is an estimate.
pub fn wilson(count: usize, n: usize) -> [f64; 2] {
    if n == 0 {
        return [0.0, 1.0];
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, fraction) = (n as f64, count as f64 / n as f64);
    let middle = fraction + Z * Z / (2.0 * n);
    let half = Z * (fraction * (1.0 - fraction) / n + Z * Z / (4.0 * n * n)).sqrt();
    [middle - half, middle + half].map(|bound| (bound / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
    }

    /// Expected values: scipy.stats.binomtest(k, n).pvalue.
    #[test]
    fn mcnemar_equals_the_binomial_test_of_scipy() {
        for (first, second, expected) in [(0, 0, 1.0), (1, 9, 0.021484375), (18, 0, 7.62939453125e-06), (5, 5, 1.0)] {
            assert_close(mcnemar(first, second), expected);
            assert_close(mcnemar(second, first), expected);
        }
    }

    #[test]
    fn thousands_of_networks_are_compared_too() {
        assert!((mcnemar(3000, 3000) - 1.0).abs() < 1e-9);
        // scipy.stats.binomtest(1400, 3000).pvalue
        assert!((mcnemar(1400, 1600) / 0.00027856396103923366 - 1.0).abs() < 1e-9, "{}", mcnemar(1400, 1600));
        let differences = |n: usize| (0..n).map(|k| ((k * 7919) % 1009) as f64 - 450.0).collect::<Vec<_>>();
        let (exact, normal) = (wilcoxon(&differences(200)), wilcoxon(&differences(201)));
        assert!((exact - normal).abs() < 0.02, "{exact} {normal}");
        assert!(wilcoxon(&differences(20_000)) < 1e-10);
    }

    /// Expected values without ties: scipy.stats.wilcoxon(d, method="exact").pvalue; with ties, by counting all 2^n signs.
    #[test]
    fn signed_ranks_equal_those_of_scipy() {
        assert_close(wilcoxon(&[1.0, 2.0, 3.0, 4.0, 5.0]), 0.0625);
        assert_close(wilcoxon(&[0.5, -1.5, 2.5, 3.5, 0.0, -4.5, 5.5, 6.5]), 0.296875);
        for differences in [vec![1.0, 1.0, -1.0, 2.0, f64::INFINITY], vec![-3.0, -3.0, 3.0, -1.0, -1.0, 2.0, -2.0]] {
            assert_close(wilcoxon(&differences), by_counting(&differences));
        }
        assert_eq!(wilcoxon(&[]), 1.0);
        assert_eq!(wilcoxon(&[0.0; 4]), 1.0);
    }

    fn by_counting(differences: &[f64]) -> f64 {
        let size = |k: usize| differences[k].abs();
        let all = 0..differences.len();
        let rank = |k: usize| {
            let below = all.clone().filter(|j| size(*j) < size(k)).count() as f64;
            below + (all.clone().filter(|j| size(*j) == size(k)).count() as f64 + 1.0) / 2.0
        };
        let sum = |up: &dyn Fn(usize) -> bool| all.clone().filter(|k| up(*k)).map(rank).sum::<f64>();
        let far = |sum: f64| (sum - all.clone().map(rank).sum::<f64>() / 2.0).abs();
        let observed = far(sum(&|k| differences[k] > 0.0));
        let signs = 0..1u32 << differences.len();
        let as_far = signs.clone().filter(|signs| far(sum(&|k| signs >> k & 1 == 1)) >= observed - 1e-9).count();
        as_far as f64 / signs.len() as f64
    }

    #[test]
    fn holm_by_hand() {
        let found = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in found.into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert_close(found, expected);
        }
    }

    /// Expected values: scipy.stats.binomtest(k, n).proportion_ci(method="wilson").
    #[test]
    fn intervals_equal_those_of_scipy() {
        for (count, n, [low, high]) in
            [(18, 20, [0.6989663547715128, 0.9721335187862319]), (0, 20, [0.0, 0.16112515805281935])]
        {
            let found = wilson(count, n);
            assert!((found[0] - low).abs() < 1e-12 && (found[1] - high).abs() < 1e-12, "{found:?}");
        }
    }
}
