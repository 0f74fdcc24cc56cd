//! Losses of one number out of several columns: log-ratios, densities, and sums over tokens.
//!
//! Those that write are compared with a read of as many bytes as they read and write together, which none can reach.

use loglik::likelihood::{Bernoulli, BernoulliArguments, Gaussian, GaussianArguments, Poisson, PoissonArguments};
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;

use super::common::{bell, keep};
use super::probe::Probe;
use super::table::{Loop, Roofline};

pub(crate) fn run(roofline: &mut Roofline) {
    tokens(roofline);
    let n = roofline.sizes.pairs;
    let data = Array2::<f32>::from_shape_fn((3, n), |(column, i)| bell(column * n + i));
    let columns = data.as_slice().unwrap_or_default();
    let of = |name, read: usize, written: usize| {
        let bytes = (read + written) * n * size_of::<f32>();
        Loop { name, dtype: "f32", size: n.to_string(), input: &columns[..read * n], bytes, probe: Probe::Read }
    };
    let [a, b, c] = [0, 1, 2].map(|column| data.row(column));
    let (ddo, ratios, both) = (Ddo::default(), Samples { real: a, fake: b }, Samples::both(Reduction::Mean));
    roofline.measure(of("ddo_value", 2, 0), || keep(ddo.value(ratios, both)));
    let mut out = Samples { real: Array1::zeros(n), fake: Array1::zeros(n) };
    let grad = || {
        let out = Samples { real: out.real.view_mut(), fake: out.fake.view_mut() };
        keep(ddo.grad_into(ratios, both, out));
    };
    roofline.measure(of("ddo_grad_into", 2, 2), grad);

    roofline.measure(of("gaussian_nll", 3, 0), || {
        keep(Gaussian.value(GaussianArguments { mean: &a, log_variance: &b, x: &c }, Reduction::Mean))
    });
    let outcomes = b.mapv(|x| f32::from(u8::from(x > 0.0)));
    roofline.measure(of("bernoulli_nll", 2, 0), || {
        keep(Bernoulli.value(BernoulliArguments { logits: &a, x: &outcomes }, Reduction::Mean))
    });
    let counts = b.mapv(|x| x.abs().floor());
    roofline.measure(of("poisson_nll", 2, 0), || {
        keep(Poisson.value(PoissonArguments { log_rate: &a, x: &counts }, Reduction::Mean))
    });
}

/// Log-probabilities of tokens, half of them masked, summed over responses of 500.
fn tokens(roofline: &mut Roofline) {
    const LENGTH: usize = 500;
    let responses = roofline.sizes.pairs * 2 / LENGTH;
    let log_probs = Array2::<f32>::from_shape_fn((responses, LENGTH), |(i, j)| bell(i * LENGTH + j));
    let mask = log_probs.mapv(|x| x > 0.0);
    let input = log_probs.as_slice().unwrap_or_default();
    let bytes = size_of_val(input) + mask.len();
    let size = format!("{responses}x{LENGTH}");
    let what = Loop { name: "sum_tokens", dtype: "f32", size, input, bytes, probe: Probe::Read };
    roofline.measure(what, || keep(sum_tokens(&log_probs, TokenMask::padded(mask.view()))));
}
