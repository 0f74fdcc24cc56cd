use ndarray::{Array1, Array2, ArrayD, ShapeBuilder, arr0, array, s};

use crate::likelihood::*;
use crate::{Error, Real, Reduction, Result, SumCount, check, simd};

/// Numbers between -2 and 2.
fn noise(shape: (usize, usize), seed: usize) -> Array2<f64> {
    Array2::from_shape_fn(shape, |(i, j)| ((i * 977 + j * 7919 + seed * 31_337) % 4001) as f64 / 1000.0 - 2.0)
}

/// The same array in Fortran order, reversed in memory, and as every other element of a larger one.
fn layouts(a: &Array2<f64>) -> Vec<Array2<f64>> {
    let mut transposed = Array2::zeros(a.raw_dim().f());
    transposed.assign(a);
    let mut reversed = Array2::zeros(a.raw_dim());
    reversed.invert_axis(ndarray::Axis(0));
    reversed.invert_axis(ndarray::Axis(1));
    reversed.assign(a);
    let mut sparse = Array2::from_elem((2 * a.nrows(), 3 * a.ncols()), f64::NAN);
    sparse.slice_collapse(s![..;2, ..;3]);
    sparse.assign(a);
    vec![a.clone(), transposed, reversed, sparse]
}

#[test]
fn every_layout_gives_the_same_bits() {
    let shape = (37, 113);
    let [mean, log_variance, x] = [1, 2, 3].map(|seed| noise(shape, seed));
    let weights = noise(shape, 4).mapv(f64::abs);
    let expected = Gaussian
        .grad(GaussianArguments { mean: &mean, log_variance: &log_variance, x: &x }, Reduction::Weighted(&weights))
        .unwrap();
    let each = Gaussian.each(GaussianArguments { mean: &mean, log_variance: &log_variance, x: &x }).unwrap();
    let inputs = [mean, log_variance, x, weights].map(|a| layouts(&a));
    for i in 0..4 {
        let [mean, log_variance, x, weights] = [0, 1, 2, 3].map(|j| &inputs[j][(i + j) % 4]);
        let reduction = Reduction::Weighted(weights);
        assert_eq!(Gaussian.grad(GaussianArguments { mean, log_variance, x }, reduction).unwrap(), expected);
        assert_eq!(Gaussian.value(GaussianArguments { mean, log_variance, x }, reduction).unwrap(), expected.0);
        assert_eq!(Gaussian.each(GaussianArguments { mean, log_variance, x }).unwrap(), each);

        let mut buffers = layouts(&Array2::from_elem(shape, f64::NAN));
        let [a, b, c, _] = &mut buffers[..] else { unreachable!("four layouts") };
        let out = GaussianArguments { mean: &mut **a, log_variance: &mut **b, x: &mut **c };
        assert_eq!(
            Gaussian.grad_into(GaussianArguments { mean, log_variance, x }, reduction, out).unwrap(),
            expected.0
        );
        assert_eq!((&*a, &*b, &*c), (&expected.1.mean, &expected.1.log_variance, &expected.1.x));
    }
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    let (log_rate, x) = (noise((300, 701), 5), noise((300, 701), 6).mapv(|u| (4.0 * u + 8.0).floor()));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Poisson.grad(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Mean)).unwrap()
    };
    let one = with(1);
    assert_eq!(with(2), one);
    assert_eq!(with(3), one);
    assert_eq!(Poisson.value(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Mean).unwrap(), one.0);
}

#[test]
fn the_reductions_agree_with_one_value_for_each_element() {
    for n in [1, 1023, 1024, 1025, 40_000] {
        let (logits, x) = (noise((1, n), 7), noise((1, n), 8).mapv(|u| 0.25 * u + 0.5));
        let each = Bernoulli.each(BernoulliArguments { logits: &logits, x: &x }).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-13 * b.abs();
        let (sum, gradient) = Bernoulli.grad(BernoulliArguments { logits: &logits, x: &x }, Reduction::Sum).unwrap();
        assert!(near(sum, each.sum()), "n = {n}");
        assert_eq!(
            Bernoulli.sum_count(BernoulliArguments { logits: &logits, x: &x }),
            Ok(SumCount { sum, count: n as f64 })
        );
        let (mean, mean_gradient) =
            Bernoulli.grad(BernoulliArguments { logits: &logits, x: &x }, Reduction::Mean).unwrap();
        assert!(near(mean, sum / n as f64));
        let weights = noise((1, n), 9).mapv(f64::abs);
        let (weighted, weighted_gradient) =
            Bernoulli.grad(BernoulliArguments { logits: &logits, x: &x }, Reduction::Weighted(&weights)).unwrap();
        assert!(near(weighted, (&each * &weights).sum()));
        assert_eq!(weighted_gradient, &gradient * &weights);
        assert!((mean_gradient * n as f64 - gradient).iter().all(|d| d.abs() < 1e-14));
    }
}

