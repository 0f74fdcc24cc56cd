//! Functions of rows of logits, with their gradients, at whole vocabularies.

use loglik::diagnostics::{TokenStats, TopK, TopKNormalization};
use loglik::logits::{
    CrossEntropy, LogSumExp, MixCe, SoftCrossEntropy, TaiLr, TokenObjective, VocabularyShard, entropy, entropy_grad,
    log_softmax, log_sum_exp, log_sum_exp_grad, token_log_probs, token_log_probs_backward,
};
use loglik::{Element, Real, Reduction};
use ndarray::{Array2, array, s};

use super::rows::{CLASSES, shapes, sum};

/// A row of logits, and what plain loops in `f64` make of it.
pub(super) struct Exact {
    name: String,
    tolerance: f64,
    logits: Vec<f64>,
    log_sum: f64,
    log_probs: Vec<f64>,
    probs: Vec<f64>,
    entropy: f64,
}

impl Exact {
    pub(super) fn new(name: String, logits: Vec<f64>, tolerance: f64) -> Self {
        let top = (0..logits.len()).fold(0, |top, i| if logits[i] > logits[top] { i } else { top });
        let max = logits[top];
        // The largest stays out of the sum, so that a small loss has its digits.
        let others = sum((0..logits.len()).filter(|&i| i != top).map(|i| (logits[i] - max).exp()));
        let log_probs: Vec<f64> = logits.iter().map(|x| (x - max) - others.ln_1p()).collect();
        let probs: Vec<f64> = log_probs.iter().map(|x| x.exp()).collect();
        let likely = probs.iter().zip(&log_probs).filter(|(p, _)| **p > 0.0);
        let entropy = sum(likely.map(|(p, log)| -p * log));
        Self { name, tolerance, log_sum: max + others.ln_1p(), entropy, logits, log_probs, probs }
    }

    /// The likeliest class, one in the next block, one that is never ruled out, the last.
    fn targets(&self) -> [usize; 4] {
        let classes = self.logits.len();
        let top = (0..classes).fold(0, |top, i| if self.logits[i] > self.logits[top] { i } else { top });
        [top, (top + 2_048) % classes, 7, classes - 1]
    }

    /// A result of terms whose magnitudes add up to `scale`.
    #[track_caller]
    pub(super) fn holds(&self, what: &str, got: impl Real, expected: f64, scale: f64) {
        let (got, name) = (got.as_f64(), &self.name);
        let is_close = got == expected || (got - expected).abs() <= self.tolerance * scale + 1e-37;
        assert!(is_close, "{what}, {name}: {got} is not {expected}");
    }

    /// A row of a gradient; `expected` are the slope of a class and the magnitude of its terms.
    #[track_caller]
    pub(super) fn holds_row<T: Real>(
        &self,
        what: &str,
        got: impl IntoIterator<Item = T>,
        expected: impl Fn(usize) -> (f64, f64),
    ) {
        let mut count = 0;
        for (class, got) in got.into_iter().enumerate() {
            let (slope, scale) = expected(class);
            self.holds(what, got, slope, scale);
            count += 1;
        }
        assert_eq!(count, self.logits.len(), "{what}");
    }

    /// Negative log-likelihood of a class.
    pub(super) fn nll(&self, target: usize) -> f64 {
        -self.log_probs[target]
    }

    /// `p - [v = y]`, without cancellation where the target is almost certain.
    pub(super) fn residual(&self, class: usize, target: usize) -> f64 {
        if class == target { self.log_probs[target].exp_m1() } else { self.probs[class] }
    }
}

