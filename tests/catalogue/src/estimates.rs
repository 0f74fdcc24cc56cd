//! Density ratios, bounds by a critic's scores, distances of two samples, and decisions.

use loglik::ratio::Samples;
use loglik::ratio::bound::{
    Mine, MineGradient, chi_square_bound, chi_square_bound_grad, donsker_varadhan, donsker_varadhan_grad,
    info_nce_bound, info_nce_bound_grad, jensen_shannon_bound, jensen_shannon_bound_grad, nwj_bound, nwj_bound_grad,
};
use loglik::ratio::decision::{
    Auc, DeLong, NeymanPearson, Sprt, auc, chi_square_tail, log_likelihood_ratio, roc_curve, wilks,
};
use loglik::ratio::density::{GaussianKernels, Kliep, RatioCalibration, RatioCheck, RuLsif, log_ratio_from_logits};
use loglik::ratio::two_sample::{
    Mmd, MmdEstimator, RadialKernel, energy_distance, energy_distance_grad, median_distance,
};
use loglik::{Real, Reduction, Result};
use ndarray::{Array1, ArrayView1, Ix1, Ix2};

use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size, knob};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    [bounds(), distances(), densities(), decisions()].into_iter().flatten().collect()
}

type Columns<'a, T> = Samples<ArrayView1<'a, T>>;
type Reductions<'a, T> = Samples<Reduction<'a, T>>;
type Value<T> = fn(Columns<'_, T>, Reductions<'_, T>) -> Result<T>;
type Grad<T> = fn(Columns<'_, T>, Reductions<'_, T>) -> Result<(T, Samples<Array1<T>>)>;

/// Value and gradient of a bound of weighted scores.
fn bound<T: Real>(call: &Call<T>, out: &mut Results<T>, value: Value<T>, grad: Grad<T>) {
    let (real, fake, u, v) = (call.real::<Ix1>(0), call.real::<Ix1>(1), call.real::<Ix1>(2), call.real::<Ix1>(3));
    let (scores, mean) = (Samples { real: real.view(), fake: fake.view() }, Samples::both(Reduction::Mean));
    let weighted = Samples { real: Reduction::Weighted(&*u), fake: Reduction::Weighted(&*v) };
    out.scalar("value", value(scores, weighted));
    out.grad("", [0, 1], grad(scores, weighted).map(|(value, g)| (value, [g.real, g.fake])));
    out.scalar("mean", value(scores, mean));
}

fn of_scores<T: Real>(name: &'static str, call: fn(&Call<T>, &mut Results<T>)) -> Entry<T> {
    Entry::new(name, scores, call).without(By::Weights(2), &[0], Seen::Reduced).without(
        By::Weights(3),
        &[1],
        Seen::Reduced,
    )
}

fn bounds<T: Real>() -> Vec<Entry<T>> {
    vec![
        of_scores("donsker_varadhan", |call, out| bound(call, out, donsker_varadhan, donsker_varadhan_grad)),
        of_scores("nwj_bound", |call, out| bound(call, out, nwj_bound, nwj_bound_grad)),
        of_scores("chi_square_bound", |call, out| bound(call, out, chi_square_bound, chi_square_bound_grad)),
        of_scores("jensen_shannon_bound", |call, out| {
            bound(call, out, jensen_shannon_bound, jensen_shannon_bound_grad);
        }),
        of_scores("Mine", |call, out| {
            let (real, fake) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
            let (u, v) = (call.real::<Ix1>(2), call.real::<Ix1>(3));
            let scores = Samples { real: real.view(), fake: fake.view() };
            let weighted = Samples { real: Reduction::Weighted(&*u), fake: Reduction::Weighted(&*v) };
            let corrected = Mine { decay: knob(0.9), gradient: MineGradient::Corrected };
            let before = Some(T::from_f64(0.3));
            let step = Mine { gradient: MineGradient::Plain, ..corrected }.grad(scores, weighted, before);
            out.grad("", [0, 1], step.map(|step| (step.bound, [step.gradient.real, step.gradient.fake])));
            let step = corrected.grad(scores, weighted, before);
            out.scalar("running mean", step.clone().map(|step| step.log_running_mean));
            out.array("corrected slopes", step.map(|step| step.gradient.fake));
        }),
        Entry::new(
            "info_nce_bound",
            |random, size| {
                let n = size.pick(5, 601);
                Inputs::reals([random.uniform(&[n, n], -2.0, 2.0)])
            },
            |call, out| {
                let scores = call.real::<Ix2>(0);
                out.scalar("value", info_nce_bound(&scores));
                out.grad("", [0], info_nce_bound_grad(&scores).map(|(value, gradient)| (value, [gradient])));
            },
        )
        .rounding(),
    ]
}