#[test]
fn the_vectorized_loop_agrees_with_the_kernel_at_one_point() {
    let (log_rate, x) = (noise((3, 700), 10) * 4.0, noise((3, 700), 11).mapv(|u| (10.0 * u + 20.0).floor()));
    let each = Poisson.each(PoissonArguments { log_rate: &log_rate, x: &x }).unwrap();
    let (_, gradient) = Poisson.grad(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Sum).unwrap();
    for (i, (&log_rate, &x)) in log_rate.iter().zip(&x).enumerate() {
        let (loss, [slope]) = Poisson.at::<f64, false>([log_rate, x]);
        let at = [i / 700, i % 700];
        assert!((each[at] - loss).abs() <= 1e-14 * (loss + x + log_rate.exp()), "{at:?}");
        assert!((gradient[at] - slope).abs() <= 1e-15 * (x + log_rate.exp()), "{at:?}");
    }
}

#[test]
fn a_weight_of_zero_hides_whatever_stands_there() {
    let (nan, weights) = (f64::NAN, array![1.0, 0.0, 2.0]);
    let (log_rate, x) = (array![0.0, nan, 0.0], array![0.0, -3.5, 1.0]);
    let (value, gradient) =
        Poisson.grad(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Weighted(&weights)).unwrap();
    assert_eq!((value, gradient), (3.0, array![1.0, 0.0, 0.0]));
    let error = Poisson.value(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Sum).unwrap_err();
    assert_eq!(error.to_string(), "`log_rate`[1] is NaN, allowed is finite or -inf");
    let none = array![0.0, 0.0, 0.0];
    assert_eq!(Poisson.value(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Weighted(&none)), Ok(0.0));
    let error = Poisson
        .value(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Weighted(&array![1.0, nan, 1.0]))
        .unwrap_err();
    assert_eq!(error.to_string(), "`weights`[1] is NaN, allowed is finite and >= 0");
}

#[test]
fn the_first_bad_element_is_named_wherever_it_lies() {
    let (rows, columns) = (64, 1000);
    for (row, column) in [(0, 0), (1, 24), (40, 999), (63, 999)] {
        let (mut logits, x) = (Array2::<f32>::zeros((rows, columns)), Array2::zeros((rows, columns)));
        logits[[row, column]] = f32::NAN;
        logits[[63, 999]] = f32::NAN;
        let message = format!("`logits`[{row}, {column}] is NaN, allowed is any number but NaN");
        assert_eq!(
            Bernoulli.value(BernoulliArguments { logits: &logits, x: &x }, Reduction::Sum).unwrap_err().to_string(),
            message
        );
        assert_eq!(
            Bernoulli.grad(BernoulliArguments { logits: &logits, x: &x }, Reduction::Mean).unwrap_err().to_string(),
            message
        );
    }
}

