//! Optimal transport, and ratios of likelihoods.

use loglik::ratio::{Ddo, RatioObjective, Samples};
use loglik::transport::{
    CosineCost, Emo, EmoCost, EmoMode, Measure, MeasureGradient, SlicedWasserstein, demd, demd_grad, wasserstein_1d,
    wasserstein_1d_distance, wasserstein_1d_distance_grad, wasserstein_1d_grad, wasserstein_circle,
    wasserstein_circle_distance, wasserstein_circle_distance_grad, wasserstein_circle_grad,
};
use loglik::{Real, Reduction, Result};
use ndarray::{Array1, ArrayD, ArrayView1, Ix1, Ix2};

use super::{By, Call, Entry, Inputs, Random, Reduced, Results, Seen, Size, knob};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("wasserstein_1d", line, |call, out| {
            let (x, y, v, w) = (call.real::<Ix1>(0), call.real::<Ix1>(1), call.real::<Ix1>(2), call.real::<Ix1>(3));
            for (name, p) in [("p = 1", 1.0), ("p = 1.5", knob(1.5)), ("p = 2", 2.0), ("p = 3", 3.0)] {
                let (x, y) = (Measure::weighted(x.view(), v.view()), Measure::weighted(y.view(), w.view()));
                out.scalar(name, wasserstein_1d(x, y, p));
            }
            out.scalar("uniform", wasserstein_1d(Measure::uniform(x.view()), Measure::uniform(y.view()), 2.0));
        }),
        Entry::new("wasserstein_1d_grad, p = 1", line, |call, out| {
            line_grad(call, out, |x, y| wasserstein_1d_grad(x, y, 1.0))
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("wasserstein_1d_grad, p = 2", line, |call, out| {
            line_grad(call, out, |x, y| wasserstein_1d_grad(x, y, 2.0))
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("wasserstein_1d_grad, p = 2.5", line, |call, out| {
            line_grad(call, out, |x, y| wasserstein_1d_grad(x, y, knob(2.5)))
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("wasserstein_1d_grad, uniform", line, |call, out| {
            let (x, y) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
            let result = wasserstein_1d_grad(Measure::uniform(x.view()), Measure::uniform(y.view()), 1.5);
            out.grad("", [0, 1], result.map(|(value, x, y)| (value, [x.points, y.points])));
        }),
        Entry::new("wasserstein_circle", line, |call, out| {
            let (x, y, v, w) = (call.real::<Ix1>(0), call.real::<Ix1>(1), call.real::<Ix1>(2), call.real::<Ix1>(3));
            for (name, p) in [("p = 1", 1.0), ("p = 1.5", knob(1.5)), ("p = 2", 2.0)] {
                let (x, y) = (Measure::weighted(x.view(), v.view()), Measure::weighted(y.view(), w.view()));
                out.scalar(name, wasserstein_circle(x, y, p, knob(3.5)));
            }
            for (name, p) in [("uniform, p = 1", 1.0), ("uniform, p = 2", 2.0)] {
                out.scalar(
                    name,
                    wasserstein_circle(Measure::uniform(x.view()), Measure::uniform(y.view()), p, knob(3.5)),
                );
            }
        }),
        Entry::new("wasserstein_circle_grad, p = 1", line, |call, out| {
            line_grad(call, out, |x, y| wasserstein_circle_grad(x, y, 1.0, knob(3.5)));
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("wasserstein_circle_grad, p = 2", line, |call, out| {
            line_grad(call, out, |x, y| wasserstein_circle_grad(x, y, 2.0, knob(3.5)));
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("distances with a root", line, |call, out| {
            let (x, y, v, w) = (call.real::<Ix1>(0), call.real::<Ix1>(1), call.real::<Ix1>(2), call.real::<Ix1>(3));
            let names = [
                ("line, p = 3", "circle, p = 3", knob(3.0)),
                ("line, p = 300", "circle, p = 300", 300.0),
                ("line, p = inf", "circle, p = inf", f64::INFINITY),
            ];
            for (line, circle, p) in names {
                let (x, y) = (Measure::weighted(x.view(), v.view()), Measure::weighted(y.view(), w.view()));
                out.scalar(line, wasserstein_1d_distance(x, y, p));
                out.scalar(circle, wasserstein_circle_distance(x, y, p, knob(3.5)));
            }
        }),
        Entry::new("wasserstein_1d_distance_grad, p = 3", line, |call, out| {
            line_grad(call, out, |x, y| wasserstein_1d_distance_grad(x, y, knob(3.0)));
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("wasserstein_1d_distance_grad, p = inf", line, |call, out| {
            line_grad(call, out, |x, y| wasserstein_1d_distance_grad(x, y, f64::INFINITY));
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("wasserstein_circle_distance_grad, p = 3", line, |call, out| {
            line_grad(call, out, |x, y| wasserstein_circle_distance_grad(x, y, knob(3.0), knob(3.5)));
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("wasserstein_circle_distance_grad, p = inf", line, |call, out| {
            line_grad(call, out, |x, y| wasserstein_circle_distance_grad(x, y, f64::INFINITY, knob(3.5)));
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("SlicedWasserstein distance, p = 3", clouds, |call, out| sliced_distance(call, out, knob(3.0)))
            .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("SlicedWasserstein distance, p = inf", clouds, |call, out| {
            sliced_distance(call, out, f64::INFINITY);
        })
        .forming(&["x.weights", "y.weights", "directions"]),
        Entry::new("SlicedWasserstein, p = 2", clouds, |call, out| sliced(call, out, 2.0)).forming(&[
            "x.weights",
            "y.weights",
            "directions",
        ]),
        Entry::new("SlicedWasserstein, p = 1.5", clouds, |call, out| sliced(call, out, knob(1.5))).forming(&[
            "x.weights",
            "y.weights",
            "directions",
        ]),
        Entry::new("demd", embedded, |call, out| {
            let (x, targets) = (call.real::<Ix2>(0), call.class::<Ix1>(0));
            let cost = CosineCost::new(&call.real::<Ix2>(1));
            out.array("each", cost.clone().and_then(|cost| demd(&x, &targets, &cost)));
            let result = cost.and_then(|cost| demd_grad(&x, &targets, &cost));
            out.array("grad: each", result.clone().map(|(each, _)| each));
            out.array("grad 0", result.map(|(_, gradient)| gradient));
        }),
        Entry::new("Emo, DEMD scaled, sum", embedded, |call, out| {
            emo(call, out, EmoMode::ScaleDemd, EmoCost::Plain, Reduction::Sum);
        })
        .detaching(demd_scaled, Reduced::Sum)
        .without(By::Class(0, 6), &[0], Seen::All),
        Entry::new("Emo, DEMD scaled, weighted", embedded, |call, out| {
            emo(call, out, EmoMode::ScaleDemd, EmoCost::Plain, Reduction::Weighted(&call.real(2)));
        })
        .detaching(demd_scaled, Reduced::Weighted(2))
        .without(By::Class(0, 6), &[0], Seen::All)
        .without(By::Weights(2), &[0], Seen::Reduced),
        Entry::new("Emo, MLE scaled, mean", embedded, |call, out| {
            emo(call, out, EmoMode::ScaleMle, EmoCost::Plain, Reduction::Mean);
        })
        .detaching(mle_scaled, Reduced::Mean)
        .without(By::Class(0, 6), &[0], Seen::All),
        Entry::new("Emo, DEMD scaled, shifted, weighted", embedded, |call, out| {
            emo(call, out, EmoMode::ScaleDemd, EmoCost::Shifted, Reduction::Weighted(&call.real(2)));
        })
        .detaching(demd_scaled, Reduced::Weighted(2))
        .without(By::Class(0, 6), &[0], Seen::All)
        .without(By::Weights(2), &[0], Seen::Reduced),
        Entry::new("Emo, MLE scaled, shifted, mean", embedded, |call, out| {
            emo(call, out, EmoMode::ScaleMle, EmoCost::Shifted, Reduction::Mean);
        })
        .detaching(mle_scaled, Reduced::Mean)
        .without(By::Class(0, 6), &[0], Seen::All),
        Entry::new("Ddo, mean", ratios, |call, out| {
            ddo(call, out, Samples { real: Reduction::Mean, fake: Reduction::Mean });
        }),
        Entry::new("Ddo, weighted and sum", ratios, |call, out| {
            ddo(call, out, Samples { real: Reduction::Weighted(&call.real(2)), fake: Reduction::Sum });
        })
        .without(By::Weights(2), &[0], Seen::Reduced),
    ]
}

/// Gradients in points and, through weights that a softmax gives, in its logits: what moves within one total.
fn line_grad<T: Real>(
    call: &Call<T>,
    out: &mut Results<T>,
    grad: impl Fn(Measure<'_, T>, Measure<'_, T>) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)>,
) {
    let (x, y) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
    let (v, w) = (softmax(call.real(2)), softmax(call.real(3)));
    let result = grad(Measure::weighted(x.view(), v.view()), Measure::weighted(y.view(), w.view()));
    let back = |weights: &Array1<T>, gradient: &MeasureGradient<T>| {
        // Halves of the slopes, so that the difference of two large ones stays in the type.
        let halves = gradient.weights.mapv(|f| T::from_f64(0.5) * f);
        let mean: T = weights.iter().zip(&halves).map(|(&w, &f)| w * f).sum();
        (weights * &halves.mapv(|f| f - mean)).mapv(|slope| T::from_f64(2.0) * slope)
    };
    let gradients = |x: MeasureGradient<T>, y: MeasureGradient<T>| {
        let (in_v, in_w) = (back(&v, &x), back(&w, &y));
        [x.points, y.points, in_v, in_w]
    };
    out.grad("", [0, 1, 2, 3], result.map(|(value, x, y)| (value, gradients(x, y))));
}

fn softmax<T: Real>(logits: ArrayView1<'_, T>) -> Array1<T> {
    let max = logits.iter().fold(T::neg_infinity(), |max, &x| if x > max { x } else { max });
    let weights = logits.mapv(|x| (x - max).exp());
    let total = weights.iter().map(|w| w.as_f64()).sum::<f64>();
    weights.mapv(|w| T::from_f64(w.as_f64() / total))
}

fn sliced_distance<T: Real>(call: &Call<T>, out: &mut Results<T>, p: f64) {
    let (x, y) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
    let (v, w) = (softmax(call.real(2)), softmax(call.real(3)));
    let (from, to) = (Measure::weighted(x.view(), v.view()), Measure::weighted(y.view(), w.view()));
    let (directions, sliced) = (call.real::<Ix2>(4), SlicedWasserstein { p });
    out.scalar("value", sliced.distance(from, to, &directions));
    out.array("slices", sliced.distances(from, to, &directions));
    out.grad("", [0, 1], sliced.distance_grad(from, to, &directions).map(|(value, x, y)| (value, [x, y])));
}

fn sliced<T: Real>(call: &Call<T>, out: &mut Results<T>, p: f64) {
    let (x, y) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
    let (v, w) = (softmax(call.real(2)), softmax(call.real(3)));
    let (from, to) = (Measure::weighted(x.view(), v.view()), Measure::weighted(y.view(), w.view()));
    let (directions, sliced) = (call.real::<Ix2>(4), SlicedWasserstein { p });
    out.scalar("value", sliced.value(from, to, &directions));
    out.array("slices", sliced.each(from, to, &directions));
    out.grad("", [0, 1], sliced.grad(from, to, &directions).map(|(value, x, y)| (value, [x, y])));
    let (mut a, mut b) = (call.buffer(x.raw_dim()), call.buffer(y.raw_dim()));
    let result = sliced.grad_into(from, to, &directions, &mut a.view_mut(), &mut b.view_mut());
    out.grad("into: ", [0, 1], result.map(|value| (value, [a, b].map(|side| side.view().to_owned()))));
    let largest = sliced.max(from, to, &directions);
    out.scalar("largest", largest.clone().map(|(_, slice)| slice.value));
    out.array("largest: slope", largest.map(|(_, slice)| slice.x));
    let row = |row| directions.row(row);
    if directions.nrows() > 0 {
        let risen: Result<_> = sliced.ascend(from, to, &row(0), 3);
        out.array("risen", risen.map(|slice| slice.direction));
    }
}

/// The losses of which the gradients are where the cost is scaled, with the weights of `base`.
fn demd_scaled(now: &Results<f64>, base: &Results<f64>) -> ArrayD<f64> {
    0.5 * (now.get("mle") + base.get("weight") * now.get("demd"))
}

/// The same where the likelihood is scaled.
fn mle_scaled(now: &Results<f64>, base: &Results<f64>) -> ArrayD<f64> {
    base.get("weight") * now.get("mle") + now.get("demd")
}

/// The last class is ignored.
fn emo<T: Real>(call: &Call<T>, out: &mut Results<T>, mode: EmoMode, shift: EmoCost, reduction: Reduction<T>) {
    let (x, targets) = (call.real::<Ix2>(0), call.class::<Ix1>(0));
    let cost = match CosineCost::new(&call.real::<Ix2>(1)) {
        Ok(cost) => cost,
        Err(error) => return out.scalar("cost", Err(error)),
    };
    let emo = Emo { mode, cost: shift, ignore_index: Some(6) };
    out.scalar("value", emo.value(&x, &targets, &cost, reduction));
    out.array("each", emo.each(&x, &targets, &cost));
    out.sum_count(emo.sum_count(&x, &targets, &cost));
    let terms = emo.terms(&x, &targets, &cost);
    out.array("mle", terms.clone().map(|terms| terms.mle));
    out.array("demd", terms.clone().map(|terms| terms.demd));
    out.array("cost", terms.clone().map(|terms| terms.cost));
    out.array("weight", terms.map(|terms| terms.weight));
    out.grad("", [0], emo.grad(&x, &targets, &cost, reduction).map(|(value, g)| (value, [g])));
    let into = call.into(x.raw_dim(), |mut to| emo.grad_into(&x, &targets, &cost, reduction, &mut to));
    out.grad("into: ", [0], into.map(|(value, g)| (value, [g])));
}

fn ddo<T: Real>(call: &Call<T>, out: &mut Results<T>, reductions: Samples<Reduction<T>>) {
    let ddo = Ddo { alpha: knob(3.0), beta: knob(0.4) };
    let (real, fake) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
    let samples = Samples { real: real.view(), fake: fake.view() };
    out.scalar("value", ddo.value(samples, reductions));
    let parts = ddo.sum_count(samples);
    out.scalar("sum of real", parts.clone().map(|parts| T::from_f64(parts.real.sum)));
    out.scalar("sum of fake", parts.map(|parts| T::from_f64(parts.fake.sum)));
    out.scalar("accuracy on real", ddo.accuracy(samples).map(|accuracy| accuracy.real));
    out.scalar("accuracy on fake", ddo.accuracy(samples).map(|accuracy| accuracy.fake));
    let each = ddo.each(samples);
    out.array("each real", each.clone().map(|each| each.real));
    out.array("each fake", each.map(|each| each.fake));
    out.grad("", [0, 1], ddo.grad(samples, reductions).map(|(value, g)| (value, [g.real, g.fake])));
    let (mut a, mut b) = (call.buffer(real.raw_dim()), call.buffer(fake.raw_dim()));
    let result = ddo.grad_into(samples, reductions, Samples { real: a.view_mut(), fake: b.view_mut() });
    out.grad("into: ", [0, 1], result.map(|value| (value, [a, b].map(|side| side.view().to_owned()))));
}

/// Two sets of points, weights of both with one total.
fn line(random: &mut Random, size: Size) -> Inputs {
    // Large measures are just long enough to be sorted on two threads.
    let (n, m) = ([size.pick(6, 40_001)], [size.pick(9, 30_001)]);
    let weights = [random.uniform(&n, 0.0, 1.0), random.uniform(&m, 0.0, 1.0)];
    let [v, w] = weights.map(|weights| &weights / weights.sum());
    Inputs::reals([random.uniform(&n, -3.0, 3.0), random.uniform(&m, -2.0, 4.0), v, w])
}

/// Points in three dimensions, logits of the weights of both sides, directions.
fn clouds(random: &mut Random, size: Size) -> Inputs {
    let (n, m, k) = (size.pick(6, 4_001), size.pick(9, 3_001), size.pick(4, 75));
    let (v, w) = (random.uniform(&[n], -1.0, 1.0), random.uniform(&[m], -1.0, 1.0));
    let (x, y) = (random.uniform(&[n, 3], -3.0, 3.0), random.uniform(&[m, 3], -2.0, 4.0));
    Inputs::reals([x, y, v, w, random.uniform(&[k, 3], -1.0, 1.0)])
}

/// Logits, embeddings, weights; targets.
fn embedded(random: &mut Random, size: Size) -> Inputs {
    let (n, classes) = (size.pick(4, 301), size.pick(7, 1_511));
    let reals = [
        random.uniform(&[n, classes], -2.0, 2.0),
        random.uniform(&[classes, 5], -1.0, 1.0),
        random.uniform(&[n], 0.0, 1.0),
    ];
    Inputs::reals(reals).classes([random.classes(&[n], classes)])
}

/// Log-ratios on real and fake samples, weights of the real ones.
fn ratios(random: &mut Random, size: Size) -> Inputs {
    let (n, m) = ([size.pick(5, 300_007)], [size.pick(4, 200_003)]);
    Inputs::reals([random.uniform(&n, -4.0, 4.0), random.uniform(&m, -4.0, 4.0), random.uniform(&n, 0.0, 1.0)])
}