fn distances<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("energy_distance", clouds, |call, out| {
            let (real, fake) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
            let points = Samples { real: real.view(), fake: fake.view() };
            out.scalar("value", energy_distance(points));
            out.grad("", [0, 1], energy_distance_grad(points).map(|(value, g)| (value, [g.real, g.fake])));
            out.scalar("median", median_distance(points));
        }),
        Entry::new("Mmd, biased", clouds, |call, out| mmd(call, out, MmdEstimator::Biased)),
        Entry::new("Mmd, unbiased", clouds, |call, out| mmd(call, out, MmdEstimator::Unbiased)),
    ]
}

fn mmd<T: Real>(call: &Call<T>, out: &mut Results<T>, estimator: MmdEstimator) {
    let (real, fake) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
    let points = Samples { real: real.view(), fake: fake.view() };
    let (gaussian, laplace) = (RadialKernel::Gaussian { width: knob(1.5) }, RadialKernel::Laplace { width: knob(2.0) });
    let rational = RadialKernel::RationalQuadratic { alpha: knob(0.5), width: knob(1.0) };
    let mmd = Mmd { kernels: vec![gaussian, laplace, rational], estimator };
    out.scalar("value", mmd.value(points));
    out.grad("", [0, 1], mmd.grad(points).map(|(value, g)| (value, [g.real, g.fake])));
}

fn densities<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("RuLsif", features, |call, out| {
            let (real, fake) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
            let sides = Samples { real: real.view(), fake: fake.view() };
            let rulsif = RuLsif { alpha: knob(0.3), lambda: knob(0.1) };
            out.array("coefficients", rulsif.fit(sides));
            out.scalar("left out", rulsif.leave_one_out(sides));
        }),
        Entry::new("Kliep", features, |call, out| {
            let (real, fake) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
            let sides = Samples { real: real.view(), fake: fake.view() };
            let kliep = Kliep { tolerance: knob(1e-6), ..Kliep::default() };
            let fit = kliep.fit(sides);
            out.scalar("sum of logarithms", fit.clone().map(|fit| T::from_f64(fit.log_likelihood)));
            out.array("coefficients", fit.map(|fit| fit.coefficients));
            out.scalar("cross-validated", kliep.cross_validate(sides, 2));
        })
        .infinite(),
        Entry::new("GaussianKernels and KernelRatio", clouds, |call, out| {
            let (real, fake) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
            let points = Samples { real: real.view(), fake: fake.view() };
            let kernels = GaussianKernels {
                centers: fake.slice(ndarray::s![..8.min(fake.nrows()), ..]).to_owned(),
                width: knob(1.5),
            };
            out.array("features", kernels.features(&real));
            let rulsif = RuLsif { alpha: 0.1, lambda: knob(0.1) };
            let fit = rulsif.fit_points(points, kernels.clone());
            out.array("by squares", fit.and_then(|fit| fit.ratio(&fake)));
            let fit = Kliep { tolerance: 1e-6, ..Kliep::default() }.fit_points(points, kernels.clone());
            out.array("by likelihood", fit.and_then(|fit| fit.ratio(&fake)));
            let choice = rulsif.choose(points, &kernels.centers, &[1.5], &[0.1, 1.0]);
            out.scalar("sum of width and λ", choice.map(|choice| T::from_f64(choice.width + choice.lambda)));
            let choice = Kliep { tolerance: 1e-6, ..Kliep::default() }.choose(points, &kernels.centers, &[1.5], 2);
            out.scalar("score", choice.map(|(_, score)| score));
        })
        .infinite(),
        of_scores("RatioCalibration, RatioCheck and log_ratio_from_logits", |call, out| {
            let (real, fake) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
            let ratios = Samples { real: real.view(), fake: fake.view() };
            let line = RatioCalibration::fit(ratios);
            out.scalar("sum of slopes", line.clone().map(|line| T::from_f64(line.slope)));
            out.scalar("sum of intercepts", line.map(|line| T::from_f64(line.intercept)));
            let line = RatioCalibration { slope: 0.5, intercept: 0.1 };
            let check = RatioCheck::of(ratios);
            out.array("mended", check.clone().map(|_| line.apply(&real)));
            let shifted = log_ratio_from_logits(&real, Samples { real: knob(10.0), fake: knob(30.0) });
            out.array("shifted", check.clone().and(shifted));
            out.scalar("mean", check.clone().map(|check| check.log_mean_ratio));
            out.scalar("inverse", check.map(|check| check.log_mean_inverse));
        })
        .infinite(),
    ]
}

