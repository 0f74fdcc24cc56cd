//! Energies, scores and fields.

use loglik::energy::{
    Advantage, AntitheticArguments, AntitheticInterpolant, Columns, DenoisingScore, DenoisingScoreArguments, Edm,
    EdmArguments, ExplicitScore, ExplicitScoreArguments, Field, FreeEnergy, Gamma, GuidanceSchedule, Initializer,
    InitializerArguments, Interpolant, InterpolantArguments, InterpolantPath, KarrasGrid, Langevin, LangevinArguments,
    LogNormalSigma, MaskWeights, NoiseSchedule, RecoveryArguments, RecoveryContrast, RecoveryContrastArguments,
    RecoveryEnergy, ReinforceKl, SampleLoss, ScoreWeighting, SelfConsistency, SelfConsistencyArguments, SlicedScore,
    SlicedScoreArguments, begin_consistency, begin_consistency_grad, composed_energy, energy_threshold, guided_energy,
    guided_score,
};
use loglik::likelihood::{Bundle, Density};
use loglik::{Real, Reduction, Result};
use ndarray::{Array1, Array3, ArrayD, ArrayRef, ArrayRef1, ArrayView1, ArrayView3, Ix1, Ix2, Ix3};

use super::layout::Laid;
use super::{By, Call, Entry, Inputs, Random, Reduced, Results, Seen, Size, knob};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    [samples(), numbers(), plain()].into_iter().flatten().collect()
}

/// Losses of whole samples.
fn samples<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("RecoveryEnergy, weighted", clouds, |call, out| {
            let ([y, x, ..], [energy, sigma, weights]) = arrays(call);
            let arguments = RecoveryArguments { y: &*y, x: &*x, energy: &*energy, sigma: &*sigma };
            verbs(call, out, &RecoveryEnergy, arguments, Reduction::Weighted(&weights), ([0, 1], [5]));
        })
        .without(By::Weights(7), &[0, 1, 5, 6], Seen::Reduced),
        Entry::new("Initializer, mean", clouds, |call, out| {
            let ([proposal, refined, ..], _) = arrays(call);
            let arguments = InitializerArguments { proposal: &*proposal, refined: &*refined };
            verbs(call, out, &Initializer, arguments, Reduction::Mean, ([0], []));
        }),
        Entry::new("Edm, weighted", clouds, |call, out| {
            let ([denoised, clean, ..], [_, sigma, weights]) = arrays(call);
            let arguments = EdmArguments { denoised: &*denoised, clean: &*clean, sigma: &*sigma };
            let edm = Edm { sigma_data: knob(0.5) };
            verbs(call, out, &edm, arguments, Reduction::Weighted(&weights), ([0], []));
        })
        .without(By::Weights(7), &[0, 1, 6], Seen::Reduced),
        Entry::new("Interpolant, velocity", clouds, |call, out| {
            interpolant(call, out, Gamma::Root { a: knob(2.0) }, Field::Velocity, Reduction::Mean);
        }),
        Entry::new("Interpolant, score", clouds, |call, out| {
            let weights = call.real::<Ix1>(7);
            interpolant(call, out, Gamma::SineSquared, Field::Score, Reduction::Weighted(&weights));
        })
        .without(By::Weights(7), &[0, 1, 2, 3, 6], Seen::Reduced),
        Entry::new("Interpolant, denoiser", clouds, |call, out| {
            interpolant(call, out, Gamma::Product, Field::Denoiser, Reduction::Sum);
        }),
        Entry::new("Interpolant, path", clouds, |call, out| {
            interpolant(call, out, Gamma::Zero, Field::PathVelocity, Reduction::Mean);
        }),
        Entry::new("AntitheticInterpolant, score", clouds, |call, out| {
            antithetic(call, out, Gamma::Product, Field::Score);
        }),
        Entry::new("AntitheticInterpolant, velocity", clouds, |call, out| {
            antithetic(call, out, Gamma::SineSquared, Field::Velocity);
        }),
        Entry::new("ExplicitScore, weighted", clouds, |call, out| {
            let ([score, ..], [trace, _, weights]) = arrays(call);
            let arguments = ExplicitScoreArguments { score: &*score, trace: &*trace };
            verbs(call, out, &ExplicitScore, arguments, Reduction::Weighted(&weights), ([0], [5]));
        })
        .without(By::Weights(7), &[0, 5], Seen::Reduced),
        Entry::new("SlicedScore, mean", clouds, |call, out| {
            let ([score, direction, ..], [curvature, ..]) = arrays(call);
            let arguments = SlicedScoreArguments { score: &*score, direction: &*direction, curvature: &*curvature };
            verbs(call, out, &SlicedScore, arguments, Reduction::Mean, ([0], [5]));
        }),
        Entry::new("DenoisingScore, variance", clouds, |call, out| denoising(call, out, ScoreWeighting::Variance)),
        Entry::new("DenoisingScore, uniform", clouds, |call, out| denoising(call, out, ScoreWeighting::Uniform)),
    ]
}

