//! Sequences of states: likelihood as a special case, and what telescopes.

use loglik::divergence::{Occupancy, SequenceMatch, Trajectory, TrajectoryEnd, TrajectorySource, apply_backspaces};
use loglik::logits::{log_sum_exp, token_log_probs};
use ndarray::{Array1, Array2, s};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix};

fn objective(gamma: f64, occupancy: Occupancy, data_share: f64) -> SequenceMatch {
    SequenceMatch { gamma, occupancy, data_share, ignore_index: None }
}

fn actions() -> impl Strategy<Value = Array1<usize>> {
    vec(0..5_usize, 6).prop_map(Array1::from_vec)
}

fn of<'a>(
    logits: &'a Array2<f64>,
    actions: &'a Array1<usize>,
    source: TrajectorySource,
    end: TrajectoryEnd,
) -> Trajectory<'a, f64, usize> {
    Trajectory { logits: logits.view(), actions: actions.view(), source, end }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn without_a_bound_it_is_the_discounted_likelihood(x in matrix(7, 5, -9.0, 9.0), a in actions(), gamma in 0.1..1.0_f64) {
        let whole = of(&x, &a, TrajectorySource::Data, TrajectoryEnd::Absorbed);
        let log_probs = token_log_probs(&x.slice(s![..6, ..]), &a).unwrap();
        let discounted: f64 = log_probs.iter().enumerate().map(|(i, log_prob)| gamma.powi(i as i32) * log_prob).sum();
        assert_near(objective(gamma, Occupancy::Linear, 1.0).value(&whole).unwrap(), -discounted, 1e-12);
        assert_near(objective(1.0, Occupancy::Linear, 1.0).value(&whole).unwrap(), -log_probs.sum(), 1e-12);
        // A bound as weak as can be is none.
        let weak = objective(gamma, Occupancy::ChiSquareMixture { alpha: 1e14 }, 1.0).value(&whole).unwrap();
        assert_near(weak, -discounted, 1e-9);
    }

    #[test]
    fn values_of_complete_sequences_telescope_to_the_first(
        x in matrix(7, 5, -3.0, 3.0), a in actions(), gamma in 0.1..0.99_f64, share in 0.0..1.0_f64,
    ) {
        let value = |share, source, end| objective(gamma, Occupancy::ReverseKl, share).value(&of(&x, &a, source, end)).unwrap();
        let v = log_sum_exp(&x).unwrap();
        // What a share of the value terms adds, of each source and end.
        let (model, absorbed, cut) = (TrajectorySource::Model, TrajectoryEnd::Absorbed, TrajectoryEnd::Truncated);
        assert_near(value(share, model, absorbed), (1.0 - share) * v[0], 1e-13);
        let ended = v[0] - gamma.powi(6) * v[6];
        assert_near(value(share, model, cut), (1.0 - share) * ended, 1e-13);
        let data = |share| value(share, TrajectorySource::Data, cut);
        assert_near(data(share) - data(0.0), share * ended, 1e-12);
    }

    #[test]
    fn a_shift_of_a_state_moves_its_value_and_the_reward_before(
        x in matrix(7, 5, -3.0, 3.0), a in actions(), gamma in 0.1..1.0_f64, shift in -2.0..2.0_f64, at in 1..6_usize,
    ) {
        let mut moved = x.clone();
        moved.row_mut(at).mapv_inplace(|x| x + shift);
        let terms = |x| {
            let whole = of(x, &a, TrajectorySource::Data, TrajectoryEnd::Truncated);
            objective(gamma, Occupancy::Linear, 0.5).terms(&whole).unwrap()
        };
        let (before, after) = (terms(&x), terms(&moved));
        let mut expected = before.rewards;
        expected[at - 1] -= gamma * shift;
        expected[at] += shift;
        assert_all_near(&after.rewards, &expected, 1e-13);
        // Of the linear sum both cancel: γ^(at-1) (-γ shift) + γ^at shift.
        assert_near(after.loss, before.loss, 1e-12);
    }

    #[test]
    fn a_token_and_its_backspace_leave_every_later_state_alone(before in vec(1..5_i64, 0..6), after in vec(0..5_i64, 0..6)) {
        let stream = |middle: &[i64]| Array1::from_vec([&before[..], middle, &after[..]].concat());
        let (plain, corrected) = (apply_backspaces(&stream(&[]), 0), apply_backspaces(&stream(&[3, 0]), 0));
        prop_assert_eq!(&plain.stack, &corrected.stack);
        let n = before.len();
        prop_assert_eq!(plain.depth.slice(s![n..]), corrected.depth.slice(s![n + 2..]));
        prop_assert_eq!(corrected.depth[n], n + 1);
        for step in n..plain.depth.len() {
            let (old, new) = (plain.visible.row(step), corrected.visible.row(step + 2));
            prop_assert!(old.slice(s![..n]) == new.slice(s![..n]) && old.slice(s![n..]) == new.slice(s![n + 2..]));
            prop_assert!(!new[n] && !new[n + 1]);
        }
    }
}
