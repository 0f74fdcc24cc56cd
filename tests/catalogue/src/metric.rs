//! Losses of embeddings.

use loglik::metric::{
    Angle, ArcFace, BatchAllTriplet, BatchHardTriplet, Circle, CircleWeights, ClassMargin, Contrastive, CosFace,
    Cosent, CosineEmbedding, Distance, EmbeddingObjective, GeneralizedLifted, GlobalOrthogonal, LabeledPairs,
    LiftedStructure, Matryoshka, MultiSimilarity, OnlineContrastive, PairScore, ProxyAnchor, SemiHardTriplet,
    SphereFace, Triplet, TripletShape, TripletSwap, Triplets, VicReg, flops, flops_grad, margin_mse, margin_mse_each,
    margin_mse_grad, n_pairs, n_pairs_each, n_pairs_grad, paired_scores, paired_scores_backward, score_matrix,
    score_matrix_backward,
};
use loglik::{Real, Reduction};
use ndarray::{Ix1, Ix2};

use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size, knob};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    [batches(), classes(), pairs(), others(), scores()].into_iter().flatten().collect()
}

/// The mean.
fn mean<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: &impl EmbeddingObjective) {
    batch(call, out, loss, Reduction::Mean);
}

fn batches<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("MultiSimilarity, mean", labeled, |call, out| {
            mean(call, out, &MultiSimilarity { alpha: knob(2.0), beta: knob(9.0), base: knob(0.4) });
        }),
        Entry::new("MultiSimilarity, weighted", labeled, |call, out| {
            batch(call, out, &MultiSimilarity::default(), Reduction::Weighted(&call.real::<Ix1>(1)));
        }),
        Entry::new("Circle, differentiated", labeled, |call, out| {
            mean(call, out, &Circle { m: knob(0.3), gamma: knob(6.0), weights: CircleWeights::Differentiated });
        }),
        Entry::new("Circle", labeled, |call, out| {
            let (x, labels) = (call.real::<Ix2>(0), call.class::<Ix1>(0));
            let loss = Circle { m: knob(0.4), gamma: knob(80.0), ..Circle::default() };
            out.scalar("value", loss.value(&x, &labels, Reduction::Sum));
            // Its weights are constants of its gradient.
            out.array("pulls", loss.grad(&x, &labels, Reduction::Sum).map(|(_, gradient)| gradient));
        }),
        Entry::new("LiftedStructure, mean", labeled, |call, out| {
            let (negative_margin, positive_margin) = (knob(1.0), knob(0.1));
            mean(call, out, &LiftedStructure { negative_margin, positive_margin, ..LiftedStructure::default() });
        }),
        Entry::new("LiftedStructure, weighted", labeled, |call, out| {
            let loss = LiftedStructure { distance: Distance::SquaredEuclidean, ..LiftedStructure::default() };
            batch(call, out, &loss, Reduction::Weighted(&call.real::<Ix1>(1)));
        }),
        Entry::new("GeneralizedLifted, mean", labeled, |call, out| {
            let (negative_margin, positive_margin) = (knob(1.5), knob(0.1));
            mean(call, out, &GeneralizedLifted { negative_margin, positive_margin, ..GeneralizedLifted::default() });
        }),
        Entry::new("GeneralizedLifted, weighted", labeled, |call, out| {
            let loss = GeneralizedLifted { distance: Distance::Cosine, ..GeneralizedLifted::default() };
            batch(call, out, &loss, Reduction::Weighted(&call.real::<Ix1>(1)));
        }),
        Entry::new("BatchHardTriplet, mean", labeled, |call, out| {
            mean(call, out, &BatchHardTriplet { margin: knob(1.0), ..BatchHardTriplet::default() });
        }),
        Entry::new("BatchHardTriplet, soft", labeled, |call, out| {
            let (distance, shape) = (Distance::Cosine, TripletShape::Soft);
            let loss = BatchHardTriplet { margin: knob(0.1), distance, shape };
            batch(call, out, &loss, Reduction::Weighted(&call.real::<Ix1>(1)));
        }),
        Entry::new("BatchAllTriplet, mean", labeled, |call, out| {
            mean(call, out, &BatchAllTriplet { margin: knob(0.7), ..BatchAllTriplet::default() });
        }),
        Entry::new("SemiHardTriplet, mean", labeled, |call, out| {
            let loss = SemiHardTriplet { margin: knob(60.0), distance: Distance::SquaredEuclidean };
            mean(call, out, &loss);
        }),
        Entry::new("Matryoshka", labeled, |call, out| {
            let (x, labels) = (call.real::<Ix2>(0), call.class::<Ix1>(0));
            let nested = Matryoshka { dims: vec![2, 4], weights: vec![knob(0.5), knob(1.0)] };
            let loss = MultiSimilarity { beta: 7.0, ..MultiSimilarity::default() };
            let value = nested.value([&*x], |[x]| loss.value(&x, &labels, Reduction::Mean));
            out.scalar("value", value);
            let result = nested.grad([&*x], |[x]| {
                loss.grad(&x, &labels, Reduction::Mean).map(|(value, gradient)| (value, [gradient]))
            });
            out.grad("", [0], result);
        })
        .forming(&["loss", "gradient"]),
    ]
}