/// Losses of plain numbers.
fn numbers<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("RecoveryContrast, mean", triples, |call, out| {
            let [positive, negative, weight] = [0, 1, 2].map(|i| call.real::<Ix2>(i));
            let arguments = RecoveryContrastArguments { positive: &*positive, negative: &*negative, weight: &*weight };
            density(call, out, &RecoveryContrast, arguments, Reduction::Mean, [0, 1]);
        }),
        Entry::new("SelfConsistency, weighted", weighted_triples, |call, out| {
            let [previous, conditional, current] = [0, 1, 2].map(|i| call.real::<Ix2>(i));
            let arguments =
                SelfConsistencyArguments { previous: &*previous, conditional: &*conditional, current: &*current };
            let weights = call.real::<Ix2>(3);
            let loss = SelfConsistency { scale: knob(9.0) };
            density(call, out, &loss, arguments, Reduction::Weighted(&weights), [0, 1, 2]);
        })
        .without(By::Weights(3), &[0, 1, 2], Seen::Reduced),
        Entry::new(
            "begin_consistency",
            |random, _| Inputs::reals([random.uniform(&[2], -2.0, 2.0)]),
            |call, out| {
                let both = call.real::<Ix1>(0);
                let (Some(&marginal), Some(&normalizer)) = (both.first(), both.get(1)) else { return };
                out.scalar("value", begin_consistency(marginal, normalizer));
                let result = begin_consistency_grad(marginal, normalizer);
                // What is beyond the two has no slope.
                let all = |slopes: [T; 2]| {
                    both.iter().enumerate().map(move |(i, _)| slopes.get(i).copied().unwrap_or(T::zero()))
                };
                out.grad("", [0], result.map(|(value, slopes)| (value, [all(slopes).collect::<Array1<T>>()])));
            },
        ),
        Entry::new("ReinforceKl, raw", triples, |call, out| reinforce(call, out, Advantage::Raw))
            .detaching(reinforced, Reduced::Sum)
            .forming(&["log_probs", "log_density"]),
        Entry::new("ReinforceKl, centered", triples, |call, out| reinforce(call, out, Advantage::Centered))
            .detaching(reinforced, Reduced::Sum)
            .forming(&["log_probs", "log_density"]),
        Entry::new("ReinforceKl, standardized", triples, |call, out| reinforce(call, out, Advantage::Standardized))
            .detaching(reinforced, Reduced::Sum)
            .forming(&["log_probs", "log_density"]),
        Entry::new("FreeEnergy", triples, |call, out| {
            let (logits, free) = (call.real::<Ix2>(0), FreeEnergy { temperature: knob(0.7) });
            out.array("each", free.each(&logits));
            let result = free.grad(&logits);
            out.array("grad: each", result.clone().map(|(each, _)| each));
            out.array("grad 0", result.map(|(_, gradient)| gradient));
        }),
    ]
}

