//! Loops over the logits of two sides; the gradient of one is written.
//!
//! Those that write are compared with a read of as many bytes as they read and write together, which none can reach.

use loglik::divergence::{
    AmariDivergence, Categorical, GeneralizedJsd, JensenShannonDivergence, KlDivergence, RenyiDivergence,
    ReverseKlDivergence, Sides, SquaredHellinger, TotalVariation,
};
use loglik::ndarray::{Array2, Axis, Ix2};
use loglik::prelude::*;

use super::common::{bell, keep};
use super::probe::Probe;
use super::table::{Loop, Roofline};

pub(crate) fn run(roofline: &mut Roofline) {
    for classes in roofline.sizes.classes {
        let rows = roofline.sizes.logits / classes / 2;
        let both = Array2::<f32>::from_shape_fn((2 * rows, classes), |(i, j)| bell(i * classes + j));
        let (teacher, student) = both.view().split_at(Axis(0), rows);
        let (p, q) = (Categorical::Logits(&*teacher), Categorical::Logits(&*student));
        let of = |name, written: usize| {
            let input = both.as_slice().unwrap_or_default();
            let bytes = size_of_val(input) + written * size_of_val(input) / 2;
            Loop { name, dtype: "f32", size: format!("{rows}x{classes}"), input, bytes, probe: Probe::Read }
        };
        type Row<'a> = (&'static str, &'static str, &'a (dyn CategoricalDivergence<f32, Ix2> + Sync));
        let rows: &[Row<'_>] = &[
            ("kl_value", "kl_grad_into", &KlDivergence),
            ("reverse_kl_value", "reverse_kl_grad_into", &ReverseKlDivergence),
            ("jensen_shannon_value", "jensen_shannon_grad_into", &JensenShannonDivergence),
            ("generalised_jsd_value", "generalised_jsd_grad_into", &GeneralizedJsd { beta: 0.3 }),
            ("amari_value", "amari_grad_into", &AmariDivergence { alpha: 0.3 }),
            ("renyi_value", "renyi_grad_into", &RenyiDivergence { alpha: 0.3 }),
            ("hellinger_value", "hellinger_grad_into", &SquaredHellinger),
            ("total_variation_value", "total_variation_grad_into", &TotalVariation),
        ];
        let mut out = Array2::<f32>::zeros(student.raw_dim());
        for &(value, gradient, divergence) in rows {
            roofline.measure(of(value, 0), || keep(divergence.value(p, q, Reduction::Mean)));
            let grad = || {
                let to = Sides { p: None, q: Some(out.view_mut()) };
                keep(divergence.grad_into(p, q, Reduction::Mean, to));
            };
            roofline.measure(of(gradient, 1), grad);
        }
    }
}