#[test]
fn only_what_does_not_fit_overflows() {
    let (logits, x) = (Array1::from_elem(100, 1e38_f32), Array1::zeros(100));
    let mean = Bernoulli.value(BernoulliArguments { logits: &logits, x: &x }, Reduction::Mean).unwrap(); // its sum exceeds f32, not the mean
    assert!((mean / 1e38 - 1.0).abs() < 1e-6);
    assert_eq!(Bernoulli.sum_count(BernoulliArguments { logits: &logits, x: &x }).unwrap().count, 100.0);
    let error = Bernoulli.value(BernoulliArguments { logits: &logits, x: &x }, Reduction::Sum).unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits` overflows f32");
    let (mut logits, x) = (Array1::zeros(5000), Array1::zeros(5000));
    logits[0] = 1e308;
    logits[4000] = 1e308;
    let error = Bernoulli.value(BernoulliArguments { logits: &logits, x: &x }, Reduction::Sum).unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits` overflows f64");
    logits[17] = 1e308;
    let error = Bernoulli.value(BernoulliArguments { logits: &logits, x: &x }, Reduction::Sum).unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits`[17] overflows f64");
    logits[4500] = f64::INFINITY;
    logits[17] = 0.0;
    assert_eq!(Bernoulli.value(BernoulliArguments { logits: &logits, x: &x }, Reduction::Sum), Ok(f64::INFINITY));
    let weights = array![1.0_f32, 1e38];
    let (logits, x) = (array![0.0, 1e3], array![0.0, 0.0]);
    let arguments = BernoulliArguments { logits: &*logits, x: &*x };
    let error = Bernoulli.value(arguments, Reduction::Weighted(&weights)).unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits`[1] overflows f32");
    let error = Bernoulli.grad(arguments, Reduction::Weighted(&weights)).unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits`[1] overflows f32");
}

#[test]
fn scalars_and_arrays_of_any_dimension_are_taken() {
    let value = Bernoulli.value(BernoulliArguments { logits: &arr0(0.0), x: &arr0(1.0) }, Reduction::Mean).unwrap();
    assert!((value - std::f64::consts::LN_2).abs() < 1e-16);
    let zeros = ArrayD::<f32>::zeros(vec![2, 1, 3]);
    let (sum, gradient) = Bernoulli.grad(BernoulliArguments { logits: &zeros, x: &zeros }, Reduction::Sum).unwrap();
    assert!((sum - 6.0 * std::f32::consts::LN_2).abs() < 1e-6);
    assert_eq!(gradient, ArrayD::from_elem(vec![2, 1, 3], 0.5));
    let none = ArrayD::<f32>::zeros(vec![2, 0, 3]);
    assert_eq!(Bernoulli.grad(BernoulliArguments { logits: &none, x: &none }, Reduction::Sum), Ok((0.0, none.clone())));
    assert_eq!(Bernoulli.each(BernoulliArguments { logits: &none, x: &none }), Ok(none.clone()));
    let empty = Err(Error::NothingToAverage { argument: "logits" });
    assert_eq!(Bernoulli.grad(BernoulliArguments { logits: &none, x: &none }, Reduction::Mean), empty);
}

/// Student's t in one scale, up to its constant: a density with a hyper-parameter, and arguments without names.
struct StudentT {
    dof: f64,
}

impl Density<2, 2> for StudentT {
    type Arguments<A> = [A; 2];
    type Gradient<A> = [A; 2];
    const ARGUMENTS: [(&'static str, Domain); 2] = [("location", Domain::Finite), ("x", Domain::Finite)];
    crate::compile_loops!(Density);

    fn check(&self) -> Result<()> {
        check::positive("dof", self.dof)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [location, x]: [T; 2]) -> (T, [T; 2]) {
        let (dof, residual) = (T::from_f64(self.dof), x - location);
        let half = T::from_f64(0.5) * (dof + T::one());
        let slope = half * (residual + residual) / (dof + residual * residual);
        (half * (residual * residual / dof).ln_1p(), [-slope, slope])
    }
}

#[test]
fn a_density_may_have_a_hyper_parameter() {
    let (location, x) = (noise((3, 40), 12), noise((3, 40), 13));
    testing::derivatives_match(&StudentT { dof: 3.5 }, [0.3, -1.25], 1e-7);
    for dof in [1.0, 3.5, 1e3] {
        let density = StudentT { dof };
        let (sum, [by_location, by_x]) = density.grad([&location, &x], Reduction::Sum).unwrap();
        let by_hand = |(x, m): (&f64, &f64)| 0.5 * (dof + 1.0) * (1.0 + (x - m).powi(2) / dof).ln();
        assert!((sum / x.iter().zip(&location).map(by_hand).sum::<f64>() - 1.0).abs() < 1e-13);
        assert_eq!(by_location, -&by_x);
        let mut out = [Array2::zeros((3, 40)), Array2::zeros((3, 40))];
        let [a, b] = &mut out;
        assert_eq!(density.grad_into([&location, &x], Reduction::Sum, [&mut **a, &mut **b]), Ok(sum));
        assert_eq!(out, [by_location, by_x]);
    }
    let error = StudentT { dof: 0.0 }.sum_count([&location, &x]).unwrap_err();
    assert_eq!(error.to_string(), "`dof` is 0, allowed is finite and > 0");
    let error = StudentT { dof: 1.0 }.value([&location, &(&x / 0.0)], Reduction::Mean).unwrap_err();
    assert_eq!(error.to_string(), format!("`x`[0, 0] is {}, allowed is finite", x[[0, 0]] / 0.0));
}

#[test]
fn every_level_agrees_with_one_element() {
    let [mean, log_variance, x] = [1, 2, 3].map(|seed| noise((1, 75), seed));
    let arguments = GaussianArguments { mean: &*mean, log_variance: &*log_variance, x: &*x };
    for level in simd::available() {
        simd::with_level(level, || {
            let each = Gaussian.each(arguments).unwrap();
            let (_, slopes) = Gaussian.grad(arguments, Reduction::Sum).unwrap();
            for i in 0..75 {
                let at = [0, i];
                let (loss, expected) = Gaussian.at::<f64, false>([mean[at], log_variance[at], x[at]]);
                assert!(testing::close(each[at], loss, 1e-14), "{i} at {level:?}");
                for (found, expected) in [&slopes.mean, &slopes.log_variance, &slopes.x].into_iter().zip(expected) {
                    assert!((found[at] - expected).abs() < 1e-14, "{i} at {level:?}");
                }
            }
        });
    }
}