/// What has no gradient of its own.
fn plain<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("Langevin", clouds, |call, out| {
            let ([y, gradient, x, noise, _], _) = arrays(call);
            let arguments = LangevinArguments { y: &*y, gradient: &*gradient, x: &*x, noise: &*noise };
            out.array("step", Langevin { step: knob(0.1), sigma: knob(0.5) }.step(arguments));
            out.array("step, alone", Langevin { step: knob(0.1), sigma: f64::INFINITY }.step(arguments));
        }),
        Entry::new("compositions", clouds, |call, out| {
            let ([a, b, c, ..], _) = arrays(call);
            let terms = [(knob(1.0), &*a), (knob(-0.5), &*b), (0.0, &*c)];
            out.array("composed", composed_energy(&terms));
            out.array("guided", guided_energy(&a, &b, knob(1.5)));
            out.array("guided score", guided_score(&a, &b, knob(0.7)));
        }),
        Entry::new("energy_threshold", triples, |call, out| {
            let energies = call.real::<Ix2>(0);
            let column: Array1<T> = energies.iter().copied().collect();
            out.scalar("threshold", energy_threshold(&column, knob(0.95)));
        })
        .forming(&["energies"]),
        Entry::new("Interpolant, point", clouds, |call, out| {
            let ([x0, x1, noise, ..], [_, t, _]) = arrays(call);
            let interpolant = Interpolant { gamma: Gamma::Root { a: knob(2.0) }, field: Field::Velocity };
            out.array("point", interpolant.point(InterpolantPath { x0: &*x0, x1: &*x1, noise: &*noise }, &t));
        }),
        Entry::new("noise levels", triples, |call, out| {
            let sigma = LogNormalSigma { mean: knob(-1.2), std: knob(1.2) }.sigma(&call.real::<Ix2>(0));
            out.array("log-normal", sigma);
            let grid = KarrasGrid { sigma_min: knob(0.002), sigma_max: knob(80.0), rho: knob(7.0) };
            out.array("Karras", grid.levels::<T>(18));
            let schedule = GuidanceSchedule { coefficient: knob(2.0), bump: knob(0.3) };
            out.array("guidance", schedule.levels::<T>(18));
        }),
        Entry::new("MaskWeights", masked, |call, out| {
            let (masked, levels) = (call.mask::<Ix2>(0), call.real::<Ix1>(0));
            out.array("sum", MaskWeights::<T>::Sum.weights(&masked));
            out.array("per masked", MaskWeights::<T>::PerMasked.weights(&masked));
            out.array("levels", MaskWeights::InverseLevel(&levels).weights(&masked));
            for (name, schedule) in [
                ("log-linear", NoiseSchedule::LogLinear { epsilon: knob(1e-3) }),
                ("geometric", NoiseSchedule::Geometric { sigma_min: knob(1e-3), sigma_max: knob(1.0) }),
            ] {
                out.array(name, MaskWeights::Schedule { times: &levels, schedule }.weights(&masked));
            }
        }),
    ]
}