fn batch<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: &impl EmbeddingObjective, reduction: Reduction<T>) {
    let (x, labels) = (call.real::<Ix2>(0), call.class::<Ix1>(0));
    out.scalar("value", loss.value(&x, &labels, reduction));
    out.array("each", loss.each(&x, &labels));
    // Not the parts of micro-batches: every anchor looks at the whole batch.
    let whole = loss.sum_count(&x, &labels);
    out.scalar("sum of losses", whole.clone().map(|whole| T::from_f64(whole.sum)));
    out.scalar("count", whole.map(|whole| T::from_f64(whole.count)));
    out.grad("", [0], loss.grad(&x, &labels, reduction).map(|(value, gradient)| (value, [gradient])));
    let into = call.into(x.raw_dim(), |mut to| loss.grad_into(&x, &labels, reduction, &mut to));
    out.grad("into: ", [0], into.map(|(value, gradient)| (value, [gradient])));
}

fn classes<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("ArcFace, mean", centered, |call, out| {
            margin(call, out, &ArcFace { scale: knob(5.0), margin: knob(0.5) }, Reduction::Mean);
        }),
        Entry::new("CosFace, weighted", centered, |call, out| {
            let loss = CosFace { scale: knob(5.0), margin: knob(0.35) };
            margin(call, out, &loss, Reduction::Weighted(&call.real::<Ix1>(2)));
        })
        .without(By::Weights(2), &[0], Seen::Reduced),
        Entry::new("SphereFace, sum", centered, |call, out| {
            margin(call, out, &SphereFace { scale: knob(3.0), margin: 4 }, Reduction::Sum);
        }),
        Entry::new("ProxyAnchor", centered, |call, out| {
            let (x, proxies, labels) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.class::<Ix1>(0));
            let loss = ProxyAnchor { alpha: knob(4.0), margin: knob(0.1) };
            out.scalar("value", loss.value(&x, &proxies, &labels));
            let result = loss.grad(&x, &proxies, &labels);
            both(out, result);
        }),
    ]
}

/// Gradients in the first two inputs, of which shapes may differ.
type Both<T, D> = (ndarray::Array<T, D>, ndarray::Array<T, D>);

/// A value and its gradients.
fn both<T: Real, D: ndarray::Dimension>(out: &mut Results<T>, result: loglik::Result<(T, Both<T, D>)>) {
    out.grad("", [0, 1], result.map(|(value, (x, y))| (value, [x, y])));
}

fn margin<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: &impl ClassMargin, reduction: Reduction<T>) {
    let (x, centers, labels) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.class::<Ix1>(0));
    out.scalar("value", loss.value(&x, &centers, &labels, reduction));
    out.array("each", loss.each(&x, &centers, &labels));
    both(out, loss.grad(&x, &centers, &labels, reduction));
}

