//! Extreme numbers, kinks, bad input, and memory that does not grow with the square.

use ndarray::{Array1, Array2, Axis, array, s};

use super::*;
use crate::testing::{close, generator};
use crate::{Reduction, Result};

fn points(rows: usize, dims: usize, seed: u64) -> Array2<f64> {
    let mut next = generator(seed);
    Array2::from_shape_fn((rows, dims), |_| 4.0 * next() - 2.0)
}

/// The gradient against differences.
#[track_caller]
fn agrees(x: &Array2<f64>, gradient: &Array2<f64>, value: impl Fn(&Array2<f64>) -> f64) {
    let scale = gradient.iter().fold(1e-3, |max: f64, slope| max.max(slope.abs()));
    for (at, &slope) in gradient.indexed_iter() {
        let moved = |step: f64| {
            let mut x = x.clone();
            x[at] += step;
            value(&x)
        };
        let difference = (8.0 * (moved(1e-4) - moved(-1e-4)) - (moved(2e-4) - moved(-2e-4))) / 12e-4;
        assert!((difference - slope).abs() <= 1e-8 * scale, "{at:?}: {slope} is not {difference}");
    }
}

fn says<R: std::fmt::Debug>(result: Result<R>, message: &str) {
    assert_eq!(result.unwrap_err().to_string(), message);
}

const LABELS: [i64; 7] = [0, 1, 0, 1, 1, 0, 2];

fn labels() -> Array1<i64> {
    LABELS.to_vec().into()
}

#[test]
fn gradients_of_batches_are_the_slopes_of_their_values() {
    let x = points(7, 3, 3);
    let check = |loss: &dyn Fn(&Array2<f64>) -> (f64, Array2<f64>)| agrees(&x, &loss(&x).1, |x| loss(x).0);
    check(&|x| {
        MultiSimilarity { beta: 6.0, ..MultiSimilarity::default() }.grad(x, &labels(), Reduction::Mean).unwrap()
    });
    let weights = CircleWeights::Differentiated;
    check(&|x| Circle { gamma: 5.0, weights, ..Circle::default() }.grad(x, &labels(), Reduction::Sum).unwrap());
    for distance in [Distance::Cosine, Distance::Euclidean, Distance::SquaredEuclidean] {
        check(&|x| {
            LiftedStructure { distance, ..LiftedStructure::default() }.grad(x, &labels(), Reduction::Mean).unwrap()
        });
        let weights = array![0.3, 0.0, 1.0, 2.0, 0.5, 0.1, 0.7];
        let lifted = LiftedStructure { distance, ..LiftedStructure::default() };
        check(&|x| lifted.grad(x, &labels(), Reduction::Weighted(&weights)).unwrap());
        let generalized = GeneralizedLifted { distance, ..GeneralizedLifted::default() };
        check(&|x| generalized.grad(x, &labels(), Reduction::Weighted(&weights)).unwrap());
        let shape = TripletShape::Soft;
        check(&|x| BatchAllTriplet { margin: 0.1, distance, shape }.grad(x, &labels(), Reduction::Sum).unwrap());
    }
}

#[test]
fn the_gradient_of_cosent_is_the_slope_of_its_value() {
    let (x, gold) = (points(7, 1, 8), array![0.2, 0.9, 0.2, 0.5, 0.0, 1.0, 0.5]); // some equal
    let loss = Cosent { scale: 3.0 };
    let (_, slopes) = loss.grad(&x.column(0), &gold).unwrap();
    agrees(&x, &slopes.insert_axis(Axis(1)), |x| loss.value(&x.column(0), &gold).unwrap());
}

#[test]
fn proxies_of_classes_without_an_embedding_push_all_the_same() {
    // Of five classes the batch holds three.
    let (x, proxies) = (points(7, 3, 4), points(5, 3, 5));
    let loss = ProxyAnchor { alpha: 3.0, margin: 0.1 };
    let (_, (by_x, by_proxies)) = loss.grad(&x, &proxies, &labels()).unwrap();
    agrees(&x, &by_x, |x| loss.value(x, &proxies, &labels()).unwrap());
    agrees(&proxies, &by_proxies, |proxies| loss.value(&x, proxies, &labels()).unwrap());
}

