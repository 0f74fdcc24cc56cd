//! Losses of tokens and divergences between distributions over classes.

use loglik::divergence::{
    AmariDivergence, Categorical, CategoricalDivergence, GeneralizedJsd, InterpolatedJsd, JensenShannonDivergence,
    KlDivergence, MixtureChiSquare, NeymanChiSquare, PearsonChiSquare, RenyiDivergence, ReverseKlDivergence,
    SquaredHellinger, TotalVariation,
};
use loglik::logits::{
    CrossEntropy, LinearCrossEntropy, LinearHead, MixCe, SoftCrossEntropy, TaiLr, TokenObjective, entropy, log_softmax,
    log_sum_exp, token_log_probs,
};
use loglik::ndarray::{Array1, Array2};
use loglik::{Real, Reduction, Result};

/// The total over all of them.
pub fn run<T: Real>() -> Result<f64> {
    let logits =
        |seed: usize| Array2::from_shape_fn((7, 70), |(i, j)| T::from_f64(((i * 31 + j * seed) % 17) as f64 / 4.0));
    let (x, y) = (logits(5), logits(11));
    let labels = Array1::from_shape_fn(7, |i| (i * 9) as i64);
    let mut total = 0.0;
    let mut add = |x: T| total += x.as_f64();
    for loss in [CrossEntropy::default(), CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() }] {
        add(loss.value(&x, &labels, Reduction::Sum)?);
        add(loss.grad(&x, &labels, Reduction::Mean)?.1[[0, 0]]);
    }
    let shares = log_softmax(&y)?.mapv(|x| T::from_f64(x.as_f64().exp()));
    add(SoftCrossEntropy::default().grad(&x, &shares, Reduction::Mean)?.0);
    add(TaiLr { gamma: 0.5, min_weight: 0.0, ignore_index: None }.grad(&x, &labels, Reduction::Mean)?.0);
    add(MixCe { eta: 0.5, ignore_index: None }.grad(&x, &labels, Reduction::Mean)?.0);
    add(log_sum_exp(&x)?[0] + entropy(&x)?[1] + token_log_probs(&x, &labels)?[2]);
    let hidden = Array2::from_shape_fn((7, 3), |(i, j)| T::from_f64((i + j) as f64 / 8.0));
    let weight = Array2::from_shape_fn((70, 3), |(i, j)| T::from_f64((i * j % 5) as f64 / 8.0));
    let linear = LinearCrossEntropy::default();
    add(linear.grad(&hidden, LinearHead::new(weight.view()), &labels, Reduction::Mean)?.0);
    macro_rules! divergences {
        ($($divergence:expr),* $(,)?) => {$(
            let (value, gradient) = $divergence.grad(Categorical::Logits(&x), Categorical::Logits(&y), Reduction::Mean)?;
            add(value + gradient.p[[0, 0]] + gradient.q[[0, 1]]);
        )*};
    }
    divergences!(
        KlDivergence,
        ReverseKlDivergence,
        JensenShannonDivergence,
        GeneralizedJsd { beta: 0.3 },
        InterpolatedJsd { beta: 0.3 },
        AmariDivergence { alpha: 0.3 },
        RenyiDivergence { alpha: 2.0 },
        PearsonChiSquare,
        NeymanChiSquare,
        MixtureChiSquare,
        SquaredHellinger,
        TotalVariation,
    );
    Ok(total)
}