type Arrays<'a, T> = ([ArrayView3<'a, T>; 5], [ArrayView1<'a, T>; 3]);

/// Five arrays of samples; numbers of either sign, numbers in (0, 1), weights.
fn arrays<'a, T: Real>(call: &'a Call<'_, T>) -> Arrays<'a, T> {
    ([0, 1, 2, 3, 4].map(|i| call.real::<Ix3>(i)), [5, 6, 7].map(|i| call.real::<Ix1>(i)))
}

fn interpolant<T: Real>(call: &Call<T>, out: &mut Results<T>, gamma: Gamma, field: Field, reduction: Reduction<'_, T>) {
    let ([prediction, x0, x1, noise, _], [_, t, _]) = arrays(call);
    let arguments = InterpolantArguments { prediction: &*prediction, x0: &*x0, x1: &*x1, noise: &*noise, t: &*t };
    verbs(call, out, &Interpolant { gamma, field }, arguments, reduction, ([0], []));
}

fn antithetic<T: Real>(call: &Call<T>, out: &mut Results<T>, gamma: Gamma, field: Field) {
    let ([plus, minus, x0, x1, noise], [_, t, _]) = arrays(call);
    let arguments = AntitheticArguments { plus: &*plus, minus: &*minus, x0: &*x0, x1: &*x1, noise: &*noise, t: &*t };
    verbs(call, out, &AntitheticInterpolant { gamma, field }, arguments, Reduction::Mean, ([0, 1], []));
}

fn denoising<T: Real>(call: &Call<T>, out: &mut Results<T>, weighting: ScoreWeighting) {
    let ([score, noise, ..], [_, sigma, _]) = arrays(call);
    let arguments = DenoisingScoreArguments { score: &*score, noise: &*noise, sigma: &*sigma };
    verbs(call, out, &DenoisingScore { weighting }, arguments, Reduction::Mean, ([0], []));
}

fn reinforce<T: Real>(call: &Call<T>, out: &mut Results<T>, advantage: Advantage) {
    let (log_probs, log_density) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
    if log_probs.ncols() == 0 || log_density.ncols() == 0 {
        return;
    }
    let (log_probs, log_density) = (log_probs.column(0), log_density.column(0));
    let kl = ReinforceKl { advantage };
    out.scalar("value", kl.value(&log_probs, &log_density));
    out.array("advantages", kl.advantages(&log_probs, &log_density));
    let result = kl.grad(&log_probs, &log_density);
    out.array("log probs", result.clone().map(|_| log_probs.to_owned()));
    // Slopes of the other columns are 0.
    let all = |slopes: Array1<T>| {
        let mut gradient = ndarray::Array2::zeros(call.real::<Ix2>(0).raw_dim());
        gradient.column_mut(0).assign(&slopes);
        gradient
    };
    out.grad("", [0], result.map(|(value, slopes)| (value, [all(slopes)])));
}

/// The losses of which the gradients are, with the advantages of `base`.
fn reinforced(now: &Results<f64>, base: &Results<f64>) -> ArrayD<f64> {
    let advantages = base.get("advantages");
    now.get("log probs") * advantages / advantages.len() as f64
}

/// Every verb of a loss of whole samples; gradients are by these inputs.
fn verbs<'a, T: Real, L, const N: usize, const M: usize, const G: usize, const H: usize>(
    call: &Call<T>,
    out: &mut Results<T>,
    loss: &L,
    arguments: L::Arguments<&'a ArrayRef<T, Ix3>, &'a ArrayRef1<T>>,
    reduction: Reduction<'_, T>,
    (samples, numbers): ([usize; G], [usize; H]),
) where
    L: SampleLoss<N, M, G, H>,
    L::Arguments<&'a ArrayRef<T, Ix3>, &'a ArrayRef1<T>>: Copy,
{
    out.scalar("value", loss.value(arguments, reduction));
    out.array("each", loss.each(arguments));
    out.sum_count(loss.sum_count(arguments));
    let inputs: Vec<usize> = samples.into_iter().chain(numbers).collect();
    let result = loss.grad(arguments, reduction).map(|(value, gradient)| {
        let (samples, numbers) = gradient.into_columns();
        (value, together(samples, numbers))
    });
    record(out, "", result, &inputs);

    let shape = call.real::<Ix3>(0).raw_dim();
    let mut of_samples = [(); G].map(|()| call.buffer(shape));
    let mut of_numbers = [(); H].map(|()| call.buffer(Ix1(shape[0])));
    let mut to = (of_samples.each_mut().map(Laid::view_mut), of_numbers.each_mut().map(Laid::view_mut));
    let places = Columns::from_columns(to.0.each_mut().map(|x| &mut **x), to.1.each_mut().map(|x| &mut **x));
    let value = loss.grad_into(arguments, reduction, places);
    let written = together(of_samples.map(|x| x.view().to_owned()), of_numbers.map(|x| x.view().to_owned()));
    record(out, "into: ", value.map(|value| (value, written)), &inputs);
}