#[test]
fn both_moments_of_cosines_have_their_slopes() {
    let x = points(5, 3, 6) + 3.0; // mostly one way: both moments are above those of random directions
    for loss in [
        GlobalOrthogonal { mean_weight: 2.0, second_moment_weight: 0.0 },
        GlobalOrthogonal { mean_weight: 0.0, second_moment_weight: 3.0 },
    ] {
        let (value, gradient) = loss.grad(&x).unwrap();
        assert!(value > 0.01, "{value}");
        agrees(&x, &gradient, |x| loss.value(x).unwrap());
    }
}

#[test]
fn the_gradient_of_circle_with_constant_weights_is_that_of_its_exponents() {
    // One triplet of the plane: L = softplus(γ a_n (c_n - m) - γ a_p (c_p - 1 + m)) with a_n, a_p held.
    let x: Array2<f64> = array![[1.0, 0.2], [0.9, -0.3], [0.1, 1.0]];
    let labels = array![0, 0, 1];
    let (m, gamma) = (0.3, 4.0);
    let cosine = |x: &Array2<f64>, j: usize| {
        let (a, b) = (x.row(0), x.row(j));
        a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
    };
    let (held_p, held_n) = (1.0 + m - cosine(&x, 1), cosine(&x, 2) + m);
    let value =
        |x: &Array2<f64>| (gamma * (held_n * (cosine(x, 2) - m) - held_p * (cosine(x, 1) - 1.0 + m))).exp().ln_1p();
    let weights = array![1.0, 0.0, 0.0];
    let (loss, gradient) =
        Circle { m, gamma, ..Circle::default() }.grad(&x, &labels, Reduction::Weighted(&weights)).unwrap();
    close(loss, value(&x), 1e-13);
    agrees(&x, &gradient, value);
}

#[test]
fn duplicated_embeddings_have_distance_zero_and_no_slope() {
    let x = array![[0.3, 1.0, -7.0], [0.3, 1.0, -7.0], [0.1, 0.2, 0.4]];
    for distance in [Distance::Cosine, Distance::Euclidean, Distance::SquaredEuclidean] {
        let d = score_matrix(&x, &x, distance.score()).unwrap();
        assert_eq!((d[[0, 1]], d[[1, 0]], d[[0, 0]]), (0.0, 0.0, 0.0));
        let loss = BatchHardTriplet { margin: 100.0, distance, ..BatchHardTriplet::default() };
        let weights = array![1.0, 0.0, 0.0];
        let (_, gradient) = loss.grad(&x, &array![0, 0, 1], Reduction::Weighted(&weights)).unwrap();
        assert_eq!(gradient.row(1), array![0.0, 0.0, 0.0], "{distance:?}");
        assert!(gradient.row(2).iter().any(|slope| *slope != 0.0));
    }
    let all = array![[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]];
    let (loss, gradient) = LiftedStructure::default().grad(&all, &array![0, 0, 1], Reduction::Mean).unwrap();
    close(loss, 0.5 * (1.0 + 2.0_f64.ln()).powi(2), 1e-15);
    assert_eq!(gradient, Array2::<f64>::zeros((3, 2)));
}

