//! The divergence that a convex function generates.

use super::{ClassDivergence, ClassPair, ClassTerm, Generator};
use crate::{Real, Result};

/// The f-divergence of a [`Generator`].
///
/// ```math
/// D = \sum_v q_v f\Bigl(\frac{p_v}{q_v}\Bigr) = \sum_v q_v \bigl[f(t_v) - f'(1) (t_v - 1)\bigr], \qquad t_v = \frac{p_v}{q_v}
/// ```
///
/// ```math
/// p_v \frac{\partial D}{\partial p_v} = p_v f'(t_v), \qquad q_v \frac{\partial D}{\partial q_v} = q_v f(t_v) - p_v f'(t_v)
/// ```
///
/// A class that `q` has not adds `p f'(∞)`, one that `p` has not `q f(0)`; their slopes are the limits that the generator
/// [names](Generator::limit_at_zero). Both element types are computed in `f64`. Small divergences have the digits that the
/// generator's [`excess`](Generator::excess) keeps. Beyond ratios of `2^±1000` the function goes on as its limits say, and
/// where `f(t)` or `f'(t)` is beyond `f64` before that, as `(t - 1)²` is from `2^512` on, the call is
/// [`Error::Overflow`](crate::Error::Overflow) though a tiny `q` might make up for it.
///
/// A slope near a finite `f'(∞)` is subtracted from others like it. So an entry of a gradient is good to eight roundings of
/// the larger probability of its class times the largest slope, `8 ε max(p_v, q_v) max |f' - f'(1)|`, and where the sides
/// share next to nothing the entry itself may be below that. The divergences that this crate names itself, such as
/// [`KlDivergence`](super::KlDivergence), have neither limit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, FDivergence, SquaredHellinger};
/// use Categorical::Logits;
/// let (p, q) = (array![[0.0_f64, 1.0]], array![[1.0_f64, 0.0]]);
/// let general = FDivergence { generator: SquaredHellinger }.value(Logits(&p), Logits(&q), Reduction::Sum)?;
/// assert!((general - SquaredHellinger.value(Logits(&p), Logits(&q), Reduction::Sum)?).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Csiszár 1963; Ali and Silvey, Journal of the Royal Statistical Society B 28, 1966.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FDivergence<G> {
    /// The convex function.
    pub generator: G,
}

/// The largest ratio that a generator is asked for is `2^1000`, and this is its inverse: there `t ln t` still fits `f64`.
const SMALLEST: f64 = 9.332_636_185_032_189e-302;
/// Minus the logarithm of that.
const FAR: f64 = 1000.0 * std::f64::consts::LN_2;

impl<G: Generator> ClassDivergence for FDivergence<G> {
    fn check(&self) -> Result<()> {
        self.generator.check()
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let [log_p, log_q, log_ratio] = [class.log_p(), class.log_q(), class.log_ratio()].map(T::as_f64);
        let term = self.wide::<FMA>(ClassPair::<f64>::new::<FMA>(log_p, log_q, log_ratio));
        ClassTerm { value: T::from_f64(term.value), p: T::from_f64(term.p), q: T::from_f64(term.q) }
    }

    fn mass_coefficient(&self) -> f64 {
        self.generator.at::<f64, false>(1.0).1
    }
}

