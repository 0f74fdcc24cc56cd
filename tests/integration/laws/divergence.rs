//! Divergences between distributions over classes.

use std::f64::consts::LN_2;

use loglik::Reduction::Sum;
use loglik::divergence::{
    AmariDivergence, Categorical::Logits, Categorical::Probs, CategoricalDivergence, FDivergence, GeneralizedJsd,
    Generator, InterpolatedJsd, JensenShannonDivergence, KlDivergence, MixtureChiSquare, NeymanChiSquare,
    PearsonChiSquare, RenyiDivergence, ReverseKlDivergence, SparseDivergence, SparseTeacher, SquaredHellinger, Tail,
    TotalVariation,
};
use loglik::logits::{TokenObjective, entropy, log_softmax, log_sum_exp_grad};
use loglik::ratio::{RatioObjective, Samples, bound::VariationalBound};
use loglik::{Reduction, prelude::SoftCrossEntropy};
use ndarray::{Array1, Array2, Axis, Ix1, s};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

type Divergence = dyn CategoricalDivergence<f64, Ix1>;

/// Every divergence, at some of its parameters.
fn all() -> Vec<(&'static str, Box<Divergence>)> {
    vec![
        ("kl", Box::new(KlDivergence)),
        ("reverse kl", Box::new(ReverseKlDivergence)),
        ("jensen-shannon", Box::new(JensenShannonDivergence)),
        ("generalized jsd", Box::new(GeneralizedJsd { beta: 0.2 })),
        ("interpolated jsd", Box::new(InterpolatedJsd { beta: 0.8 })),
        ("amari 0.3", Box::new(AmariDivergence { alpha: 0.3 })),
        ("amari -1.2", Box::new(AmariDivergence { alpha: -1.2 })),
        ("renyi 0.4", Box::new(RenyiDivergence { alpha: 0.4 })),
        ("renyi 3", Box::new(RenyiDivergence { alpha: 3.0 })),
        ("pearson", Box::new(PearsonChiSquare)),
        ("neyman", Box::new(NeymanChiSquare)),
        ("mixture chi-square", Box::new(MixtureChiSquare)),
        ("hellinger", Box::new(SquaredHellinger)),
        ("total variation", Box::new(TotalVariation)),
        ("of a generator", Box::new(FDivergence { generator: PearsonChiSquare })),
    ]
}

fn value(divergence: &(impl CategoricalDivergence<f64, Ix1> + ?Sized), x: &Array1<f64>, y: &Array1<f64>) -> f64 {
    divergence.value(Logits(x), Logits(y), Sum).unwrap()
}

fn probs(x: &Array1<f64>) -> Array1<f64> {
    log_sum_exp_grad(x).unwrap().1
}