#[test]
fn near_embeddings_keep_the_digits_of_their_distance() {
    for step in [1e-3, 1e-7, 1e-12, 1e-200] {
        let (x, y) = (array![[0.0, 1.0]], array![[step, 1.0]]);
        close(score_matrix(&x, &y, PairScore::Euclidean).unwrap()[[0, 0]], step, 1e-15);
        close(paired_scores(&x, &y, PairScore::Euclidean).unwrap()[0], step, 1e-15);
        // 1 - cos(atan s) = s²/2 (1 - 3/4 s² + ..)
        let lack = score_matrix(&x, &y, PairScore::CosineDistance).unwrap()[[0, 0]];
        close(lack, 0.5 * step * step * (1.0 - 0.75 * step * step), 1e-10);
        let (by_x, by_y) = score_matrix_backward(&x, &y, PairScore::Euclidean, &array![[2.0]]).unwrap();
        close(by_x[[0, 0]], -2.0, 1e-15);
        assert_eq!((by_x[[0, 1]], by_y), (0.0, -by_x));
    }
    // Far from the origin.
    let (x, y) = (array![[1e8, 0.0]], array![[1e8 + 1.0, 0.0]]);
    assert_eq!(score_matrix(&x, &y, PairScore::SquaredEuclidean).unwrap(), array![[1.0]]);
}

#[test]
fn lengths_that_leave_the_range_of_squares_are_no_matter_to_cosines() {
    for scale in [1e-300, 1e-150, 1e150, 1e300] {
        let x = array![[3.0 * scale, 4.0 * scale], [scale, 0.0]];
        close(score_matrix(&x, &x, PairScore::CosineSimilarity).unwrap()[[0, 1]], 0.6, 1e-15);
        assert!(paired_scores(&x, &x, PairScore::DotProduct).is_err() == (scale == 1e300));
    }
    let far = array![[1e200, 0.0], [-1e200, 0.0]];
    says(score_matrix(&far, &far, PairScore::Euclidean), "the result at `x`[0] overflows f64");
    let tiny = array![[1e-200, 0.0], [0.0, 0.0]];
    close(score_matrix(&tiny, &tiny, PairScore::Euclidean).unwrap()[[0, 1]], 1e-200, 1e-15);
}

#[test]
fn zero_embeddings_are_named_where_cosines_are_taken() {
    let x = array![[1.0, 2.0], [0.0, 0.0], [1.0, -1.0]];
    let message = "`embeddings`[1] is 0, allowed is a row that is not zero";
    says(MultiSimilarity::default().value(&x, &array![0, 0, 1], Reduction::Sum), message);
    says(GlobalOrthogonal::default().grad(&x), message);
    says(ArcFace::default().value(&x, &x.slice(s![..1, ..]), &array![0, 0, 0], Reduction::Sum), message);
    let message = "`centers`[1] is 0, allowed is a row that is not zero";
    says(ArcFace::default().value(&x.slice(s![..1, ..]), &x, &array![0], Reduction::Sum), message);
    says(paired_scores(&x, &x, PairScore::CosineDistance), "`x`[1] is 0, allowed is a row that is not zero");
    // Distances have no such need.
    assert!(BatchAllTriplet::default().value(&x, &array![0, 0, 1], Reduction::Sum).is_ok());
    // Nor has what a weight leaves out.
    let weights = array![1.0, 0.0, 1.0];
    let alike = array![true, true, false];
    assert!(CosineEmbedding::default().value(&x, &x, &alike, Reduction::Weighted(&weights)).is_ok());
}

#[test]
fn arc_face_is_finite_where_an_embedding_points_to_its_center_or_away_from_it() {
    let centers = array![[1.0, 0.0], [0.0, 1.0]];
    for (scale, margin) in [(64.0, 0.5), (1e3, 0.5), (64.0, 0.0), (64.0, std::f64::consts::FRAC_PI_2)] {
        for x in [array![[5.0_f64, 0.0]], array![[-5.0, 0.0]]] {
            let loss = ArcFace { scale, margin };
            let (value, (by_x, by_centers)) = loss.grad(&x, &centers, &array![0], Reduction::Sum).unwrap();
            assert!(value >= 0.0 && by_x.iter().chain(&by_centers).all(|slope| slope.is_finite()));
            // The gradient of the target's logit is 0 there; that of the other one stands at right angles.
            assert!(by_x[[0, 0]].abs() < 1e-12);
        }
    }
    // Near the peak the slope is sin m along the arc: of scale 1 and one class more at right angles.
    let logit = |angle: f64| {
        let x = array![[angle.cos(), angle.sin()]];
        let (_, (by_x, _)) = ArcFace { scale: 1.0, margin: 0.5 }
            .grad(&x, &array![[1.0, 0.0], [0.0, 1.0]], &array![0], Reduction::Sum)
            .unwrap();
        by_x[[0, 1]]
    };
    let share = |angle: f64| 1.0 / (1.0 + ((angle + 0.5).cos() - angle.sin()).exp()); // of the other class
    for angle in [1e-3, 1e-6, 1e-9] {
        close(logit(angle), share(angle) * ((angle + 0.5).sin() + angle.cos()) * angle.cos(), 1e-9);
    }
}

