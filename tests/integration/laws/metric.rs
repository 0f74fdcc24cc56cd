//! Losses of embeddings.

use loglik::metric::{
    Angle, ArcFace, BatchAllTriplet, BatchHardTriplet, Circle, CircleWeights, ClassMargin, Contrastive, CosFace,
    Cosent, CosineEmbedding, Distance, EmbeddingObjective, GeneralizedLifted, GlobalOrthogonal, LabeledPairs,
    LiftedStructure, Matryoshka, MultiSimilarity, OnlineContrastive, PairScore, ProxyAnchor, SemiHardTriplet,
    SphereFace, Triplet, TripletShape, Triplets, VicReg, flops, margin_mse, n_pairs, n_pairs_grad, paired_scores,
    score_matrix,
};
use loglik::prelude::*;
use ndarray::{Array1, Array2, Axis, array, s};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

/// Nine embeddings of three dimensions, none of them near zero.
fn embeddings() -> impl Strategy<Value = Array2<f64>> {
    matrix(9, 3, 0.2, 2.0).prop_map(|mut x| {
        x.indexed_iter_mut().filter(|((i, k), _)| (i * 5 + k * 3) % 4 < 2).for_each(|(_, x)| *x = -*x);
        x
    })
}

fn labels() -> Array1<i64> {
    array![0, 1, 0, 2, 1, 2, 0, 1, 2]
}

/// The value of a loss, and what becomes of it where every embedding is as long as this times itself.
fn is_of_directions(loss: &impl EmbeddingObjective, x: &Array2<f64>, lengths: &Array1<f64>) {
    let longer = x * &lengths.view().insert_axis(Axis(1));
    let [before, after] = [x, &longer].map(|x| loss.value(x, &labels(), Reduction::Mean).unwrap());
    assert_near(after, before, 1e-12);
    let (_, gradient) = loss.grad(&longer, &labels(), Reduction::Sum).unwrap();
    for (slope, point) in gradient.rows().into_iter().zip(longer.rows()) {
        assert_near(slope.dot(&point), 0.0, 1e-12);
    }
}

/// The order of a batch is of no matter.
fn is_of_a_set(loss: &impl EmbeddingObjective, x: &Array2<f64>) {
    let order = [4, 0, 8, 2, 6, 1, 7, 3, 5];
    let moved = x.select(Axis(0), &order);
    let (before, gradient) = loss.grad(x, &labels(), Reduction::Mean).unwrap();
    let (after, other) = loss.grad(&moved, &labels().select(Axis(0), &order), Reduction::Mean).unwrap();
    assert_near(after, before, 1e-13);
    assert_all_near(&other, &gradient.select(Axis(0), &order), 1e-10);
    // And names of classes are names.
    assert_near(loss.value(x, &labels().mapv(|label| 7 - 3 * label), Reduction::Mean).unwrap(), before, 1e-13);
}

