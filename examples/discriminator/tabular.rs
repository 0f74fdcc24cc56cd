//! Few states and exact expectations: where DDO comes to rest, and from which weight on a perfect reference is left.

use loglik::Result;
use loglik::ndarray::{Array1, array};
use loglik::prelude::*;
use loglik::ratio::{optimal_alpha, optimal_distribution};

use crate::claims::Claim;
use crate::failure::Outcome;

/// The data and the reference that every run starts from.
pub(crate) fn states() -> (Array1<f64>, Array1<f64>) {
    (array![0.5, 0.3, 0.2], array![0.2, 0.3, 0.5])
}

pub(crate) fn softmax(logits: &Array1<f64>) -> Array1<f64> {
    let weights = logits.mapv(f64::exp);
    &weights / weights.sum()
}

/// Expected loss of a tabular model and its gradient in the logits.
pub(crate) fn expected(
    ddo: Ddo,
    data: &Array1<f64>,
    reference: &Array1<f64>,
    logits: &Array1<f64>,
) -> Result<(f64, Array1<f64>)> {
    let model = softmax(logits);
    let ratios = (&model / reference).ln();
    let reductions = Samples { real: Reduction::Weighted(data), fake: Reduction::Weighted(reference) };
    let (loss, slopes) = ddo.grad(Samples::both(ratios.view()), reductions)?;
    let slopes = slopes.real + slopes.fake;
    let total = slopes.sum();
    Ok((loss, slopes - model * total))
}

/// Gradient descent from these logits.
pub(crate) fn descend(
    ddo: Ddo,
    data: &Array1<f64>,
    reference: &Array1<f64>,
    mut logits: Array1<f64>,
    steps: usize,
) -> Result<Array1<f64>> {
    for _ in 0..steps {
        let (_, slopes) = expected(ddo, data, reference, &logits)?;
        logits.scaled_add(-4.0 / (ddo.beta * ddo.beta.max(1.0)).max(0.25), &slopes);
    }
    Ok(logits)
}

/// Starting point, both fixed points, and the boundaries of stability.
pub(crate) fn claims() -> Outcome<Vec<Claim>> {
    let (data, reference) = states();
    let start = reference.ln();
    let practical = Ddo { alpha: 6.0, beta: 0.1 };
    let (loss, slopes) = expected(practical, &data, &reference, &start)?;
    let of_likelihood = 0.5 * practical.beta * (&reference - &data);
    let rest = |ddo: Ddo| Ok::<_, loglik::Error>(softmax(&descend(ddo, &data, &reference, start.clone(), 4_000)?));
    let alpha = optimal_alpha(&data, &reference, 0.5)?;
    let soft = rest(Ddo { alpha, beta: 0.5 })?;
    let global = global_bound()?;
    Ok(vec![
        Claim::equal("DDO starts at (1 + α) ln 2, here α = 6, β = 0.1", 7.0 * std::f64::consts::LN_2, loss, 1e-12),
        Claim::all_equal("and with β/2 of the gradient of maximum likelihood", &of_likelihood, &slopes, 1e-12),
        Claim::all_equal("α = β = 1 comes to rest at the data", &data, &rest(Ddo::default())?, 1e-6),
        Claim::equal("the optimal α for β = 0.5", 1.276_714_533_480_4, alpha, 1e-12),
        Claim::all_equal(
            "with it, β = 0.5 comes to rest beyond the data",
            &array![0.766_871_17, 0.184_049_08, 0.049_079_75],
            &soft,
            1e-6,
        ),
        Claim::all_equal(
            "which is `optimal_distribution`",
            &optimal_distribution(&data, &reference, 0.5)?,
            &soft,
            1e-6,
        ),
        Claim::equal("a perfect reference is a local minimum up to α, β = 1, 6 states", 3.0, local_bound()?, 1e-3),
        Claim::equal("and the global one up to α", 2.425_54, global, 1e-3),
        Claim::equal("as `Ddo::largest_alpha` has it", Ddo::largest_alpha(1.0, 1.0 / 6.0)?, global, 1e-3),
    ])
}

/// The `α` at which the loss around a perfect reference is flat, by differences of the gradient and halving.
fn local_bound() -> Result<f64> {
    let even = Array1::from_elem(6, 1.0 / 6.0);
    halve(|alpha| {
        let mut moved = even.ln();
        moved[0] += 1e-4;
        let slope = expected(Ddo { alpha, beta: 1.0 }, &even, &even, &moved)?.1[0];
        Ok(slope > 0.0)
    })
}

/// The `α` from which on descent finds a model with a smaller loss than a perfect reference.
fn global_bound() -> Result<f64> {
    let even = Array1::from_elem(6, 1.0 / 6.0);
    halve(|alpha| {
        let ddo = Ddo { alpha, beta: 1.0 };
        let at_reference = (1.0 + alpha) * std::f64::consts::LN_2;
        for ahead in [1.0, 2.0, 3.0, 4.0] {
            let mut logits = Array1::zeros(6);
            logits[0] = ahead;
            let logits = descend(ddo, &even, &even, logits, 500)?;
            if expected(ddo, &even, &even, &logits)?.0 < at_reference - 1e-9 {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// The largest number in [1, 6] of which something is true, where it is true below.
fn halve(is_below: impl Fn(f64) -> Result<bool>) -> Result<f64> {
    let (mut low, mut high) = (1.0, 6.0);
    for _ in 0..24 {
        let middle = 0.5 * (low + high);
        if is_below(middle)? { low = middle } else { high = middle }
    }
    Ok(0.5 * (low + high))
}