#[test]
fn arc_face_goes_on_beyond_the_margin_as_its_contract_says() {
    let (margin, scale) = (0.5_f64, 3.0_f64);
    let centers = array![[1.0, 0.0], [0.0, 1.0]];
    for angle in [2.6_f64, 2.65, 3.0] {
        let x = array![[angle.cos(), angle.sin()]];
        let target = if angle <= std::f64::consts::PI - margin {
            (angle + margin).cos()
        } else {
            angle.cos() - margin * margin.sin()
        };
        let loss = ArcFace { scale, margin }.value(&x, &centers, &array![0], Reduction::Sum).unwrap();
        close(loss, (scale * (angle.sin() - target)).exp().ln_1p(), 1e-13);
    }
}

#[test]
fn sphere_face_falls_without_a_jump_and_agrees_with_differences() {
    let centers = array![[1.0, 0.3], [-0.2, 1.0]];
    for margin in [1, 2, 3, 4, 7] {
        let loss = SphereFace { scale: 2.0, margin };
        for angle in [0.1_f64, 0.9, 1.7, 2.4, 3.0] {
            let x = array![[2.0 * angle.cos(), 2.0 * angle.sin()]];
            let value = |x: &Array2<f64>| loss.value(x, &centers, &array![0], Reduction::Sum).unwrap();
            let (_, (by_x, _)) = loss.grad(&x, &centers, &array![0], Reduction::Sum).unwrap();
            agrees(&x, &by_x, value);
        }
        let at = |angle: f64| {
            let x = array![[angle.cos(), angle.sin()]];
            loss.value(&x, &array![[1.0, 0.0], [0.0, 1.0]], &array![0], Reduction::Sum).unwrap()
        };
        let corner = std::f64::consts::PI / f64::from(margin);
        assert!((at(corner - 1e-9) - at(corner + 1e-9)).abs() < 1e-6, "{margin}");
    }
}

#[test]
fn sharp_scales_neither_overflow_nor_lose_their_sign() {
    let x = points(7, 3, 5);
    for sharp in [64.0, 1e3, 1e4] {
        let loss = MultiSimilarity { alpha: sharp, beta: sharp, base: 0.0 };
        let (value, gradient) = loss.grad(&x, &labels(), Reduction::Mean).unwrap();
        assert!(value.is_finite() && value >= 0.0 && gradient.iter().all(|slope| slope.is_finite()));
        let (value, _) = Circle { gamma: sharp, ..Circle::default() }.grad(&x, &labels(), Reduction::Mean).unwrap();
        assert!(value.is_finite() && value >= 0.0);
        let centers = points(3, 3, 6);
        for margin in [0.0, 0.35] {
            let (value, _) = CosFace { scale: sharp, margin }.grad(&x, &centers, &labels(), Reduction::Mean).unwrap();
            assert!(value.is_finite() && value >= 0.0);
        }
        let (value, _) = Cosent { scale: sharp }.grad(&x.column(0), &x.column(1)).unwrap();
        assert!(value.is_finite() && value > 0.0);
    }
}