fn every_row<E: Element>(of: fn(f64) -> E, tolerance: f64) {
    for (classes, shape) in CLASSES.into_iter().flat_map(|v| shapes(v).into_iter().map(move |shape| (v, shape))) {
        let row = Array2::from_shape_vec((1, classes), shape.logits(classes, 1)).unwrap().mapv(of);
        let logits = row.iter().map(|x| x.real().as_f64()).collect();
        let exact = Exact::new(format!("{shape:?} of {classes}"), logits, tolerance);
        whole_row(&exact, &row);
        for target in exact.targets() {
            likelihoods(&exact, &row, target);
            detached(&exact, &row, target);
        }
        shards(&exact, &row, exact.targets()[1]);
    }
}

fn whole_row<E: Element>(exact: &Exact, row: &Array2<E>) {
    let Exact { log_sum, log_probs, probs, entropy: h, .. } = exact;
    let (each, softmax) = log_sum_exp_grad(row).unwrap();
    exact.holds("log_sum_exp", log_sum_exp(row).unwrap()[0], *log_sum, log_sum.abs());
    exact.holds("log_sum_exp, with gradient", each[0], *log_sum, log_sum.abs());
    exact.holds_row("softmax", softmax, |v| (probs[v], probs[v]));
    exact.holds_row("log_softmax", log_softmax(row).unwrap(), |v| (log_probs[v], log_probs[v].abs()));
    let (each, gradient) = entropy_grad(row).unwrap();
    exact.holds("entropy", entropy(row).unwrap()[0], *h, *h);
    exact.holds("entropy, with gradient", each[0], *h, *h);
    exact.holds_row("entropy's gradient", gradient, |v| match probs[v] {
        0.0 => (0.0, 0.0),
        p => (-p * (log_probs[v] + h), p * (log_probs[v].abs() + h)),
    });
    let mut largest = probs.clone();
    largest.sort_by(|a, b| b.total_cmp(a));
    let stats = TopK { k: 3, normalization: TopKNormalization::Raw }.each(row).unwrap();
    let mass = largest[..3].iter().sum::<f64>();
    exact.holds("mass of the top three", stats.mass[0], mass, mass);
}

fn likelihoods<E: Element>(exact: &Exact, row: &Array2<E>, target: usize) {
    let Exact { log_sum, log_probs, probs, .. } = exact;
    let (targets, one) = (array![target], array![E::Real::from_f64(1.0)]);
    let nll = exact.nll(target);
    let residual = |v: usize| (exact.residual(v, target), exact.residual(v, target).abs());
    exact.holds("token_log_probs", token_log_probs(row, &targets).unwrap()[0], -nll, nll);
    let gradient = token_log_probs_backward(row, &targets, &one).unwrap();
    exact.holds_row("token_log_probs_backward", gradient, |v| (-residual(v).0, residual(v).1));
    let loss = CrossEntropy::default();
    exact.holds("CrossEntropy", loss.value(row, &targets, Reduction::Mean).unwrap(), nll, nll);
    let (value, gradient) = loss.grad(row, &targets, Reduction::Mean).unwrap();
    exact.holds("CrossEntropy, with gradient", value, nll, nll);
    exact.holds_row("CrossEntropy's gradient", gradient, residual);

    let (smooth, classes) = (CrossEntropy { label_smoothing: 0.1, z_loss: 1e-3, ..loss }, probs.len() as f64);
    let spread = sum(log_probs.iter().map(|log| -log)) * 0.1 / classes;
    let expected = 0.9 * nll + spread + 1e-3 * log_sum.powi(2);
    let (value, gradient) = smooth.grad(row, &targets, Reduction::Sum).unwrap();
    exact.holds("smoothed, with z-loss", value, expected, expected);
    exact.holds_row("gradient, smoothed, with z-loss", gradient, |v| {
        let (pull, asked) = ((1.0 + 2e-3 * log_sum) * probs[v], 0.1 / classes + if v == target { 0.9 } else { 0.0 });
        (pull - asked, pull + asked)
    });

    let mut soft = row.map(|_| E::Real::from_f64(0.0));
    (soft[[0, 7]], soft[[0, target]]) =
        (E::Real::from_f64(0.25), E::Real::from_f64(if target == 7 { 1.0 } else { 0.75 }));
    let expected = if target == 7 { nll } else { 0.75 * nll - 0.25 * log_probs[7] };
    let (value, gradient) = SoftCrossEntropy::default().grad(row, &soft, Reduction::Sum).unwrap();
    exact.holds("SoftCrossEntropy", value, expected, expected);
    exact.holds_row("SoftCrossEntropy's gradient", gradient, |v| {
        let q = soft[[0, v]].as_f64();
        (probs[v] - q, probs[v] + q)
    });
    let stats = TokenStats { top_k: Some(3), ..TokenStats::default() }.each(row, &targets).unwrap();
    exact.holds("TokenStats, log-probability", stats.log_prob[0], -nll, nll);
    exact.holds("TokenStats, entropy", stats.entropy[0], exact.entropy, exact.entropy);
    assert_eq!(stats.correct[0], target == exact.targets()[0], "{}", exact.name);
}