fn decisions<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new(
            "log_likelihood_ratio",
            |random, size| {
                let n = size.pick(6, 70_001);
                Inputs::reals([random.uniform(&[n], -5.0, 0.0), random.uniform(&[n], -5.0, 0.0)])
            },
            |call, out| out.scalar("ratio", log_likelihood_ratio(call.real::<Ix1>(0), call.real::<Ix1>(1))),
        ),
        of_scores("auc and roc_curve", |call, out| {
            let (real, fake, u, v) =
                (call.real::<Ix1>(0), call.real::<Ix1>(1), call.real::<Ix1>(2), call.real::<Ix1>(3));
            let scores = Samples { real: real.view(), fake: fake.view() };
            let weighted = Samples { real: Reduction::Weighted(&*u), fake: Reduction::Weighted(&*v) };
            out.scalar("value", auc(scores, weighted));
            let curve = roc_curve(scores, weighted);
            out.array("thresholds", curve.clone().map(|curve| curve.thresholds));
            out.array("false positives", curve.clone().map(|curve| curve.false_positive_rate));
            out.array("true positives", curve.map(|curve| curve.true_positive_rate));
        })
        .infinite(),
        Entry::new("Auc and DeLong", two_scores, |call, out| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|index| call.real::<Ix1>(index));
            let (first, second) =
                (Samples { real: a.view(), fake: b.view() }, Samples { real: c.view(), fake: d.view() });
            out.scalar("variance", Auc::of(first).map(|auc| T::from_f64(auc.variance)));
            let test = DeLong::of(first, second);
            out.scalar("z", test.clone().map(|test| T::from_f64(test.z)));
            out.scalar("covariance", test.clone().map(|test| T::from_f64(test.covariance)));
            out.scalar("p", test.map(|test| T::from_f64(test.p_value)));
        })
        .infinite(),
        Entry::new("NeymanPearson, Sprt and wilks", scores, |call, out| {
            let (real, fake) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
            let test = NeymanPearson::at_rate(fake.view(), knob(0.3));
            out.scalar("threshold", test.clone().map(|test| T::from_f64(test.threshold)));
            out.scalar("power", test.and_then(|test| test.rejection_rate(real.view()).map(T::from_f64)));
            let sprt = Sprt { alpha: knob(0.05), beta: knob(0.1) };
            out.scalar("sum of drifts", sprt.expected_observations(knob(0.2)).map(T::from_f64));
            let run = sprt.start().and_then(|mut run| {
                real.iter().try_for_each(|ratio| run.observe(ratio.as_f64()).map(|_| ()))?;
                Ok(T::from_f64(run.observations() as f64))
            });
            out.scalar("observations", run);
            out.scalar("p", wilks(knob(-10.0), knob(-8.0), 3).map(|test| T::from_f64(test.p_value)));
            out.scalar("tail", chi_square_tail(knob(2.0), 5).map(T::from_f64));
        }),
    ]
}

/// Scores of both sides, and weights.
fn scores(random: &mut Random, size: Size) -> Inputs {
    let (n, m) = (size.pick(6, 30_011), size.pick(8, 40_013));
    Inputs::reals([
        random.uniform(&[n], -1.5, 2.0),
        random.uniform(&[m], -2.0, 1.5),
        random.uniform(&[n], 0.01, 0.2),
        random.uniform(&[m], 0.01, 0.2),
    ])
}

/// Two scores of both sides.
fn two_scores(random: &mut Random, size: Size) -> Inputs {
    let (n, m) = (size.pick(6, 30_011), size.pick(8, 40_013));
    Inputs::reals([
        random.uniform(&[n], -1.0, 2.0),
        random.uniform(&[m], -2.0, 1.0),
        random.uniform(&[n], -1.5, 2.0),
        random.uniform(&[m], -2.0, 1.5),
    ])
}

/// Points of both sides.
fn clouds(random: &mut Random, size: Size) -> Inputs {
    let (n, m) = (size.pick(5, 151), size.pick(4, 171));
    Inputs::reals([random.uniform(&[n, 3], -3.0, 3.0), random.uniform(&[m, 3], -2.0, 4.0)])
}

/// Features of both sides, above 0.
fn features(random: &mut Random, size: Size) -> Inputs {
    let (n, m) = (size.pick(7, 301), size.pick(5, 351));
    Inputs::reals([random.uniform(&[n, 4], 0.05, 1.0), random.uniform(&[m, 4], 0.05, 1.0)])
}