#[test]
fn one_sample_or_one_class_has_nothing_to_average_where_a_loss_needs_both_sides() {
    let one = array![[1.0, 2.0]];
    let two = array![[1.0, 2.0], [2.0, -1.0]];
    let message = "`embeddings` holds nothing to average over";
    for (x, labels) in [(&one, array![4]), (&two, array![4, 4]), (&two, array![4, 5])] {
        says(BatchHardTriplet::default().value(x, &labels, Reduction::Mean), message);
        says(BatchAllTriplet::default().value(x, &labels, Reduction::Mean), message);
        says(SemiHardTriplet::default().value(x, &labels, Reduction::Mean), message);
        says(Circle::default().value(x, &labels, Reduction::Mean), message);
        says(LiftedStructure::default().grad(x, &labels, Reduction::Mean), message);
        says(GeneralizedLifted::default().grad(x, &labels, Reduction::Mean), message);
        let (value, gradient) = Circle::default().grad(x, &labels, Reduction::Sum).unwrap();
        assert_eq!((value, gradient), (0.0, Array2::zeros(x.raw_dim())));
        assert!(MultiSimilarity::default().value(x, &labels, Reduction::Mean).is_ok());
    }
    assert_eq!(MultiSimilarity::default().value(&one, &array![4], Reduction::Mean), Ok(0.0));
    let none = Array2::<f64>::zeros((0, 2));
    let no_labels = Array1::<i64>::zeros(0);
    says(MultiSimilarity::default().value(&none, &no_labels, Reduction::Mean), message);
    assert_eq!(MultiSimilarity::default().value(&none, &no_labels, Reduction::Sum), Ok(0.0));
    says(GlobalOrthogonal::default().value(&one), message);
    says(VicReg::default().value(&one, &one), "`x` has shape [1, 2], expected [2, 2]");
    says(VicReg::default().value(&none, &none), "`x` holds nothing to average over");
    says(ProxyAnchor::default().value(&none, &two, &no_labels), message);
    assert_eq!(n_pairs(&one, &one, Reduction::Mean), Ok(0.0));
    let scores = array![0.3];
    assert_eq!(Cosent::default().grad(&scores, &scores), Ok((0.0, array![0.0])));
}

#[test]
fn pairs_of_one_kind_are_hard_beyond_their_own_mean() {
    let (x, y) = (array![[0.0], [0.0]], array![[1.0], [3.0]]);
    let loss = OnlineContrastive { margin: 5.0, distance: Distance::Euclidean };
    assert_eq!(loss.each(&x, &y, &array![true, true]), Ok(array![0.0, 9.0]));
    assert_eq!(loss.each(&x, &y, &array![false, false]), Ok(array![16.0, 0.0]));
}

#[test]
fn gradients_of_views_are_the_slopes_of_their_values() {
    let (x, y) = (points(7, 4, 3), points(7, 4, 8));
    for loss in [
        VicReg { invariance: 0.0, deviation: 0.0, ..VicReg::default() },
        VicReg { covariance: 0.0, deviation: 5.0, ..VicReg::default() },
        VicReg::default(),
    ] {
        let (_, (by_x, by_y)) = loss.grad(&x, &y).unwrap();
        agrees(&x, &by_x, |x| loss.value(x, &y).unwrap());
        agrees(&y, &by_y, |y| loss.value(&x, y).unwrap());
    }
}

#[test]
fn triplets_without_violation_have_the_mean_zero() {
    let x = array![[0.0], [0.1], [9.0], [9.1]];
    let loss = BatchAllTriplet { margin: 1.0, ..BatchAllTriplet::default() };
    let result = loss.grad(&x, &array![0, 0, 1, 1], Reduction::Mean).unwrap();
    assert_eq!(result, (0.0, Array2::zeros((4, 1))));
    let parts = loss.sum_count(&x, &array![0, 0, 1, 1]).unwrap();
    assert_eq!((parts.sum, parts.count), (0.0, 0.0));
}