/// Likelihoods with a factor that counts as a constant.
fn detached<E: Element>(exact: &Exact, row: &Array2<E>, target: usize) {
    let (targets, nll, q) = (array![target], exact.nll(target), exact.probs[target]);
    let tailr = TaiLr { gamma: 0.3, min_weight: 0.1, ignore_index: None };
    let mixed = MixCe { eta: 0.3, ignore_index: None };
    let graded = [
        (tailr.grad(row, &targets, Reduction::Sum).unwrap(), (q / (0.3 + 0.7 * q)).clamp(0.1, 1.0)),
        (mixed.grad(row, &targets, Reduction::Sum).unwrap(), 0.3 + 0.7 * q),
    ];
    for ((value, gradient), weight) in graded {
        exact.holds("detached factor", value, weight * nll, weight * nll);
        exact.holds_row("gradient, detached factor", gradient, |v| {
            let slope = weight * exact.residual(v, target);
            (slope, slope.abs())
        });
    }
}

/// Three machines, the last of which has padding behind its classes.
fn shards<E: Element>(exact: &Exact, row: &Array2<E>, target: usize) {
    let (classes, targets) = (row.ncols(), array![target]);
    let mut padded = Array2::from_elem((1, classes + 5), row[[0, 7]]);
    padded.slice_mut(s![.., ..classes]).assign(row);
    let cuts = [0, classes / 3, classes - 1, classes + 5];
    let parts: Vec<_> = cuts.windows(2).map(|cut| (cut[0], padded.slice(s![.., cut[0]..cut[1]]))).collect();
    let shard = |first_class| VocabularyShard { first_class, classes: Some(classes), ..VocabularyShard::default() };
    let sums = parts.iter().map(|(first, part)| shard(*first).log_sum_exp(part, &targets).unwrap());
    let whole = sums.reduce(|a, b| LogSumExp::merge_rows(&a, &b).unwrap()).unwrap();
    let nll = exact.nll(target);
    exact.holds("merged log-probability", whole[0].log_prob().unwrap(), -nll, nll);
    exact.holds("merged sum", whole[0].log_sum_exp(), exact.log_sum, exact.log_sum.abs());
    let one = array![E::Real::from_f64(1.0)];
    let gradient = parts.iter().flat_map(|(first, part)| shard(*first).backward(part, &targets, &whole, &one).unwrap());
    exact.holds_row("gradient of the shards", gradient.take(classes), |v| {
        let slope = -exact.residual(v, target);
        (slope, slope.abs())
    });
}

#[test]
fn rows_of_whole_vocabularies_agree_with_plain_loops() {
    every_row::<f64>(|x| x, 1e-12);
    every_row::<f32>(|x| x as f32, 4e-6);
}

#[test]
fn rows_in_half_precision_agree_with_plain_loops_over_what_they_hold() {
    every_row(half::bf16::from_f64, 4e-6);
    every_row(half::f16::from_f64, 4e-6);
}