fn pairs<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("Contrastive, weighted", sides, |call, out| {
            let loss = Contrastive { margin: knob(2.0), distance: Distance::Euclidean };
            alike(call, out, &loss, Reduction::Weighted(&call.real::<Ix1>(2)));
        })
        .without(By::Weights(2), &[0, 1], Seen::Reduced),
        Entry::new("OnlineContrastive, weighted", sides, |call, out| {
            let loss = OnlineContrastive { margin: knob(1.5), distance: Distance::Cosine };
            alike(call, out, &loss, Reduction::Weighted(&call.real::<Ix1>(2)));
        })
        .without(By::Weights(2), &[0, 1], Seen::Reduced),
        Entry::new("CosineEmbedding, mean", sides, |call, out| {
            alike(call, out, &CosineEmbedding { margin: knob(0.1) }, Reduction::Mean);
        }),
        Entry::new("paired_scores", sides, |call, out| paired(call, out, PairScore::Euclidean)),
        Entry::new("paired_scores, cosines", sides, |call, out| paired(call, out, PairScore::CosineSimilarity)),
        Entry::new("Angle", sides, |call, out| {
            let (x, y, gold) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix1>(3));
            let loss = Angle { scale: knob(5.0) };
            out.scalar("value", loss.value(&x, &y, &gold));
            out.array("angles", loss.each(&x, &y));
            both(out, loss.grad(&x, &y, &gold));
        }),
        Entry::new("n_pairs, weighted", sides, |call, out| {
            let (x, y, weights) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix1>(2));
            let reduction = Reduction::Weighted(&weights);
            out.scalar("value", n_pairs(&x, &y, reduction));
            out.array("each", n_pairs_each(&x, &y));
            both(out, n_pairs_grad(&x, &y, reduction));
        })
        .without(By::Weights(2), &[0], Seen::Reduced),
        Entry::new("VicReg", sides, |call, out| {
            let (x, y) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
            let loss = VicReg {
                invariance: knob(25.0),
                variance: knob(25.0),
                covariance: knob(1.0),
                deviation: knob(1.7),
                epsilon: knob(1e-4),
            };
            out.scalar("value", loss.value(&x, &y));
            out.scalar("variance term", loss.terms(&x, &y).map(|terms| terms.variance));
            both(out, loss.grad(&x, &y));
        }),
    ]
}

fn alike<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: &impl LabeledPairs, reduction: Reduction<T>) {
    let (x, y, alike) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.mask::<Ix1>(0));
    out.scalar("value", loss.value(&x, &y, &alike, reduction));
    out.array("each", loss.each(&x, &y, &alike));
    both(out, loss.grad(&x, &y, &alike, reduction));
}

fn paired<T: Real>(call: &Call<T>, out: &mut Results<T>, score: PairScore) {
    let (x, y, cotangent) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix1>(3));
    let result = paired_scores_backward(&x, &y, score, &cotangent);
    out.array("pull 0", result.clone().map(|(x, _)| x));
    out.array("pull 1", result.map(|(_, y)| y));
    let ones = ndarray::Array1::ones(x.nrows());
    out.array("each", paired_scores(&x, &y, score));
    let result = paired_scores_backward(&x, &y, score, &ones);
    out.array("grad 0", result.clone().map(|(x, _)| x));
    out.array("grad 1", result.map(|(_, y)| y));
}

fn others<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("Triplet, weighted", triplets, |call, out| {
            let loss = Triplet { margin: knob(1.0), swap: TripletSwap::Nearer, ..Triplet::default() };
            triplet(call, out, &loss, Reduction::Weighted(&call.real::<Ix1>(3)));
        })
        .without(By::Weights(3), &[0, 1, 2], Seen::Reduced),
        Entry::new("Triplet, soft", triplets, |call, out| {
            let (distance, shape) = (Distance::SquaredEuclidean, TripletShape::Soft);
            triplet(call, out, &Triplet { margin: knob(0.2), distance, shape, ..Triplet::default() }, Reduction::Mean);
        }),
        Entry::new("GlobalOrthogonal", labeled, |call, out| {
            let loss = GlobalOrthogonal { mean_weight: knob(1.0), second_moment_weight: knob(0.5) };
            out.scalar("value", loss.value(&call.real::<Ix2>(0)));
            out.grad("", [0], loss.grad(&call.real::<Ix2>(0)).map(|(value, gradient)| (value, [gradient])));
        }),
        Entry::new("flops", sparse, |call, out| {
            out.scalar("value", flops(&call.real::<Ix2>(0)));
            out.grad("", [0], flops_grad(&call.real::<Ix2>(0)).map(|(value, gradient)| (value, [gradient])));
        }),
        Entry::new("score_matrix", matrices, |call, out| {
            let (x, y, cotangent) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix2>(2));
            for (name, score) in [("cosine", PairScore::CosineDistance), ("dot", PairScore::DotProduct)] {
                out.array(name, score_matrix(&x, &y, score));
                let result = score_matrix_backward(&x, &y, score, &cotangent);
                out.array(&format!("{name}: pull 0"), result.map(|(x, _)| x));
            }
            let (score, ones) = (PairScore::Euclidean, ndarray::Array2::ones((x.nrows(), y.nrows())));
            out.array("each", score_matrix(&x, &y, score));
            let result = score_matrix_backward(&x, &y, score, &ones);
            out.array("grad 0", result.clone().map(|(x, _)| x));
            out.array("grad 1", result.map(|(_, y)| y));
        }),
    ]
}