/// Half of a loss of distances is that of embeddings half as far apart, and a common shift changes nothing.
fn is_of_differences(loss: &impl EmbeddingObjective, x: &Array2<f64>) {
    let [before, after] = [x.clone(), x + 3.5].map(|x| loss.value(&x, &labels(), Reduction::Mean).unwrap());
    assert_near(after, before, 1e-12);
    let (_, gradient) = loss.grad(x, &labels(), Reduction::Sum).unwrap();
    assert_all_near(&gradient.sum_axis(Axis(0)), &Array1::zeros(3), 1e-11);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn lengths_of_embeddings_and_centers_do_not_count_where_cosines_do(
        x in embeddings(), lengths in numbers(9, 0.01, 99.0), centers in matrix(4, 3, 0.1, 1.0),
    ) {
        is_of_directions(&MultiSimilarity::default(), &x, &lengths);
        is_of_directions(&Circle { gamma: 8.0, weights: CircleWeights::Differentiated, ..Circle::default() }, &x, &lengths);
        let distance = Distance::Cosine;
        is_of_directions(&BatchHardTriplet { margin: 0.3, distance, shape: TripletShape::Soft }, &x, &lengths);
        is_of_directions(&LiftedStructure { distance, ..LiftedStructure::default() }, &x, &lengths);
        let longer = &x * &lengths.view().insert_axis(Axis(1));
        let loss = |x: &Array2<f64>, centers: &Array2<f64>| {
            let arc = ArcFace::default().value(x, centers, &labels(), Reduction::Mean).unwrap();
            let sphere = SphereFace::default().value(x, centers, &labels(), Reduction::Mean).unwrap();
            (arc, sphere, ProxyAnchor::default().value(x, centers, &labels()).unwrap())
        };
        let (before, after) = (loss(&x, &centers), loss(&longer, &(&centers * 7.0)));
        assert_near(after.0, before.0, 1e-10);
        assert_near(after.1, before.1, 1e-10);
        assert_near(after.2, before.2, 1e-10);
        assert_near(
            GlobalOrthogonal::default().value(&longer).unwrap(),
            GlobalOrthogonal::default().value(&x).unwrap(),
            1e-12,
        );
        let angle = Angle { scale: 3.0 };
        let (y, gold) = (x.slice(s![.., ..2]).to_owned(), lengths.clone());
        let (longer, other) = (longer.slice(s![.., ..2]).to_owned(), x.slice(s![.., 1..]).to_owned());
        assert_near(angle.value(&longer, &other, &gold).unwrap(), angle.value(&y, &other, &gold).unwrap(), 1e-12);
    }

    #[test]
    fn a_batch_is_a_set_and_labels_are_names(x in embeddings()) {
        is_of_a_set(&MultiSimilarity::default(), &x);
        is_of_a_set(&Circle::default(), &x);
        is_of_a_set(&LiftedStructure::default(), &x);
        is_of_a_set(&GeneralizedLifted::default(), &x);
        is_of_a_set(&BatchHardTriplet::default(), &x);
        is_of_a_set(&BatchAllTriplet::default(), &x);
        is_of_a_set(&SemiHardTriplet::default(), &x);
    }

    #[test]
    fn distances_know_no_origin(x in embeddings()) {
        is_of_differences(&LiftedStructure::default(), &x);
        is_of_differences(&GeneralizedLifted::default(), &x);
        is_of_differences(&BatchHardTriplet::default(), &x);
        is_of_differences(&BatchAllTriplet::default(), &x);
        is_of_differences(&SemiHardTriplet { distance: Distance::SquaredEuclidean, ..SemiHardTriplet::default() }, &x);
    }

    #[test]
    fn sharp_multi_similarity_is_the_hardest_pair_of_each_side(x in embeddings()) {
        let loss = MultiSimilarity { alpha: 1e6, beta: 1e6, base: 0.2 };
        let cosines = score_matrix(&x, &x, PairScore::CosineSimilarity).unwrap();
        let (each, labels) = (loss.each(&x, &labels()).unwrap(), labels());
        for i in 0..9 {
            let of = |own: bool| (0..9).filter(|&j| j != i && (labels[j] == labels[i]) == own).map(|j| cosines[[i, j]]).collect::<Vec<_>>();
            let lowest = of(true).into_iter().fold(f64::INFINITY, f64::min);
            let highest = of(false).into_iter().fold(f64::NEG_INFINITY, f64::max);
            assert_near(each[i], (0.2 - lowest).max(0.0) + (highest - 0.2).max(0.0), 1e-5);
        }
    }

    /// With one positive and one negative, and at `m` so that both weights are alike, it is the logistic loss of their difference.
    #[test]
    fn circle_of_one_triplet_is_a_softplus(x in embeddings(), m in 0.05..0.9_f64, gamma in 0.5..20.0_f64) {
        let (x, labels) = (x.slice(s![..3, ..]), array![5, 5, 6]);
        let c = score_matrix(&x, &x, PairScore::CosineSimilarity).unwrap();
        let (p, n) = (c[[0, 1]], c[[0, 2]]);
        let exponent = gamma * ((n + m).max(0.0) * (n - m) - (1.0 + m - p).max(0.0) * (p - 1.0 + m));
        let loss = Circle { m, gamma, ..Circle::default() };
        assert_near(loss.each(&x, &labels).unwrap()[0], exponent.max(0.0) + (-exponent.abs()).exp().ln_1p(), 1e-12);
    }

    #[test]
    fn without_margin_all_faces_are_the_cross_entropy_of_scaled_cosines(
        x in embeddings(), centers in matrix(4, 3, -1.0, -0.1), scale in 0.5..64.0_f64,
    ) {
        let logits = score_matrix(&x, &centers, PairScore::CosineSimilarity).unwrap() * scale;
        let expected = CrossEntropy::default().value(&logits, &labels(), Reduction::Mean).unwrap();
        let (arc, by_arc) = ArcFace { scale, margin: 0.0 }.grad(&x, &centers, &labels(), Reduction::Mean).unwrap();
        let (cos, by_cos) = CosFace { scale, margin: 0.0 }.grad(&x, &centers, &labels(), Reduction::Mean).unwrap();
        let (sphere, by_sphere) = SphereFace { scale, margin: 1 }.grad(&x, &centers, &labels(), Reduction::Mean).unwrap();
        for (value, by) in [(arc, &by_arc), (sphere, &by_sphere), (cos, &by_cos)] {
            assert_near(value, expected, 1e-12);
            assert_all_near(&by.0, &by_cos.0, 1e-11);
            assert_all_near(&by.1, &by_cos.1, 1e-11);
        }
        // A margin never makes it easier, and that of a cosine costs as much for every embedding.
        let each = |margin| CosFace { scale, margin }.each(&x, &centers, &labels()).unwrap();
        let most = 0.3 * scale * (1.0 + 1e-12);
        prop_assert!(each(0.3).iter().zip(&each(0.0)).all(|(with, without)| with >= without && *with <= without + most));
        let turned = ArcFace { scale, margin: 0.5 }.value(&x, &centers, &labels(), Reduction::Mean).unwrap();
        prop_assert!(turned >= expected * (1.0 - 1e-12));
    }

    #[test]
    fn generalized_lifted_is_a_smooth_bound_of_the_hardest_triplet(x in embeddings(), margin in -2.0..4.0_f64) {
        let labels = labels();
        let loss = GeneralizedLifted { negative_margin: margin, ..GeneralizedLifted::default() };
        let smooth = loss.each(&x, &labels).unwrap();
        let hard = BatchHardTriplet { margin, ..BatchHardTriplet::default() }.each(&x, &labels).unwrap();
        for i in 0..9 {
            let same = labels.iter().filter(|&&label| label == labels[i]).count();
            let most = ((same - 1) as f64 * (9 - same) as f64).ln();
            prop_assert!(hard[i] - 1e-12 <= smooth[i] && smooth[i] <= (hard[i] + most).max(0.0) + 1e-12);
        }
        let moved = GeneralizedLifted { negative_margin: margin + 0.5, positive_margin: 0.5, ..loss };
        assert_all_near(&moved.each(&x, &labels).unwrap(), &smooth, 1e-12);
    }

    #[test]
    fn n_pairs_is_the_cross_entropy_over_products(x in embeddings(), y in embeddings()) {
        let logits = score_matrix(&x, &y, PairScore::DotProduct).unwrap();
        let (value, slopes) = CrossEntropy::default().grad(&logits, &Array1::from_iter(0..9_i64), Reduction::Mean).unwrap();
        let (loss, (by_x, by_y)) = n_pairs_grad(&x, &y, Reduction::Mean).unwrap();
        assert_near(loss, value, 1e-13);
        assert_near(n_pairs(&x, &y, Reduction::Sum).unwrap(), 9.0 * value, 1e-13);
        assert_all_near(&by_x, &slopes.dot(&y), 1e-12);
        assert_all_near(&by_y, &slopes.t().dot(&x), 1e-12);
    }

    #[test]
    fn matryoshka_of_the_whole_is_the_loss_itself_and_adds_prefixes(x in embeddings(), weight in 0.1..3.0_f64) {
        let loss = LiftedStructure::default();
        let of = |prefix: ndarray::ArrayView2<'_, f64>| {
            loss.grad(&prefix, &labels(), Reduction::Mean).map(|(value, gradient)| (value, [gradient]))
        };
        let (value, gradient) = loss.grad(&x, &labels(), Reduction::Mean).unwrap();
        let whole = Matryoshka { dims: vec![3], weights: vec![1.0] }.grad([&*x], |[x]| of(x)).unwrap();
        prop_assert_eq!(whole, (value, [gradient.clone()]));
        let (both, [by]) = Matryoshka { dims: vec![3, 2], weights: vec![1.0, weight] }.grad([&*x], |[x]| of(x)).unwrap();
        let (part, [of_part]) = of(x.slice(s![.., ..2])).unwrap();
        assert_near(both, value + weight * part, 1e-13);
        assert_all_near(by.slice(s![.., 2..]), gradient.slice(s![.., 2..]), 1e-13);
        assert_all_near((&by - &gradient).slice(s![.., ..2]), &(of_part * weight), 1e-12);
    }

    #[test]
    fn mined_triplets_are_triplets_that_one_could_have_given(x in embeddings()) {
        let (labels, margin) = (labels(), 4.0);
        let d = score_matrix(&x, &x, PairScore::Euclidean).unwrap();
        let [hard, all, semi] = [
            BatchHardTriplet { margin, ..BatchHardTriplet::default() }.each(&x, &labels).unwrap(),
            BatchAllTriplet { margin, ..BatchAllTriplet::default() }.each(&x, &labels).unwrap(),
            SemiHardTriplet { margin, ..SemiHardTriplet::default() }.each(&x, &labels).unwrap(),
        ];
        for i in 0..9 {
            let mut triplets = Vec::new();
            for p in (0..9).filter(|&p| p != i && labels[p] == labels[i]) {
                triplets.extend((0..9).filter(|&n| labels[n] != labels[i]).map(|n| [i, p, n]));
            }
            let row = |k: usize| x.select(Axis(0), &triplets.iter().map(|triplet| triplet[k]).collect::<Vec<_>>());
            let [anchors, positives, negatives] = [row(0), row(1), row(2)];
            let given = Triplets { anchors: &*anchors, positives: &*positives, negatives: &*negatives };
            let each = Triplet { margin, ..Triplet::default() }.each(given).unwrap();
            assert_near(all[i], each.sum(), 1e-12);
            assert_near(hard[i], each.iter().copied().fold(0.0, f64::max), 1e-12);
            // Each of two positives with a negative that is farther, or with the farthest of all.
            let semi_hard = |p: usize| {
                let of = triplets.iter().filter(|triplet| triplet[1] == p).map(|triplet| d[[i, triplet[2]]]);
                let beyond = of.clone().filter(|&n| n > d[[i, p]]).fold(f64::INFINITY, f64::min);
                let n = if beyond.is_finite() { beyond } else { of.fold(0.0, f64::max) };
                (d[[i, p]] - n + margin).max(0.0)
            };
            let expected: f64 = (0..9).filter(|&p| p != i && labels[p] == labels[i]).map(semi_hard).sum();
            assert_near(semi[i], expected, 1e-12);
        }
    }

    #[test]
    fn contrastive_losses_are_those_of_the_distance_of_each_pair(x in embeddings(), y in embeddings(), margin in 0.5..4.0_f64) {
        let alike = Array1::from_shape_fn(9, |i| i % 3 != 1);
        let d = paired_scores(&x, &y, PairScore::Euclidean).unwrap();
        let (distance, cosines) = (Distance::Euclidean, paired_scores(&x, &y, PairScore::CosineSimilarity).unwrap());
        let each = Contrastive { margin, distance }.each(&x, &y, &alike).unwrap();
        let online = OnlineContrastive { margin, distance }.each(&x, &y, &alike).unwrap();
        let angles = CosineEmbedding { margin: 0.1 }.each(&x, &y, &alike).unwrap();
        let of = |kind: bool| (0..9).filter(move |&i| (i % 3 != 1) == kind);
        let farthest = of(true).map(|i| d[i]).fold(0.0, f64::max);
        let nearest = of(false).map(|i| d[i]).fold(f64::INFINITY, f64::min);
        for i in 0..9 {
            let (square, is_hard) = match alike[i] {
                true => (d[i].powi(2), d[i] > nearest),
                false => ((margin - d[i]).max(0.0).powi(2), d[i] < farthest),
            };
            assert_near(each[i], 0.5 * square, 1e-12);
            assert_near(online[i], if is_hard { square } else { 0.0 }, 1e-12);
            assert_near(angles[i], if alike[i] { 1.0 - cosines[i] } else { (cosines[i] - 0.1).max(0.0) }, 1e-14);
        }
    }

    #[test]
    fn cosent_is_the_sum_over_all_pairs_that_it_never_forms(scores in numbers(12, -1.0, 1.0), gold in numbers(12, 0.0, 4.0)) {
        let gold = gold.mapv(f64::floor); // ties
        let pairs = || (0..144).map(|at| (at / 12, at % 12)).filter(|&(i, j)| gold[i] < gold[j]);
        let sum: f64 = pairs().map(|(i, j)| (20.0 * (scores[i] - scores[j])).exp()).sum();
        let (loss, gradient) = Cosent::default().grad(&scores, &gold).unwrap();
        assert_near(loss, sum.ln_1p(), 1e-12);
        let mut slopes = Array1::zeros(12);
        for (i, j) in pairs() {
            let share = 20.0 * (20.0 * (scores[i] - scores[j])).exp() / (1.0 + sum);
            slopes[i] += share;
            slopes[j] -= share;
        }
        assert_all_near(&gradient, &slopes, 1e-11);
        assert_near(gradient.sum(), 0.0, 1e-11);
    }

    #[test]
    fn vic_reg_needs_no_more_than_two_equal_views_that_are_spread_and_uncorrelated(x in numbers(4, 1.5, 3.0)) {
        let x = array![[x[0], x[1]], [-x[0], x[1]], [x[0], -x[1]], [-x[0], -x[1]]];
        assert_near(VicReg::default().value(&x, &x).unwrap(), 0.0, 1e-14);
        // Shifts of either side are seen by the first term alone.
        let terms = VicReg::default().terms(&(&x + 0.5), &x).unwrap();
        assert_near(terms.invariance, 25.0 * 0.25, 1e-13);
        assert_near(terms.variance + terms.covariance, 0.0, 1e-14);
        let short = VicReg { deviation: 9.0, epsilon: 0.0, ..VicReg::default() }.terms(&x, &x).unwrap();
        let deviation = |k: usize| x[[0, k]].abs() * (4.0_f64 / 3.0).sqrt();
        assert_near(short.variance, 25.0 * (9.0 - 0.5 * (deviation(0) + deviation(1))), 1e-13);
    }

    #[test]
    fn regularizers_are_moments(x in embeddings(), gold in numbers(9, -1.0, 1.0)) {
        let mut c = score_matrix(&x, &x, PairScore::CosineSimilarity).unwrap();
        c.diag_mut().fill(0.0);
        let (first, second) = (c.sum() / 72.0, c.mapv(|c| c * c).sum() / 72.0);
        let value = GlobalOrthogonal { mean_weight: 2.0, second_moment_weight: 3.0 }.value(&x).unwrap();
        assert_near(value, 2.0 * first * first + 3.0 * (second - 1.0 / 3.0).max(0.0), 1e-13);
        let means = x.mapv(f64::abs).mean_axis(Axis(0)).unwrap();
        assert_near(flops(&x).unwrap(), means.dot(&means), 1e-14);
        let (p, n) = (x.column(0), x.column(1));
        let errors = &p - &n - &gold;
        assert_near(margin_mse(&p, &n, &gold, Reduction::Mean).unwrap(), errors.dot(&errors) / 9.0, 1e-14);
    }

    #[test]
    fn proxy_anchor_pulls_by_its_own_class_alone(x in embeddings(), proxies in matrix(3, 3, 0.1, 1.0), alpha in 0.5..9.0_f64) {
        let loss = ProxyAnchor { alpha, margin: 0.1 };
        let c = score_matrix(&x, &proxies, PairScore::CosineSimilarity).unwrap();
        let labels = labels();
        let term = |k: usize, own: bool| {
            let z = |i: usize| if own { -alpha * (c[[i, k]] - 0.1) } else { alpha * (c[[i, k]] + 0.1) };
            (0..9).filter(|&i| (labels[i] == k as i64) == own).map(|i| z(i).exp()).sum::<f64>().ln_1p()
        };
        let expected: f64 = (0..3).map(|k| (term(k, true) + term(k, false)) / 3.0).sum();
        assert_near(loss.value(&x, &proxies, &labels).unwrap(), expected, 1e-12);
    }
}