impl<G: Generator> FDivergence<G> {
    /// The term, formed over the larger probability: `f(t)` and `t f'(t)` where `p` is the smaller one, `f(t)/t` and `f'(t)`
    /// where it is the larger.
    #[inline(always)]
    fn wide<const FMA: bool>(&self, class: ClassPair<f64>) -> ClassTerm<f64> {
        let (gap, is_lighter) = (class.abs_log_ratio(), class.p_is_smaller());
        let (is_beyond, is_absent) = (gap > FAR, gap == f64::INFINITY);
        let last = if is_absent { 0.0 } else { SMALLEST };
        let share = if is_beyond { last } else { class.exp_neg_gap() };
        let fall = if is_beyond { -1.0 } else { class.expm1_neg_gap() };
        let (ratio, rise) = if is_lighter { (share, fall) } else { (1.0 / share, -fall / share) };

        let at_one = self.generator.at::<f64, FMA>(1.0).1;
        let slope = self.generator.at::<f64, FMA>(ratio).1 - at_one;
        let excess = self.generator.excess::<f64, FMA>(ratio, rise);
        let excess = if excess < 0.0 { 0.0 } else { excess }; // which only rounding can bring about: f is convex

        // With `L = lim t f'(t)` the function falls as `L ln t`, with `L = lim f(t)/t - f'(t)` its quotient rises as `-L ln t`.
        let limit = if is_lighter { self.generator.limit_at_zero() } else { self.generator.limit_at_infinity() };
        let further = if is_beyond && limit != 0.0 { -limit * (gap - FAR) } else { 0.0 };
        let value = further + if is_lighter { excess } else { share * excess };
        let is_absent_q = is_absent && !is_lighter;
        let value = if is_absent_q { slope } else { value };
        let far = if is_absent_q || limit == 0.0 { slope } else { value - limit };
        let far = if is_lighter { limit } else { far };
        let on_p = if is_beyond {
            far
        } else if is_lighter {
            share * slope
        } else {
            slope
        };
        // `q f - p f'` and `q f'(1)` more: both parts are 0 at equality.
        let on_q = if is_beyond && !is_lighter { limit } else { value - on_p };

        let larger = class.larger();
        // What is infinite by a class that one side alone has is so however small the other's probability is.
        let is_infinite = is_absent && value == f64::INFINITY;
        ClassTerm { value: if is_infinite { value } else { larger * value }, p: larger * on_p, q: larger * on_q }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::divergence::{
        Categorical::Logits, CategoricalDivergence, JensenShannonDivergence, KlDivergence, NeymanChiSquare,
        PearsonChiSquare, ReverseKlDivergence, Sides, SquaredHellinger, TotalVariation,
    };
    use crate::{Element, Error, Reduction};
    use ndarray::{Array1, Ix1, array};

    const NONE: f64 = f64::NEG_INFINITY;

    /// Every generator of this crate beside the divergence itself.
    macro_rules! of_each {
        ($check:ident($($argument:expr),*)) => {
            $check(KlDivergence, $($argument),*);
            $check(ReverseKlDivergence, $($argument),*);
            $check(JensenShannonDivergence, $($argument),*);
            $check(PearsonChiSquare, $($argument),*);
            $check(NeymanChiSquare, $($argument),*);
            $check(SquaredHellinger, $($argument),*);
            $check(TotalVariation, $($argument),*);
        };
    }

    /// By value, gradients and errors.
    #[test]
    fn a_class_of_one_side_counts_as_the_divergence_itself_has_it() {
        fn check<G>(generator: G, x: &Array1<f64>, y: &Array1<f64>)
        where
            G: Generator + CategoricalDivergence<f64, Ix1> + Copy,
        {
            let (own, general) = (generator, FDivergence { generator });
            let name = std::any::type_name::<G>();
            let values = [
                own.value(Logits(x), Logits(y), Reduction::Sum).unwrap(),
                general.value(Logits(x), Logits(y), Reduction::Sum).unwrap(),
            ];
            assert!(values[0] == values[1] || (values[0] - values[1]).abs() < 1e-14, "{name}: {values:?}");
            for (own, general) in [
                (
                    own.grad_p(Logits(x), Logits(y), Reduction::Sum),
                    general.grad_p(Logits(x), Logits(y), Reduction::Sum),
                ),
                (
                    own.grad_q(Logits(x), Logits(y), Reduction::Sum),
                    general.grad_q(Logits(x), Logits(y), Reduction::Sum),
                ),
            ] {
                let general = general.map(|(_, gradient)| gradient);
                match own {
                    Ok((_, own)) => {
                        let general = general.unwrap();
                        assert!((&own - &general).iter().all(|x| x.abs() < 1e-14), "{name}: {own} {general}");
                    }
                    Err(error) => assert_eq!(general, Err(error), "{name}"),
                }
            }
        }
        let (whole, without) = (array![0.0, 0.0, 1.0], array![0.0, NONE, 1.0]);
        of_each!(check(&without, &whole));
        of_each!(check(&whole, &without));
        of_each!(check(&without, &without));
        of_each!(check(&array![0.0, NONE, 1.0], &array![NONE, 0.5, 1.0]));
    }

    /// By 400 digits.
    #[test]
    fn the_limit_of_a_lacking_class_is_in_the_gradient() {
        let (p, q) = (array![0.0_f64, NONE, 1.0], array![0.0_f64, 0.0, 1.0]);
        let general = FDivergence { generator: ReverseKlDivergence };
        let (value, gradient) = general.grad_p(Logits(&p), Logits(&q), Reduction::Sum).unwrap();
        assert_eq!(value, f64::INFINITY);
        for (entry, exact) in
            gradient.iter().zip([0.056_999_863_752_909_68, -0.211_941_557_617_085_45, 0.154_941_693_864_175_77])
        {
            assert!((entry - exact).abs() < 1e-15, "{entry}, {exact}");
        }
        let error = FDivergence { generator: NeymanChiSquare }.grad_p(Logits(&p), Logits(&q), Reduction::Sum);
        let message = "`p`[1] is -inf, allowed is a class of both sides, or the gradient of `p` is infinite";
        assert_eq!(error.unwrap_err().to_string(), message);
    }

    /// Where log-ratios are bounded by those of a few hundred, in both types, and beyond.
    #[test]
    fn ratios_beyond_the_type_are_counted_as_they_are() {
        fn check<G>(generator: G, gap: f64, is_narrow: bool)
        where
            G: Generator + CategoricalDivergence<f64, Ix1> + CategoricalDivergence<f32, Ix1> + Copy,
        {
            let name = std::any::type_name::<G>();
            let (x, y) = (array![0.0, -1.0, gap], array![0.5, 0.0, 0.25]);
            for (x, y) in [(&x, &y), (&y, &x)] {
                let (general, sum) = (FDivergence { generator }, Reduction::Sum);
                if is_narrow {
                    let (x, y) = (x.mapv(|x| x as f32), y.mapv(|y| y as f32));
                    let near = |a: f32, b: f32| (a - b).abs() <= 4e-6 * a.abs().max(1.0);
                    match generator.grad(Logits(&x), Logits(&y), Reduction::Sum) {
                        Ok((own, gradients)) => {
                            let (value, found) = general.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
                            assert!(near(own, value), "{name} at {gap}: {own} {value}");
                            let pairs = gradients.p.iter().zip(&found.p).chain(gradients.q.iter().zip(&found.q));
                            pairs.for_each(|(a, b)| assert!(near(*a, *b), "{name} at {gap}: {a} {b}"));
                        }
                        Err(error) => assert_eq!(general.grad(Logits(&x), Logits(&y), Reduction::Sum), Err(error)),
                    }
                    continue;
                }
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * a.abs().max(1.0);
                match (generator.grad(Logits(x), Logits(y), sum), general.grad(Logits(x), Logits(y), sum)) {
                    (Ok((own, gradients)), Ok((value, found))) => {
                        assert!(near(own, value), "{name} at {gap}: {own} {value}");
                        let pairs = gradients.p.iter().zip(&found.p).chain(gradients.q.iter().zip(&found.q));
                        pairs.for_each(|(a, b)| assert!(near(*a, *b), "{name} at {gap}: {a} {b}"));
                    }
                    // The function itself may be beyond the type where it times a probability is not.
                    (own, found) => {
                        assert!(matches!(found, Err(Error::Overflow { .. })), "{name} at {gap}: {found:?}");
                        assert!(own.is_err() || own.is_ok_and(|(own, _)| own > 1e150), "{name} at {gap}");
                    }
                }
            }
        }
        for gap in [20.0, 50.0, 87.0, 90.0, 120.0, 700.0, 1e4, -40.0, -90.0, -1e4] {
            of_each!(check(gap, true));
        }
        for gap in [40.0, 300.0, 340.0, 360.0, 690.0, 694.0, 720.0, 800.0, 1e5, 1e300, -50.0, -705.0, -1e7] {
            of_each!(check(gap, false));
        }
    }

    /// Beside the divergences themselves, whose entries have their digits.
    #[test]
    fn entries_are_good_to_roundings_of_the_slopes() {
        fn check<T: Real + Element<Real = T>, G>(generator: G, steepest: fn(f64) -> f64)
        where
            G: Generator + CategoricalDivergence<T, Ix1> + Copy,
        {
            for gap in [5.0, 10.0, 15.0, 25.0, 40.0, 80.0] {
                let [x, y]: [Array1<T>; 2] =
                    [[0.0, gap, -1.5], [gap, 0.25, 1.0]].map(|row| row.map(T::from_f64).to_vec().into());
                let shares = |x: &Array1<T>| {
                    let all = x.mapv(|x| x.as_f64().exp());
                    &all / all.sum()
                };
                let (p, q) = (shares(&x), shares(&y));
                let (_, own): (T, Sides<Array1<T>>) = generator.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
                let general: (T, Sides<Array1<T>>) =
                    FDivergence { generator }.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
                for (own, general) in [(&own.p, &general.1.p), (&own.q, &general.1.q)] {
                    for class in 0..3 {
                        let room = 8.0 * T::epsilon().as_f64() * p[class].max(q[class]) * steepest(gap);
                        let apart = (own[class].as_f64() - general[class].as_f64()).abs();
                        assert!(apart <= room, "{} at {gap}: {own} {general}", std::any::type_name::<G>());
                    }
                }
            }
        }
        check::<f64, _>(JensenShannonDivergence, |gap| gap); // half of the largest log-ratio
        check::<f32, _>(JensenShannonDivergence, |gap| gap);
        check::<f64, _>(TotalVariation, |_| 0.5);
        check::<f32, _>(TotalVariation, |_| 0.5);
    }

    /// As in rows whose masks are numbers: of the class both sides have nothing that a type holds.
    #[test]
    fn a_class_that_both_sides_have_next_to_nothing_of_adds_nothing() {
        fn check<G: Generator + CategoricalDivergence<f64, Ix1> + Copy>(generator: G) {
            let (x, y) = (array![0.5, 0.0, -1e4], array![0.0, 0.25, -1e9]);
            let (value, gradients) = FDivergence { generator }.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
            let (own, exact) = generator.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
            assert!((value - own).abs() < 1e-15, "{value}, {own}");
            assert!((gradients.p - exact.p).iter().all(|x| x.abs() < 1e-15));
            assert!((gradients.q - exact.q).iter().all(|x| x.abs() < 1e-15));
        }
        check(KlDivergence);
        check(ReverseKlDivergence);
        check(JensenShannonDivergence);
        check(SquaredHellinger);
        check(TotalVariation);
    }
}
