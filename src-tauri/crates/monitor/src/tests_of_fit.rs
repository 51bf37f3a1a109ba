//! The tests and distances between two samples, each with its source.

use statrs::distribution::{ChiSquared, ContinuousCDF as _, Normal};

/// Two-sample Kolmogorov–Smirnov, two-sided: statistic and p-value, exact as `scipy.stats.ks_2samp(method="exact")`.
pub(crate) fn kolmogorov_smirnov(one: &[f64], two: &[f64]) -> (f64, f64) {
    let (mut a, mut b) = (one.to_vec(), two.to_vec());
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let (n, m) = (a.len(), b.len());
    let (mut i, mut j, mut greatest) = (0, 0, 0_i128);
    // Differences of the two distribution functions, times n·m, so that they are whole.
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let at = x.min(*y);
        while a.get(i).is_some_and(|value| *value <= at) {
            i += 1;
        }
        while b.get(j).is_some_and(|value| *value <= at) {
            j += 1;
        }
        let difference = (i as i128) * (m as i128) - (j as i128) * (n as i128);
        greatest = greatest.max(difference.abs());
    }
    let d = greatest as f64 / (n as f64 * m as f64);
    let divisor = gcd(n, m);
    let h = (d * (n / divisor * m) as f64).round();
    let p = if h == 0.0 {
        1.0
    } else if n == m {
        outside_square(n, h as usize)
    } else {
        outside_band(n.max(m), n.min(m), divisor, h)
    };
    (d, p.clamp(0.0, 1.0))
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// scipy's `_compute_prob_outside_square`: Pr(D ≥ h/n) for equal sizes.
fn outside_square(n: usize, h: usize) -> f64 {
    let (nf, hf) = (n as f64, h as f64);
    let mut total = 0.0;
    for k in (0..=n / h).rev() {
        let kf = k as f64;
        let mut path = 1.0;
        for j in 0..h {
            let j = j as f64;
            path *= (nf - kf * hf - j) / (nf + kf * hf + j + 1.0);
        }
        total = path * (1.0 - total);
    }
    2.0 * total
}

/// The share of lattice paths from (0, 0) to (m, n) that leave the band |nx/g − my/g| < h, for m ≥ n. The recursion runs over
/// shares, not counts, so that nothing overflows (Hodges 1958, as in scipy).
fn outside_band(m: usize, n: usize, g: usize, h: f64) -> f64 {
    let (mg, ng) = ((m / g) as f64, (n / g) as f64);
    let leaves = |x: usize, y: usize| (ng * x as f64 - mg * y as f64).abs() >= h - 1e-9;
    // Share of the paths to (x, y) that have left the band.
    let mut column: Vec<f64> = (0..=n)
        .map(|y| if leaves(0, y) { 1.0 } else { 0.0 })
        .collect();
    for y in 1..=n {
        if column.get(y - 1) == Some(&1.0)
            && let Some(value) = column.get_mut(y)
        {
            *value = 1.0;
        }
    }
    for x in 1..=m {
        let mut below = 0.0;
        for (y, value) in column.iter_mut().enumerate() {
            let share = if leaves(x, y) {
                1.0
            } else if y == 0 {
                *value
            } else {
                let (xf, yf) = (x as f64, y as f64);
                (*value * xf + below * yf) / (xf + yf)
            };
            *value = share;
            below = share;
        }
    }
    column.last().copied().unwrap_or(0.0)
}

/// First Wasserstein distance between two empirical distributions.
pub(crate) fn wasserstein(one: &[f64], two: &[f64]) -> f64 {
    let (mut a, mut b) = (one.to_vec(), two.to_vec());
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let mut all: Vec<f64> = a.iter().chain(&b).copied().collect();
    all.sort_by(f64::total_cmp);
    let (mut i, mut j, mut total) = (0, 0, 0.0);
    for pair in all.windows(2) {
        let [from, to] = pair else { continue };
        while a.get(i).is_some_and(|value| value <= from) {
            i += 1;
        }
        while b.get(j).is_some_and(|value| value <= from) {
            j += 1;
        }
        total += (i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs() * (to - from);
    }
    total
}

/// Standard deviation with ddof 0, as `numpy.std`.
pub(crate) fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / n)
        .sqrt()
}