/// The last two classes as one.
fn merged(x: &Array1<f64>) -> Array1<f64> {
    let n = x.len();
    let mut merged = x.slice(s![..n - 1]).to_owned();
    merged[n - 2] = x[n - 2].max(x[n - 1]) + (-(x[n - 2] - x[n - 1]).abs()).exp().ln_1p();
    merged
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn none_is_negative_and_only_equal_sides_have_none(x in numbers(6, -4.0, 4.0), y in numbers(6, -4.0, 4.0)) {
        for (name, divergence) in all() {
            let apart = value(&*divergence, &x, &y);
            prop_assert!(apart > 1e-6, "{name}: {apart}");
            prop_assert_eq!(value(&*divergence, &x, &x), 0.0, "{}", name);
            let shifted = &x + 3.0;
            let rounding = if name == "total variation" { 1e-14 } else { 1e-28 };
            prop_assert!(value(&*divergence, &x, &shifted) < rounding, "{name}");
            let (_, gradients) = divergence.grad(Logits(&x), Logits(&x), Sum).unwrap();
            assert_all_near(gradients.p.iter().chain(&gradients.q), &vec![0.0; 12], 1e-15);
        }
    }

    #[test]
    fn a_shift_of_the_logits_changes_nothing_and_gradients_sum_to_nothing(
        x in numbers(5, -4.0, 4.0), y in numbers(5, -4.0, 4.0), shift in -100.0..100.0_f64,
    ) {
        for (name, divergence) in all() {
            let (there, g) = divergence.grad(Logits(&x), Logits(&y), Sum).unwrap();
            let (shifted, h) = divergence.grad(Logits(&(&x + shift)), Logits(&(&y - 2.0 * shift)), Sum).unwrap();
            assert_near(shifted / there, 1.0, 1e-12);
            let size = g.p.iter().chain(&g.q).fold(1.0_f64, |size, g| size.max(g.abs()));
            assert_all_near(&(&h.p / size), &(&g.p / size), 1e-12);
            assert_all_near(&(&h.q / size), &(&g.q / size), 1e-12);
            prop_assert!(g.p.sum().abs() < 1e-13 * size && g.q.sum().abs() < 1e-13 * size, "{name}");
        }
    }

    #[test]
    fn merging_classes_takes_distance_away(x in numbers(6, -4.0, 4.0), y in numbers(6, -4.0, 4.0)) {
        for (name, divergence) in all() {
            let (fine, coarse) = (value(&*divergence, &x, &y), value(&*divergence, &merged(&x), &merged(&y)));
            prop_assert!(coarse <= fine * (1.0 + 1e-12), "{name}: {coarse} of {fine}");
        }
    }

    #[test]
    fn each_is_its_formula(x in numbers(6, -3.0, 3.0), y in numbers(6, -3.0, 3.0), alpha in 0.1..0.9_f64, beta in 0.1..0.9_f64) {
        let (p, q) = (probs(&x), probs(&y));
        let sum = |f: &dyn Fn(f64, f64) -> f64| p.iter().zip(&q).map(|(&p, &q)| f(p, q)).sum::<f64>();
        let kl = |p: f64, q: f64| p * (p / q).ln();
        let power = sum(&|p, q| p.powf(alpha) * q.powf(1.0 - alpha));
        let mixed = |p: f64, q: f64| beta * p + (1.0 - beta) * q;
        let from_p = sum(&|p, q| kl(p, mixed(p, q)));
        let from_q = sum(&|p, q| kl(q, mixed(p, q)));
        let expected = [
            (value(&KlDivergence, &x, &y), sum(&kl)),
            (value(&ReverseKlDivergence, &x, &y), sum(&|p, q| kl(q, p))),
            (value(&PearsonChiSquare, &x, &y), sum(&|p, q| p * p / q) - 1.0),
            (value(&NeymanChiSquare, &x, &y), sum(&|p, q| q * q / p) - 1.0),
            (value(&MixtureChiSquare, &x, &y), sum(&|p, q| 2.0 * p * p / (p + q)) - 1.0),
            (value(&SquaredHellinger, &x, &y), 1.0 - sum(&|p, q| (p * q).sqrt())),
            (value(&TotalVariation, &x, &y), sum(&|p, q| (p - q).max(0.0))),
            (value(&AmariDivergence { alpha }, &x, &y), (power - 1.0) / (alpha * (alpha - 1.0))),
            (value(&RenyiDivergence { alpha }, &x, &y), power.ln() / (alpha - 1.0)),
            (value(&GeneralizedJsd { beta }, &x, &y), beta * from_p + (1.0 - beta) * from_q),
            (value(&InterpolatedJsd { beta }, &x, &y), (1.0 - beta) * from_p + beta * from_q),
        ];
        for (got, expected) in expected {
            assert_near(got, expected, 1e-12);
        }
    }

    #[test]
    fn kl_is_the_cross_entropy_less_the_entropy(x in numbers(7, -3.0, 3.0), y in numbers(7, -3.0, 3.0)) {
        let (rows_x, rows_y) = (x.clone().insert_axis(Axis(0)), y.clone().insert_axis(Axis(0)));
        let cross = SoftCrossEntropy::default().grad(&rows_y, &probs(&x).insert_axis(Axis(0)), Sum).unwrap();
        let (kl, slope) = KlDivergence.grad_q(Logits(&rows_x), Logits(&rows_y), Sum).unwrap();
        assert_near(kl, cross.0 - entropy(&rows_x).unwrap()[0], 1e-13);
        assert_all_near(&slope, &cross.1, 1e-14);
    }

    #[test]
    fn gradients_are_the_slopes_of_the_values(x in numbers(4, -2.0, 2.0), y in numbers(4, -2.0, 2.0)) {
        const STEP: f64 = 1e-3;
        let apart = probs(&x).iter().zip(&probs(&y)).all(|(p, q)| (p - q).abs() > 4.0 * STEP);
        for (name, divergence) in all() {
            if name == "total variation" && !apart {
                continue; // a kink is near
            }
            let (_, g) = divergence.grad(Logits(&x), Logits(&y), Sum).unwrap();
            let size = g.p.iter().chain(&g.q).fold(1.0_f64, |size, g| size.max(g.abs()));
            for v in 0..4 {
                let moved = |by: f64, of_p: f64| {
                    let (mut x, mut y) = (x.clone(), y.clone());
                    x[v] += of_p * by * STEP;
                    y[v] += (1.0 - of_p) * by * STEP;
                    value(&*divergence, &x, &y)
                };
                for (of_p, g) in [(1.0, g.p[v]), (0.0, g.q[v])] {
                    let rise = 8.0 * (moved(1.0, of_p) - moved(-1.0, of_p)) - (moved(2.0, of_p) - moved(-2.0, of_p));
                    let slope = rise / (12.0 * STEP);
                    prop_assert!((g - slope).abs() <= 1e-8 * size, "{name}: {g}, differences give {slope}");
                }
            }
        }
    }

    #[test]
    fn inequalities_between_them_hold(x in numbers(6, -3.0, 3.0), y in numbers(6, -3.0, 3.0)) {
        let of = |divergence: &Divergence| value(divergence, &x, &y);
        let (kl, tv, chi) = (of(&KlDivergence), of(&TotalVariation), of(&PearsonChiSquare));
        let (hellinger, js, mixture) = (of(&SquaredHellinger), of(&JensenShannonDivergence), of(&MixtureChiSquare));
        prop_assert!(tv <= (0.5 * kl).sqrt() && tv < 1.0); // Pinsker
        prop_assert!(kl <= chi.ln_1p() && kl.exp_m1() <= chi * (1.0 + 1e-12) && kl <= chi);
        prop_assert!(hellinger <= tv && tv <= (hellinger * (2.0 - hellinger)).sqrt());
        prop_assert!(kl >= 2.0 * hellinger); // -2 ln(1 - H²) is below the divergence
        prop_assert!(js <= LN_2 * tv && js <= LN_2 && mixture <= 1.0 && mixture <= tv);
        prop_assert!(0.5 * mixture <= js && js <= LN_2 * mixture); // Topsøe
    }

    #[test]
    fn symmetric_ones_are_symmetric_and_mirrored_ones_mirrored(
        x in numbers(5, -3.0, 3.0), y in numbers(5, -3.0, 3.0), alpha in -2.0..3.0_f64, beta in 0.0..1.0_f64,
    ) {
        let there_and_back = |there: &Divergence, back: &Divergence| {
            let (forth, g) = there.grad(Logits(&x), Logits(&y), Sum).unwrap();
            let (value, h) = back.grad(Logits(&y), Logits(&x), Sum).unwrap();
            assert_near(forth / value, 1.0, 1e-11);
            let size = g.p.iter().chain(&g.q).fold(1.0_f64, |size, g| size.max(g.abs()));
            assert_all_near(&(&g.p / size), &(&h.q / size), 1e-12);
            assert_all_near(&(&g.q / size), &(&h.p / size), 1e-12);
        };
        for symmetric in [&JensenShannonDivergence as &Divergence, &MixtureChiSquare, &SquaredHellinger, &TotalVariation] {
            there_and_back(symmetric, symmetric);
        }
        there_and_back(&KlDivergence, &ReverseKlDivergence);
        there_and_back(&PearsonChiSquare, &NeymanChiSquare);
        there_and_back(&AmariDivergence { alpha }, &AmariDivergence { alpha: 1.0 - alpha });
        there_and_back(&GeneralizedJsd { beta }, &GeneralizedJsd { beta: 1.0 - beta });
        there_and_back(&InterpolatedJsd { beta }, &InterpolatedJsd { beta: 1.0 - beta });
    }

    #[test]
    fn one_is_another_at_its_parameter(x in numbers(5, -3.0, 3.0), y in numbers(5, -3.0, 3.0)) {
        let near = |left: &Divergence, factor: f64, right: &Divergence, tolerance: f64| {
            assert_near(value(left, &x, &y) / (factor * value(right, &x, &y)), 1.0, tolerance);
        };
        near(&AmariDivergence { alpha: 2.0 }, 0.5, &PearsonChiSquare, 1e-12);
        near(&AmariDivergence { alpha: -1.0 }, 0.5, &NeymanChiSquare, 1e-12);
        near(&AmariDivergence { alpha: 0.5 }, 4.0, &SquaredHellinger, 1e-12);
        for beyond in [1e-12, -1e-9] {
            near(&AmariDivergence { alpha: 1.0 + beyond }, 1.0, &KlDivergence, 1e-7);
            near(&AmariDivergence { alpha: beyond }, 1.0, &ReverseKlDivergence, 1e-7);
            near(&RenyiDivergence { alpha: 1.0 + beyond }, 1.0, &KlDivergence, 1e-7);
        }
        near(&GeneralizedJsd { beta: 0.5 }, 1.0, &JensenShannonDivergence, 1e-12);
        near(&InterpolatedJsd { beta: 0.5 }, 1.0, &JensenShannonDivergence, 1e-12);
        near(&GeneralizedJsd { beta: 1e-9 }, 1e-9, &KlDivergence, 1e-6);
        near(&GeneralizedJsd { beta: 1.0 - 1e-9 }, 1e-9, &ReverseKlDivergence, 1e-6);
        near(&InterpolatedJsd { beta: 1e-9 }, 1.0, &KlDivergence, 1e-6);
        near(&InterpolatedJsd { beta: 1.0 - 1e-9 }, 1.0, &ReverseKlDivergence, 1e-6);
        for (left, right) in [(0.3, 0.9), (0.9, 1.0), (1.0, 1.5), (1.5, 20.0)] {
            let [low, high] = [left, right].map(|alpha| value(&RenyiDivergence { alpha }, &x, &y));
            prop_assert!(low <= high, "orders {left} and {right}: {low}, {high}");
        }
    }

    #[test]
    fn independent_parts_add_up(
        a in numbers(3, -3.0, 3.0), b in numbers(4, -3.0, 3.0), c in numbers(3, -3.0, 3.0), d in numbers(4, -3.0, 3.0),
        alpha in 0.1..4.0_f64,
    ) {
        let product = |x: &Array1<f64>, y: &Array1<f64>| x.iter().flat_map(|x| y.iter().map(move |y| x + y)).collect();
        let (x, y): (Array1<f64>, Array1<f64>) = (product(&a, &b), product(&c, &d));
        let renyi = RenyiDivergence { alpha };
        assert_near(value(&renyi, &x, &y), value(&renyi, &a, &c) + value(&renyi, &b, &d), 1e-12);
        let whole = value(&KlDivergence, &x, &y);
        assert_near(whole, value(&KlDivergence, &a, &c) + value(&KlDivergence, &b, &d), 1e-12);
    }

    #[test]
    fn the_generator_gives_what_the_divergence_itself_does(x in numbers(6, -3.0, 3.0), y in numbers(6, -3.0, 3.0)) {
        fn check<G: Generator + CategoricalDivergence<f64, Ix1> + Copy>(generator: G, x: &Array1<f64>, y: &Array1<f64>) {
            let (own, g) = generator.grad(Logits(x), Logits(y), Sum).unwrap();
            let (general, h) = FDivergence { generator }.grad(Logits(x), Logits(y), Sum).unwrap();
            assert_near(general / own, 1.0, 1e-12);
            let size = g.p.iter().chain(&g.q).fold(1.0_f64, |size, g| size.max(g.abs()));
            assert_all_near(&(&g.p / size), &(&h.p / size), 1e-12);
            assert_all_near(&(&g.q / size), &(&h.q / size), 1e-12);
        }
        check(KlDivergence, &x, &y);
        check(ReverseKlDivergence, &x, &y);
        check(JensenShannonDivergence, &x, &y);
        check(PearsonChiSquare, &x, &y);
        check(NeymanChiSquare, &x, &y);
        check(SquaredHellinger, &x, &y);
        check(TotalVariation, &x, &y);
    }

    #[test]
    fn the_variational_bound_is_tight_at_the_slope_and_below_elsewhere(
        x in numbers(6, -2.0, 2.0), y in numbers(6, -2.0, 2.0), by in numbers(6, -0.1, 0.1),
    ) {
        fn check<G: Generator + CategoricalDivergence<f64, Ix1> + Copy>(
            generator: G, x: &Array1<f64>, y: &Array1<f64>, by: &Array1<f64>,
        ) {
            let (p, q) = (probs(x), probs(y));
            let critic: Array1<f64> = p.iter().zip(&q).map(|(p, q)| generator.at::<f64, false>(p / q).1).collect();
            let weights = Samples { real: Reduction::Weighted(&*p), fake: Reduction::Weighted(&*q) };
            let bound = |critic: &Array1<f64>| {
                let samples = Samples { real: critic.view(), fake: critic.view() };
                VariationalBound { generator }.grad(samples, weights)
            };
            let divergence = value(&generator, x, y);
            let (tight, slopes) = bound(&critic).unwrap();
            assert_near(-tight, divergence, 1e-11);
            // At the supremum the pulls of both sides cancel; a kink has none.
            let kinked = generator.at::<f64, false>(1.0 - 1e-9).1 < generator.at::<f64, false>(1.0 + 1e-9).1 - 1e-3;
            if !kinked {
                assert_all_near(&(slopes.real + slopes.fake), &Array1::zeros(6), 1e-11);
            }
            if let Ok((below, _)) = bound(&(&critic + by)) {
                assert!(-below <= divergence + 1e-12, "{below} for {divergence}");
            }
        }
        check(KlDivergence, &x, &y, &by);
        check(ReverseKlDivergence, &x, &y, &by);
        check(JensenShannonDivergence, &x, &y, &by);
        check(PearsonChiSquare, &x, &y, &by);
        check(NeymanChiSquare, &x, &y, &by);
        check(SquaredHellinger, &x, &y, &by);
        check(TotalVariation, &x, &y, &by);
    }

    #[test]
    fn probabilities_are_their_logarithms(x in matrix(3, 5, -3.0, 3.0), y in matrix(3, 5, -3.0, 3.0)) {
        let p = log_sum_exp_grad(&x).unwrap().1;
        let (logits, g) = KlDivergence.grad(Logits(&x), Logits(&y), Reduction::Mean).unwrap();
        let (given, h) = KlDivergence.grad(Probs(&p), Logits(&y), Reduction::Mean).unwrap();
        assert_near(given, logits, 1e-13);
        assert_all_near(&h.p, &g.p, 1e-14);
        assert_all_near(&h.q, &g.q, 1e-14);
    }

    #[test]
    fn a_bucket_is_a_merged_class_and_all_classes_are_the_whole(
        x in matrix(2, 6, -3.0, 3.0), y in matrix(2, 6, -3.0, 3.0),
    ) {
        let log_probs = log_softmax(&x).unwrap();
        let bucket = SparseDivergence { divergence: JensenShannonDivergence, tail: Tail::Bucket, ..Default::default() };
        let (order, whole) = (Array2::from_shape_fn((2, 6), |(_, k)| (5 * k + 2) % 6), log_probs.clone());
        let sorted = Array2::from_shape_fn((2, 6), |(i, k)| whole[[i, order[[i, k]]]]);
        let teacher = SparseTeacher { indices: order.view(), log_probs: sorted.view() };
        let (dense, g) = JensenShannonDivergence.grad_q(Logits(&x), Logits(&y), Sum).unwrap();
        let (sparse, h) = bucket.grad(teacher, &y, Sum).unwrap();
        assert_near(sparse, dense, 1e-13);
        assert_all_near(&h, &g, 1e-14);

        let teacher = SparseTeacher { indices: order.slice(s![.., ..4]), log_probs: sorted.slice(s![.., ..4]) };
        let coarse = |x: &Array2<f64>| {
            let rows = x.rows().into_iter().enumerate().flat_map(|(i, row)| {
                let mut kept: Vec<f64> = (0..4).map(|k| row[order[[i, k]]]).collect();
                kept.push((4..6).map(|k| row[order[[i, k]]].exp()).sum::<f64>().ln());
                kept
            });
            Array2::from_shape_vec((2, 5), rows.collect()).unwrap()
        };
        let merged = JensenShannonDivergence.value(Logits(&coarse(&x)), Logits(&coarse(&y)), Sum).unwrap();
        assert_near(bucket.value(teacher, &y, Sum).unwrap(), merged, 1e-13);
    }

    #[test]
    fn other_tails_are_their_formulas(x in matrix(2, 6, -3.0, 3.0), y in matrix(2, 6, -3.0, 3.0)) {
        let (log_p, log_q) = (log_softmax(&x).unwrap(), log_softmax(&y).unwrap());
        let indices = Array2::from_shape_fn((2, 3), |(i, k)| (2 * k + i) as i64);
        let pick = |log: &Array2<f64>| Array2::from_shape_fn((2, 3), |(i, k)| log[[i, 2 * k + i]]);
        let (p, q) = (pick(&log_p), pick(&log_q));
        let teacher = SparseTeacher { indices: indices.view(), log_probs: p.view() };
        let of = |tail| SparseDivergence { divergence: KlDivergence, tail, ..Default::default() }.value(teacher, &y, Sum).unwrap();
        let (kept_p, kept_q) = (p.mapv(f64::exp).sum_axis(Axis(1)), q.mapv(f64::exp).sum_axis(Axis(1)));
        let kl = |log_p: &Array2<f64>, log_q: &Array2<f64>| (log_p.mapv(f64::exp) * (log_p - log_q)).sum();
        assert_near(of(Tail::Ignored), kl(&p, &q), 1e-13);
        let divided = &p - &kept_p.mapv(f64::ln).insert_axis(Axis(1));
        assert_near(of(Tail::Cut), kl(&divided, &q), 1e-13);
        assert_near(of(Tail::Conditional), kl(&divided, &(&q - &kept_q.mapv(f64::ln).insert_axis(Axis(1)))), 1e-13);
    }
}

#[test]
fn one_step_of_each_direction_moves_mass_as_the_theory_says() {
    let target = Array1::from(vec![0.663_f64, 0.090, 0.0016, 0.0016, 0.244]);
    let target = &target / target.sum();
    let model = Array1::<f64>::zeros(5);
    let forward = &model - KlDivergence.grad_q(Probs(&target), Logits(&model), Sum).unwrap().1;
    let reverse = &model - ReverseKlDivergence.grad_q(Probs(&target), Logits(&model), Sum).unwrap().1;
    assert_all_near(&probs(&forward), &[0.307, 0.173, 0.159, 0.159, 0.202], 1e-3);
    assert_all_near(&probs(&reverse), &[0.324, 0.217, 0.097, 0.097, 0.265], 1e-3);
}