/// A value and its gradients.
type Gradients<T> = (T, Vec<ArrayD<T>>);

/// Gradients in samples, then those in numbers.
fn together<T, const G: usize, const H: usize>(samples: [Array3<T>; G], numbers: [Array1<T>; H]) -> Vec<ArrayD<T>> {
    samples.map(Array3::into_dyn).into_iter().chain(numbers.map(Array1::into_dyn)).collect()
}

/// A value, and gradients by these inputs.
fn record<T: Real>(out: &mut Results<T>, route: &str, result: Result<Gradients<T>>, inputs: &[usize]) {
    out.scalar(&format!("{route}value"), result.clone().map(|(value, _)| value));
    for (i, input) in inputs.iter().enumerate() {
        out.array(&format!("{route}grad {input}"), result.clone().map(|(_, gradients)| gradients[i].clone()));
    }
}

/// Every verb of a loss of plain numbers.
fn density<'a, T: Real, L, const N: usize, const G: usize>(
    call: &Call<T>,
    out: &mut Results<T>,
    loss: &L,
    arguments: L::Arguments<&'a ArrayRef<T, Ix2>>,
    reduction: Reduction<'_, T, Ix2>,
    inputs: [usize; G],
) where
    L: Density<N, G>,
    L::Arguments<&'a ArrayRef<T, Ix2>>: Copy,
{
    out.scalar("value", loss.value(arguments, reduction));
    out.array("each", loss.each(arguments));
    out.sum_count(loss.sum_count(arguments));
    let result = loss.grad(arguments, reduction);
    out.grad("", inputs, result.map(|(value, gradient)| (value, gradient.into_array())));
    let mut buffers = [(); G].map(|()| call.buffer(call.real::<Ix2>(0).raw_dim()));
    let mut to = buffers.each_mut().map(Laid::view_mut);
    let value = loss.grad_into(arguments, reduction, Bundle::from_array(to.each_mut().map(|x| &mut **x)));
    out.grad("into: ", inputs, value.map(|value| (value, buffers.map(|x| x.view().to_owned()))));
}

/// Five arrays of samples; numbers of either sign, numbers in (0, 1), weights.
fn clouds(random: &mut Random, size: Size) -> Inputs {
    let shape = [size.pick(4, 301), size.pick(2, 7), size.pick(3, 401)];
    let mut uniform = |shape: &[usize], low, high| random.uniform(shape, low, high);
    Inputs::reals([
        uniform(&shape, -2.0, 2.0),
        uniform(&shape, -2.0, 2.0),
        uniform(&shape, -2.0, 2.0),
        uniform(&shape, -2.0, 2.0),
        uniform(&shape, -2.0, 2.0),
        uniform(&shape[..1], -2.0, 2.0),
        uniform(&shape[..1], 0.1, 0.9),
        uniform(&shape[..1], 0.0, 1.0),
    ])
}

/// Numbers, of which the third are weights.
fn triples(random: &mut Random, size: Size) -> Inputs {
    let shape = [size.pick(5, 30_011), size.pick(3, 11)];
    let mut uniform = |low, high| random.uniform(&shape, low, high);
    Inputs::reals([uniform(-2.0, 2.0), uniform(-2.0, 2.0), uniform(0.0, 1.0), uniform(-2.0, 2.0)])
}

/// Three numbers of each element, and a weight.
fn weighted_triples(random: &mut Random, size: Size) -> Inputs {
    let mut inputs = triples(random, size);
    inputs.reals.swap(2, 3);
    inputs
}

/// Levels in (0, 1), and masks.
fn masked(random: &mut Random, size: Size) -> Inputs {
    let shape = [size.pick(5, 2_001), size.pick(4, 301)];
    Inputs::reals([random.uniform(&shape[..1], 0.1, 0.9)]).masks([random.mask(&shape)])
}