#[test]
fn losses_that_fit_may_have_a_sum_that_does_not() {
    let (x, labels) = (array![[0.0], [1.0], [3.0]], array![0, 0, 1]);
    let loss = BatchHardTriplet { margin: 1e308, ..BatchHardTriplet::default() };
    assert_eq!(loss.each(&x, &labels).unwrap(), array![1e308, 1e308, 0.0]);
    says(loss.sum_count(&x, &labels), "the result at `embeddings` overflows f64");
    says(loss.value(&x, &labels, Reduction::Sum), "the result at `embeddings` overflows f64");
}

#[test]
fn a_negative_as_far_as_the_positive_is_not_beyond_it() {
    // From 0 the positive is at distance 1, as is a negative; the other one, at 3, is taken.
    let (x, labels) = (array![[0.0], [1.0], [-1.0], [3.0]], array![0, 0, 1, 2]);
    let loss = SemiHardTriplet { margin: 2.5, ..SemiHardTriplet::default() };
    assert_eq!(loss.each(&x, &labels).unwrap(), array![0.5, 1.5, 0.0, 0.0]);
}

#[test]
fn margins_of_zero_leave_the_plain_hinge() {
    let (a, p, n) = (array![[0.0]], array![[2.0]], array![[1.5]]);
    let of = Triplets { anchors: &*a, positives: &*p, negatives: &*n };
    assert_eq!(Triplet { margin: 0.0, ..Triplet::default() }.value(of, Reduction::Mean), Ok(0.5));
    let swapped = Triplet { margin: 0.0, swap: TripletSwap::Nearer, ..Triplet::default() };
    let (value, by) = swapped.grad(of, Reduction::Mean).unwrap();
    // From the positive the negative is 0.5 away, and the anchor no longer moves it.
    assert_eq!((value, by.anchors[[0, 0]], by.positives[[0, 0]], by.negatives[[0, 0]]), (1.5, -1.0, 0.0, 1.0));
    let at_kink = Triplets { anchors: &*a, positives: &*n, negatives: &*n };
    let (value, by) = Triplet { margin: 0.0, ..Triplet::default() }.grad(at_kink, Reduction::Mean).unwrap();
    assert_eq!((value, by.positives[[0, 0]]), (0.0, 0.0));
}

#[test]
fn what_is_wrong_is_named() {
    let x = array![[1.0, 2.0], [2.0, -1.0]];
    let labels = array![0, 1];
    let loss = MultiSimilarity { alpha: 0.0, ..MultiSimilarity::default() };
    says(loss.value(&x, &labels, Reduction::Mean), "`alpha` is 0, allowed is finite and > 0");
    let loss = MultiSimilarity::default();
    says(loss.value(&x, &array![0], Reduction::Mean), "`labels` has shape [1], expected [2]");
    let bad = array![[1.0, 2.0], [f64::NAN, 0.0]];
    says(loss.value(&bad, &labels, Reduction::Mean), "`embeddings`[1, 0] is NaN, allowed is finite");
    let flat = Array2::<f64>::zeros((2, 0));
    says(loss.value(&flat, &labels, Reduction::Sum), "`embeddings` is empty, needed is at least one element");
    let mut narrow = array![[0.0]];
    let result = loss.grad_into(&x, &labels, Reduction::Sum, &mut narrow);
    says(result, "`out` has shape [1, 1], expected [2, 2]");
    let weights = array![1.0, -1.0];
    let result = loss.value(&x, &labels, Reduction::Weighted(&weights));
    says(result, "`weights`[1] is -1, allowed is finite and >= 0");
    let arc = ArcFace { margin: 2.0, ..ArcFace::default() };
    says(arc.value(&x, &x, &labels, Reduction::Sum), "`margin` is 2, allowed is [0, π/2]");
    let arc = ArcFace::default();
    says(arc.value(&x, &x, &array![0, 2], Reduction::Sum), "`labels`[1] is 2, allowed are the classes 0 to 1");
    let none = Array2::<f64>::zeros((0, 2));
    says(arc.value(&x, &none, &labels, Reduction::Sum), "`centers` is empty, needed is at least one element");
    let sphere = SphereFace { margin: 0, ..SphereFace::default() };
    says(sphere.value(&x, &x, &labels, Reduction::Sum), "`margin` is 0, allowed is 1 to 64");
    let odd = array![[1.0, 2.0, 3.0]];
    says(Angle::default().value(&odd, &odd, &array![1.0]), "`x` has shape [1, 3], expected [1, 4]");
    says(Cosent::default().value(&array![1.0], &array![1.0, 2.0]), "`gold` has shape [2], expected [1]");
    let nested = |dims: Vec<usize>, weights: Vec<f64>| {
        Matryoshka { dims, weights }.value([&*x], |[x]| loss.value(&x, &labels, Reduction::Sum))
    };
    says(nested(vec![], vec![]), "`dims` is empty, needed is at least one element");
    says(nested(vec![3], vec![1.0]), "`dims` is 3, allowed is 1 to all dimensions");
    says(nested(vec![2], vec![]), "`weights` has shape [0], expected [1]");
    says(nested(vec![2], vec![-1.0]), "`weights` is -1, allowed is finite and >= 0");
    says(paired_scores(&x, &odd, PairScore::Euclidean), "`y` has shape [1, 3], expected [2, 2]");
    says(
        CosineEmbedding { margin: 2.0 }.value(&x, &x, &array![true, true], Reduction::Sum),
        "`margin` is 2, allowed is [-1, 1]",
    );
}

