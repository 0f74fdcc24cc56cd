//! Densities, scalar functions, measures.

use loglik::likelihood::{
    Bernoulli, BernoulliArguments, Density, Gaussian, GaussianArguments, Poisson, PoissonArguments,
};
use loglik::transport::{Measure, wasserstein_1d};
use loglik::{Reduction, math};
use ndarray::{array, aview1};

use super::{INF, assert_narrow, assert_wide};

/// Logit, label, loss, slope. Of the first three candle gives inf, NaN and inf.
#[test]
fn a_certain_label_keeps_its_small_loss() {
    let rows = [
        [20.0, 0.0, 20.000_000_002_061_153, 0.999_999_997_938_846_4],
        [100.0, 1.0, 3.720_075_976_020_836e-44, -3.720_075_976_020_836e-44],
        [-200.0, 1.0, 200.0, -1.0],
        [-700.0, 0.0, 9.859_676_543_759_77e-305, 9.859_676_543_759_77e-305],
        [800.0, 1.0, 0.0, 0.0],
        [1e4, 0.0, 1e4, 1.0],
        [INF, 1.0, 0.0, 0.0],
        [-INF, 0.0, 0.0, 0.0],
        [-INF, 1.0, INF, -1.0],
    ];
    for [logit, label, loss, slope] in rows {
        let what = format!("logit {logit}, label {label}");
        let (value, gradient) = Bernoulli
            .grad(BernoulliArguments { logits: &aview1(&[logit]), x: &aview1(&[label]) }, Reduction::Sum)
            .unwrap();
        assert_wide(&what, value, loss);
        assert_wide(&what, gradient[0], slope);
        let (logit, label) = ([logit as f32], [label as f32]);
        let (value, gradient) =
            Bernoulli.grad(BernoulliArguments { logits: &aview1(&logit), x: &aview1(&label) }, Reduction::Sum).unwrap();
        assert_narrow(&what, value, loss);
        assert_narrow(&what, gradient[0], slope);
    }
}

/// Log-rate, count, loss, slope.
#[test]
fn counts_of_zero_and_of_a_million_are_exact() {
    let rows = [
        [-50.0, 0.0, 1.928_749_847_963_917_8e-22, 1.928_749_847_963_917_8e-22],
        [-50.0, 1.0, 50.0, -1.0],
        [-INF, 0.0, 0.0, 0.0],
        [-INF, 2.0, INF, -2.0],
        [0.0, 1e6, 12_815_519.384_658_17, -999_999.0],
        [5.0, 170.0, 4.986_221_348_363_951, -21.586_840_897_423_397],
    ];
    for [log_rate, count, loss, slope] in rows {
        let what = format!("log-rate {log_rate}, count {count}");
        let (value, gradient) = Poisson
            .grad(PoissonArguments { log_rate: &aview1(&[log_rate]), x: &aview1(&[count]) }, Reduction::Sum)
            .unwrap();
        assert_wide(&what, value, loss);
        assert_wide(&what, gradient[0], slope);
    }
}

/// Mean, log-variance, observation, loss, slopes of mean and log-variance.
#[test]
fn tiny_and_huge_variances_neither_overflow_nor_vanish() {
    let rows = [
        [0.0, -600.0, 1e-130, -297.194_551_316_330_4, -3.773_020_300_929_94e130, -1.386_510_150_464_970_2],
        [0.0, 600.0, 1e100, 300.918_938_533_204_7, -2.650_396_553_004_311e-161, 0.5],
        [1.0, -1400.0, 1.0, -699.081_061_466_795_3, 0.0, 0.5],
        [0.0, 0.0, 1e4, 50_000_000.918_938_53, -1e4, -49_999_999.5],
    ];
    for [mean, log_variance, x, loss, by_mean, by_log_variance] in rows {
        let (value, slope) = Gaussian
            .grad(
                GaussianArguments { mean: &array![mean], log_variance: &array![log_variance], x: &array![x] },
                Reduction::Sum,
            )
            .unwrap();
        assert_wide("loss", value, loss);
        // The exponential of -600 passes on the rounding of its argument.
        let close = |got: f64, expected: f64| (got - expected).abs() <= 1e-12 * expected.abs();
        assert!(close(slope.mean[0], by_mean), "{} is not {by_mean}", slope.mean[0]);
        assert!(close(slope.log_variance[0], by_log_variance), "{} is not {by_log_variance}", slope.log_variance[0]);
        assert_eq!(slope.x[0], -slope.mean[0]);
    }
}

#[test]
fn scalar_functions_hold_in_their_tails() {
    let log_sigmoid = [
        (-1000.0, -1000.0),
        (-20.0, -20.000_000_002_061_153),
        (20.0, -2.061_153_620_314_381e-9),
        (40.0, -4.248_354_255_291_589e-18),
        (100.0, -3.720_075_976_020_836e-44),
    ];
    for (x, expected) in log_sigmoid {
        assert_wide("log_sigmoid", math::log_sigmoid::<f64, false>(x), expected);
        assert_narrow("log_sigmoid", math::log_sigmoid::<f32, false>(x as f32), expected);
    }
    let log1mexp = [
        (-1e-30, -69.077_552_789_821_37, -1e30),
        (-1e-8, -18.420_680_748_952_364, -99_999_999.5),
        (-0.1, -2.352_168_461_044_090_7, -9.508_331_944_775_05),
        (-1.0, -0.458_675_145_387_081_9, -0.581_976_706_869_326_5),
        (-40.0, -4.248_354_255_291_589e-18, -4.248_354_255_291_589e-18),
    ];
    for (x, expected, slope) in log1mexp {
        assert_wide("log1mexp", math::log1mexp::<f64, false>(x), expected);
        assert_wide("log1mexp_slope", math::log1mexp_slope::<f64, false>(x), slope);
    }
    for (x, expected, slope) in
        [(-1e-8, 18.420_680_738_952_367, 100_000_000.5), (-50.0, -50.0, 1.0), (-200.0, -200.0, 1.0)]
    {
        assert_wide("log_odds", math::log_odds::<f64, false>(x), expected);
        assert_wide("log_odds_slope", math::log_odds_slope::<f64, false>(x), slope);
    }
}

#[test]
fn measures_may_be_points_far_away() {
    let far = Measure::uniform(aview1(&[1e150]));
    assert_eq!(wasserstein_1d(far, Measure::uniform(aview1(&[-1e150, 1e150])), 1.0).unwrap(), 1e150);
    assert!(wasserstein_1d(far, Measure::uniform(aview1(&[-1e150])), 3.0).is_err()); // 8e450
    // A point without mass takes no part, wherever it lies.
    let with_nothing = Measure::weighted(aview1(&[0.0, f64::NAN]), aview1(&[1.0, 0.0]));
    assert_eq!(wasserstein_1d(with_nothing, Measure::uniform(aview1(&[2.0])), 2.0).unwrap(), 4.0);
}