fn triplet<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: &Triplet, reduction: Reduction<T>) {
    let [anchors, positives, negatives] = [call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix2>(2)];
    let of = Triplets { anchors: &*anchors, positives: &*positives, negatives: &*negatives };
    out.scalar("value", loss.value(of, reduction));
    out.array("each", loss.each(of));
    let result = loss.grad(of, reduction);
    out.grad("", [0, 1, 2], result.map(|(value, by)| (value, [by.anchors, by.positives, by.negatives])));
}

fn scores<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("Cosent", columns, |call, out| {
            let (scores, gold) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
            let loss = Cosent { scale: knob(4.0) };
            out.scalar("value", loss.value(&scores, &gold));
            out.grad("", [0], loss.grad(&scores, &gold).map(|(value, gradient)| (value, [gradient])));
        }),
        Entry::new("margin_mse, weighted", columns, |call, out| {
            let [positive, negative, gold] = [call.real::<Ix1>(0), call.real::<Ix1>(2), call.real::<Ix1>(1)];
            let weights = call.real::<Ix1>(3);
            let reduction = Reduction::Weighted(&weights);
            out.scalar("value", margin_mse(&positive, &negative, &gold, reduction));
            out.array("each", margin_mse_each(&positive, &negative, &gold));
            let result = margin_mse_grad(&positive, &negative, &gold, reduction);
            out.grad("", [0, 2], result.map(|(value, (positive, negative))| (value, [positive, negative])));
        })
        .without(By::Weights(3), &[0, 1, 2], Seen::Reduced),
    ]
}

/// Weights, some of which are zero.
fn weights(random: &mut Random, n: usize) -> ndarray::ArrayD<f64> {
    let mut weights = random.uniform(&[n], 0.1, 1.0);
    weights.iter_mut().step_by(4).for_each(|weight| *weight = 0.0);
    weights
}

/// Embeddings and weights; labels.
fn labeled(random: &mut Random, size: Size) -> Inputs {
    let n = size.pick(7, 301);
    let x = random.uniform(&[n, size.long(4, 70)], -2.0, 2.0);
    Inputs::reals([x, weights(random, n)]).classes([random.classes(&[n], 3)])
}

/// Embeddings, centers, weights; labels.
fn centered(random: &mut Random, size: Size) -> Inputs {
    let (n, d) = (size.pick(6, 401), size.long(4, 70));
    let reals = [random.uniform(&[n, d], -2.0, 2.0), random.uniform(&[5, d], -1.0, 1.0), weights(random, n)];
    Inputs::reals(reals).classes([random.classes(&[n], 5)])
}

/// Both sides of pairs, weights, gold scores; whether they are alike.
fn sides(random: &mut Random, size: Size) -> Inputs {
    let (n, d) = (size.pick(6, 301), size.long(4, 70));
    let reals = [
        random.uniform(&[n, d], -2.0, 2.0),
        random.uniform(&[n, d], -2.0, 2.0),
        weights(random, n),
        random.uniform(&[n], -1.0, 1.0),
    ];
    Inputs::reals(reals).masks([random.mask(&[n])])
}

/// Anchors, positives, negatives, weights.
fn triplets(random: &mut Random, size: Size) -> Inputs {
    let (n, d) = (size.pick(6, 2_001), size.long(4, 70));
    let [a, p, b] = [(); 3].map(|()| random.uniform(&[n, d], -2.0, 2.0));
    Inputs::reals([a, p, b, weights(random, n)])
}

/// Two sets of embeddings, and a cotangent.
fn matrices(random: &mut Random, size: Size) -> Inputs {
    let (n, m, d) = (size.pick(5, 301), size.pick(4, 203), size.long(3, 70));
    let reals =
        [random.uniform(&[n, d], -2.0, 2.0), random.uniform(&[m, d], -2.0, 2.0), random.uniform(&[n, m], -1.0, 1.0)];
    Inputs::reals(reals)
}

/// Activations above zero.
fn sparse(random: &mut Random, size: Size) -> Inputs {
    Inputs::reals([random.uniform(&[size.pick(5, 501), size.pick(4, 301)], 0.1, 2.0)])
}

/// Three columns of numbers and weights.
fn columns(random: &mut Random, size: Size) -> Inputs {
    let n = size.pick(7, 20_001);
    let [a, b, c] = [(); 3].map(|()| random.uniform(&[n], -1.0, 1.0));
    Inputs::reals([a, b, c, weights(random, n)])
}