#[test]
fn results_that_do_not_fit_f32_are_named() {
    let x = array![[1e30_f32], [-1e30]];
    let alike = array![true, true];
    let loss = Contrastive { margin: 1.0, distance: Distance::Euclidean };
    says(loss.each(&x, &x.mapv(|x| -x), &alike), "the result at `x`[0] overflows f32");
    // What fits at the end need not fit on the way.
    assert_eq!(paired_scores(&x, &-&x, PairScore::Euclidean), Ok(array![2e30, 2e30]));
}

#[test]
fn blocks_of_rows_do_not_show() {
    // More than one block of 128 rows, and pairs of near and of far points.
    let mut x = points(300, 5, 8);
    for i in 0..150 {
        let near = &x.row(i) + 1e-4;
        x.row_mut(i + 150).assign(&near);
    }
    let labels = Array1::from_shape_fn(300, |i| (i % 40) as i64);
    let all = score_matrix(&x, &x, PairScore::Euclidean).unwrap();
    for (i, j) in [(0, 299), (127, 128), (200, 3), (10, 160)] {
        let apart = &x.row(i) - &x.row(j);
        close(all[[i, j]], apart.dot(&apart).sqrt(), 1e-13);
    }
    let loss = LiftedStructure::default();
    let (value, gradient) = loss.grad(&x, &labels, Reduction::Mean).unwrap();
    // The pairs one by one.
    let push = |i: usize| (0..300).filter(|&n| labels[n] != labels[i]).map(|n| (1.0 - all[[i, n]]).exp()).sum::<f64>();
    let pushes: Vec<f64> = (0..300).map(push).collect();
    let mut losses = Vec::new();
    for i in 0..300 {
        for j in (0..300).filter(|&j| j != i && labels[j] == labels[i]) {
            losses.push(0.5 * ((pushes[i] + pushes[j]).ln() + all[[i, j]]).max(0.0).powi(2));
        }
    }
    close(value, losses.iter().sum::<f64>() / losses.len() as f64, 1e-12);
    let difference = |at: (usize, usize)| {
        let moved = |step: f64| {
            let mut x = x.clone();
            x[at] += step;
            loss.value(&x, &labels, Reduction::Mean).unwrap()
        };
        (moved(1e-6) - moved(-1e-6)) / 2e-6
    };
    for at in [(0, 0), (151, 3), (299, 4)] {
        assert!((difference(at) - gradient[at]).abs() < 1e-7, "{at:?}: {} and {}", gradient[at], difference(at));
    }
}
