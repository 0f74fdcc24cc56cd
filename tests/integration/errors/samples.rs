//! Metrics of samples and detached factors: the call and the message.

use loglik::diagnostics::{SampleGaussians, SampleMetrics, best_of_n, kde_nll};
use loglik::divergence::{Occupancy, SequenceMatch, Trajectory, TrajectoryEnd, TrajectorySource};
use loglik::likelihood::{imle, imle_grad};
use loglik::logits::{MixCe, TaiLr};
use loglik::prelude::*;
use loglik::transport::{CosineCost, demd_soft, demd_soft_grad};
use ndarray::{Array2, Array3, Array4, array};

use super::says;

#[test]
fn hyper_parameters_out_of_range_are_named() {
    let (x, y) = (Array2::<f64>::zeros((2, 3)), array![0, 1]);
    let tailr = TaiLr { gamma: 2.0, min_weight: 0.0, ignore_index: None };
    let message = "`gamma` is 2, allowed is [0, 1]";
    says(tailr.value(&x, &y, Reduction::Sum), message);
    says(tailr.grad(&x, &y, Reduction::Sum), message);
    says(tailr.each(&x, &y), message);
    says(tailr.terms(&x, &y), message);
    says(tailr.sum_count(&x, &y), message);
    says(tailr.grad_in_place(&mut x.clone(), &y, Reduction::Sum), message);
    says(MixCe { eta: -0.5, ignore_index: None }.grad(&x, &y, Reduction::Sum), "`eta` is -0.5, allowed is [0, 1]");
    let (samples, truth) = (Array4::<f64>::zeros((3, 1, 1, 2)), Array3::zeros((1, 1, 2)));
    let metrics = SampleMetrics { jitter: f64::NAN, ..SampleMetrics::default() };
    says(metrics.value(&samples, &truth), "`jitter` is NaN, allowed is finite and >= 0");
    says(kde_nll(&samples, &truth, f64::INFINITY), "`floor` is inf, allowed is below +inf");
}

#[test]
fn logits_and_targets_that_are_none_are_named() {
    let (x, y) = (array![[0.0, 1.0], [f64::NAN, 0.0]], array![0, 0]);
    let tailr = TaiLr { gamma: 0.5, min_weight: 0.0, ignore_index: Some(-100) };
    let message = "`logits`[1, 0] is NaN, allowed is finite or -inf";
    says(tailr.value(&x, &y, Reduction::Sum), message);
    says(tailr.terms(&x, &y), message);
    says(MixCe { eta: 0.5, ignore_index: None }.grad(&x, &y, Reduction::Mean), message);
    let x = Array2::<f64>::zeros((2, 3));
    says(tailr.value(&x, &array![0, 3], Reduction::Sum), "`targets`[1] is 3, allowed are the classes 0 to 2");
    says(tailr.value(&x, &array![0], Reduction::Sum), "`targets` has shape [1], expected [2]");
    says(tailr.value(&x, &array![-100, -100], Reduction::Mean), "`targets` holds nothing to average over");
    let out = "`out` has shape [2, 2], expected [2, 3]";
    says(tailr.grad_into(&x, &y, Reduction::Sum, &mut Array2::zeros((2, 2))), out);
    let cost = CosineCost::new(&Array2::<f64>::eye(3)).unwrap();
    let negative = array![[0.5, 0.5, 0.0], [1.5, 0.0, -0.5]];
    says(demd_soft(&x, &negative, &cost), "`targets`[1, 2] is -0.5, allowed is finite and >= 0");
    says(demd_soft_grad(&x, &negative.t(), &cost), "`targets` has shape [3, 2], expected [2, 3]");
}

#[test]
fn samples_and_truths_that_do_not_fit_are_named() {
    let (mut samples, truth) = (Array4::<f64>::zeros((3, 2, 1, 2)), Array3::zeros((2, 1, 2)));
    let short = Array3::zeros((1, 1, 2));
    let message = "`truth` has shape [1, 1, 2], expected [2, 1, 2]";
    says(best_of_n(&samples, &short), message);
    says(kde_nll(&samples, &short, -20.0), message);
    says(SampleMetrics::default().value(&samples, &short), message);
    says(imle(&samples, &short), "`target` has shape [1, 1, 2], expected [2, 1, 2]");
    samples[[2, 0, 0, 1]] = f64::NEG_INFINITY;
    let message = "`samples`[2, 0, 0, 1] is -inf, allowed is finite";
    says(best_of_n(&samples, &truth), message);
    says(kde_nll(&samples, &truth, -20.0), message);
    says(SampleGaussians::fit(&samples, 0.0), message);
    says(SampleMetrics::default().value(&samples, &truth), message);
    says(imle(&samples, &truth), message);
    says(imle_grad(&samples, &truth), message);
}

#[test]
fn trajectories_that_are_none_are_named() {
    let (logits, actions) = (array![[0.0, 0.0], [0.0, 0.0], [-4.0, 0.0]], array![0, 1]);
    let end = TrajectoryEnd::Absorbed;
    let of = |source| Trajectory { logits: logits.view(), actions: actions.view(), source, end };
    let data = of(TrajectorySource::Data);
    let good = SequenceMatch { gamma: 0.9, occupancy: Occupancy::Linear, data_share: 0.5, ignore_index: None };
    let with = |gamma| SequenceMatch { gamma, ..good };
    says(with(1.1).value(&data), "`gamma` is 1.1, allowed is (0, 1]");
    says(SequenceMatch { data_share: 2.0, ..good }.grad(&data), "`data_share` is 2, allowed is [0, 1]");
    let flat = SequenceMatch { occupancy: Occupancy::ChiSquareMixture { alpha: -1.0 }, ..good };
    says(flat.terms(&data), "`alpha` is -1, allowed is finite and > 0");
    let kl = SequenceMatch { gamma: 1.0, occupancy: Occupancy::ReverseKl, ..good };
    says(kl.value(&data), "`gamma` is 1, allowed is (0, 1) with the reverse KL and an absorbed end");
    assert!(kl.value(&of(TrajectorySource::Model)).is_ok());
    let short = array![0];
    says(good.value(&Trajectory { actions: short.view(), ..data }), "`actions` has shape [1], expected [2]");
    // The reward of the first action is 0 - 0.9 ln 2.
    let bounded = SequenceMatch { occupancy: Occupancy::TotalVariation, ..good };
    let message = bounded.value(&data).unwrap_err().to_string();
    assert!(
        message.starts_with("`logits`[0] is -0.62383") && message.ends_with("allowed is a reward of at least -1/2")
    );
}