/// Jensen–Shannon distance: √JSD, natural logarithm, both sides normalised.
pub(crate) fn jensen_shannon(reference: &[f64], current: &[f64]) -> f64 {
    let (r, c): (f64, f64) = (reference.iter().sum(), current.iter().sum());
    let part = |p: f64, m: f64| if p > 0.0 { p * (p / m).ln() } else { 0.0 };
    let divergence: f64 = reference
        .iter()
        .zip(current)
        .map(|(p, q)| {
            let (p, q) = (p / r, q / c);
            let middle = f64::midpoint(p, q);
            part(p, middle) + part(q, middle)
        })
        .sum();
    (divergence / 2.0).max(0.0).sqrt()
}

/// Evidently's replacement of empty bins.
fn filled(shares: &[f64]) -> Vec<f64> {
    const FLOOR: f64 = 1e-4;
    let least = shares
        .iter()
        .copied()
        .filter(|share| *share > 0.0)
        .fold(f64::INFINITY, f64::min);
    let fill = if least <= FLOOR { least / 1e6 } else { FLOOR };
    shares
        .iter()
        .map(|share| if *share == 0.0 { fill } else { *share })
        .collect()
}

/// Population stability index: Σ (r − c) ln(r / c), empty bins filled.
pub(crate) fn stability_index(reference: &[f64], current: &[f64]) -> f64 {
    filled(reference)
        .iter()
        .zip(filled(current))
        .map(|(r, c)| (r - c) * (r / c).ln())
        .sum()
}

/// Kullback–Leibler divergence of the current from the reference: Σ r ln(r / c), filled and normalised.
pub(crate) fn kullback_leibler(reference: &[f64], current: &[f64]) -> f64 {
    let (r, c) = (filled(reference), filled(current));
    let (sum_r, sum_c): (f64, f64) = (r.iter().sum(), c.iter().sum());
    r.iter()
        .zip(&c)
        .map(|(r, c)| (r / sum_r) * ((r / sum_r) / (c / sum_c)).ln())
        .sum()
}

/// Hellinger distance: √(1 − Σ√(pq)).
pub(crate) fn hellinger(reference: &[f64], current: &[f64]) -> f64 {
    let overlap: f64 = reference
        .iter()
        .zip(current)
        .map(|(p, q)| (p * q).sqrt())
        .sum();
    (1.0 - overlap).max(0.0).sqrt()
}

fn chi_square_tail(statistic: f64, freedom: usize) -> f64 {
    if freedom == 0 {
        return 1.0;
    }
    ChiSquared::new(freedom as f64).map_or(1.0, |distribution| distribution.sf(statistic))
}

/// Evidently's chi-square: goodness of fit of the current counts to the reference's shares. A category that the reference
/// never had makes it 0.
pub(crate) fn chi_square_fit(reference: &[f64], current: &[f64], rows: usize) -> f64 {
    let n = rows as f64;
    let statistic: f64 = reference
        .iter()
        .zip(current)
        .map(|(r, c)| {
            if *r == 0.0 {
                if *c == 0.0 { 0.0 } else { f64::INFINITY }
            } else {
                n * (c - r).powi(2) / r
            }
        })
        .sum();
    if statistic.is_infinite() {
        0.0
    } else {
        chi_square_tail(statistic, reference.len().saturating_sub(1))
    }
}

/// Chi-square of the 2 × k contingency table: both samples have an error of their own.
pub(crate) fn chi_square_contingency(
    reference: &[f64],
    current: &[f64],
    n_reference: usize,
    n_current: usize,
) -> f64 {
    let (nr, nc) = (n_reference as f64, n_current as f64);
    let total = nr + nc;
    let mut statistic = 0.0;
    let mut used = 0_usize;
    for (r, c) in reference.iter().zip(current) {
        let (r, c) = (r * nr, c * nc);
        if r + c == 0.0 {
            continue;
        }
        used += 1;
        for (observed, n) in [(r, nr), (c, nc)] {
            let expected = (r + c) * n / total;
            statistic += (observed - expected).powi(2) / expected;
        }
    }
    chi_square_tail(statistic, used.saturating_sub(1))
}

/// Pooled two-proportion Z test, two-sided; `first` is the index of the value that counts as "not".
pub(crate) fn two_proportions(
    reference: f64,
    current: f64,
    n_reference: usize,
    n_current: usize,
) -> f64 {
    let (n1, n2) = (n_reference as f64, n_current as f64);
    let pooled = (reference * n1 + current * n2) / (n1 + n2);
    let error = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    if error == 0.0 {
        return 1.0;
    }
    let z = (reference - current) / error;
    Normal::new(0.0, 1.0).map_or(1.0, |normal| 2.0 * (1.0 - normal.cdf(z.abs())))
}
