//! Log-sum-exp with a weight, of either sign, for each term.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, ArrayViewMutD, Dimension, IxDyn};

use crate::compiled::in_dimension;
use crate::error::Position;
use crate::rowwise::{RowReader, Rows, RowsMut};
use crate::{Element, Error, Real, Result, check, reduction};

/// Logarithm of the absolute value of a sum, and its sign; made by [`weighted_log_sum_exp`].
#[derive(Clone, Debug, PartialEq)]
pub struct SignedLog<T, D: Dimension> {
    /// `ln |Σ b e^x|`, -inf where the sum is 0.
    pub log: Array<T, D>,
    /// 1, -1, or 0 where the sum is 0.
    pub sign: Array<T, D>,
}

/// Logarithm of the weighted sum of exponentials of each row: [`log_sum_exp`](super::log_sum_exp()) with a factor for each
/// term.
///
/// ```math
/// \operatorname{log}_i = \ln \Bigl| \sum_v b_{iv}\, e^{x_{iv}} \Bigr|, \qquad
/// \operatorname{sign}_i = \operatorname{sgn} \sum_v b_{iv}\, e^{x_{iv}}
/// ```
///
/// `logits` x have any shape `[.., V]` and the weights b the same; `weights.broadcast(..)` makes them so. A weight of 0
/// selects its logit away, which is never looked at. Weights may be negative: then the logarithm is that of the absolute
/// value, and the sign is returned beside it. The sum over nothing (all weights 0, or no logit but -inf) is 0: its
/// logarithm is -inf and its sign 0. That is a value here, not an error.
///
/// All is computed in `f64` as `m + ln|1 + r|`, the largest term `e^m` out of the sum. With weights of one sign the result
/// is good to the last digits of the type; where signs differ, what terms cancel is lost, as in any sum.
///
/// # Errors
///
/// [`Value`](Error::Value) for a weight that is not finite, and for a logit that is NaN or +inf under a weight that is not
/// 0; [`Shape`](Error::Shape); [`Empty`](Error::Empty) without classes.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::weighted_log_sum_exp, ndarray::array};
/// let logits = array![[0.0_f64, 2.0, f64::NAN], [1.0, 1.0, 0.0]];
/// let sum = weighted_log_sum_exp(&logits, &array![[3.0, -1.0, 0.0], [0.25, 0.75, 0.0]])?;
/// assert!((sum.log[0] - (2.0_f64.exp() - 3.0).ln()).abs() < 1e-15); // 3 - e² is negative
/// assert_eq!((sum.sign[0], sum.log[1], sum.sign[1]), (-1.0, 1.0, 1.0));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// The arguments `b` and `return_sign` of
/// [`scipy.special.logsumexp`](https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.logsumexp.html).
pub fn weighted_log_sum_exp<E: Element, D: Dimension>(
    logits: &ArrayRef<E, D>,
    weights: &ArrayRef<E::Real, D>,
) -> Result<SignedLog<E::Real, D::Smaller>> {
    let sums = E::weighted_log_sum_exp(logits.view().into_dyn(), weights.view().into_dyn(), None)?;
    Ok(SignedLog { log: in_dimension(sums.log), sign: in_dimension(sums.sign) })
}

/// [`weighted_log_sum_exp`] and the gradient of the sum of its logarithms in the logits.
///
/// ```math
/// \frac{\partial \operatorname{log}_i}{\partial x_{iv}} = \frac{b_{iv}\, e^{x_{iv}}}{\sum_u b_{iu}\, e^{x_{iu}}}
/// ```
///
/// Each row adds up to 1, and to 0 where it sums over nothing. With weights of both signs entries may be negative or above 1.
///
/// # Errors
///
/// Those of [`weighted_log_sum_exp`]; [`Overflow`](Error::Overflow) where terms cancel so that a slope leaves the type, or
/// exactly, where there is none.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::weighted_log_sum_exp_grad, ndarray::array};
/// let (sum, slope) = weighted_log_sum_exp_grad(&array![0.0_f64, 0.0], &array![3.0, -1.0])?;
/// assert!((sum.log[()] - std::f64::consts::LN_2).abs() < 1e-15);
/// assert!((slope[0] - 1.5).abs() < 1e-15 && (slope[1] + 0.5).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn weighted_log_sum_exp_grad<E: Element, D: Dimension>(
    logits: &ArrayRef<E, D>,
    weights: &ArrayRef<E::Real, D>,
) -> Result<(SignedLog<E::Real, D::Smaller>, Array<E::Real, D>)> {
    let mut grad = E::zeros_of(logits.shape());
    let out = Some(grad.view_mut());
    let sums = E::weighted_log_sum_exp(logits.view().into_dyn(), weights.view().into_dyn(), out)?;
    Ok((SignedLog { log: in_dimension(sums.log), sign: in_dimension(sums.sign) }, in_dimension(grad)))
}

/// The sums, and the gradient where it has a place.
pub(super) fn signed<E: Element>(
    logits: ArrayViewD<'_, E>,
    weights: ArrayViewD<'_, E::Real>,
    mut grad: Option<ArrayViewMutD<'_, E::Real>>,
) -> Result<SignedLog<E::Real, IxDyn>> {
    let rows = Rows::new("logits", &logits)?;
    check::shape("weights", weights.shape(), logits.shape())?;
    let (weights, shape) = (Rows::new("weights", &weights)?, logits.shape());
    let leading = &shape[..shape.len() - 1];
    let mut sums = vec![(E::Real::from_f64(0.0), E::Real::from_f64(0.0)); rows.len()];
    let out = grad.as_mut().map(|grad| RowsMut::new("out", grad, shape)).transpose()?;
    let jobs = rows.jobs(1).of_work(2 * rows.bytes());
    jobs.each_row(&mut sums, [out], Terms::default, |terms, index, to, [out]| {
        let summed = terms.load(rows.row(index).iter().zip(weights.row(index)));
        let place = |class| place(leading, index, class);
        let sum = summed.map_err(|wrong| wrong.error(place))?;
        *to = (E::Real::from_f64(sum.log()), E::Real::from_f64(sum.sign()));
        out.map_or(Ok(()), |out| terms.slopes(&sum, out)).map_err(|()| overflow::<E>(place(None)))
    })?;
    let column = |of: fn(&(E::Real, E::Real)) -> E::Real| {
        let mut column = ArrayD::from_elem(leading, E::Real::from_f64(0.0));
        column.iter_mut().zip(&sums).for_each(|(to, sum)| *to = of(sum));
        column
    };
    Ok(SignedLog { log: column(|sum| sum.0), sign: column(|sum| sum.1) })
}

fn overflow<E: Element>(position: Position) -> Error {
    Error::overflow::<E::Real>("logits", position)
}

/// The place of a row, or of one of its classes.
fn place(leading: &[usize], row: usize, class: Option<usize>) -> Position {
    let mut position = Position::unravel(row, leading);
    position.0.extend(class);
    position
}

/// What is wrong with a term.
struct Wrong {
    argument: &'static str,
    class: usize,
    value: f64,
    allowed: &'static str,
}

impl Wrong {
    fn error(self, place: impl Fn(Option<usize>) -> Position) -> Error {
        let Self { argument, class, value, allowed } = self;
        Error::Value { argument, position: place(Some(class)), value, allowed }
    }
}

/// `e^m · sign · (1 + rest)`: the sum of a row, its largest term out of it.
struct Sum {
    max: f64,
    /// That of the largest term, 0 where there is none.
    sign: f64,
    rest: f64,
}

impl Sum {
    fn log(&self) -> f64 {
        let above = self.rest > -1.0;
        let log = if above { self.rest.ln_1p() } else { (-1.0 - self.rest).ln() };
        if self.sign == 0.0 { f64::NEG_INFINITY } else { self.max + log }
    }

    fn sign(&self) -> f64 {
        let total = 1.0 + self.rest;
        if total == 0.0 { 0.0 } else { self.sign * total.signum() }
    }
}

/// The terms of one row: `x + ln |b|`, and then `sgn(b) e^(x + ln |b| - m)`.
#[derive(Default)]
struct Terms(Vec<f64>);

impl Terms {
    fn load<'t, E: Element>(&mut self, row: impl Iterator<Item = (&'t E, &'t E::Real)> + Clone) -> Result<Sum, Wrong> {
        self.0.clear();
        let (mut max, mut top, mut sign) = (f64::NEG_INFINITY, 0, 0.0);
        for (class, (logit, weight)) in row.clone().enumerate() {
            let weight = weight.as_f64();
            if !weight.is_finite() {
                return Err(Wrong { argument: "weights", class, value: weight, allowed: "finite" });
            }
            let logit = if weight == 0.0 { f64::NEG_INFINITY } else { logit.real().as_f64() };
            if logit.is_nan() || logit == f64::INFINITY {
                return Err(Wrong { argument: "logits", class, value: logit, allowed: "finite or -inf" });
            }
            let term = if logit == f64::NEG_INFINITY { logit } else { logit + weight.abs().ln() };
            if term > max {
                (max, top, sign) = (term, class, weight.signum());
            }
            self.0.push(term);
        }
        if sign == 0.0 {
            self.0.fill(0.0);
            return Ok(Sum { max, sign, rest: 0.0 });
        }
        for (term, (_, weight)) in self.0.iter_mut().zip(row) {
            // Relative to the sign of the largest, whose own term is 1.
            *term = sign * weight.as_f64().signum() * (*term - max).exp();
        }
        let largest = std::mem::take(&mut self.0[top]);
        let rest = reduction::sum(&self.0);
        self.0[top] = largest;
        Ok(Sum { max, sign, rest })
    }

    /// Each term over the sum.
    fn slopes<T: Real>(&self, sum: &Sum, out: &mut [T]) -> Result<(), ()> {
        let total = 1.0 + sum.rest;
        for (to, term) in out.iter_mut().zip(&self.0) {
            *to = if *term == 0.0 { T::zero() } else { T::from_f64(term / total) };
        }
        if out.iter().all(|slope| slope.is_finite()) { Ok(()) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::logits::testing::{assert_close, differences, other_layouts, sample};
    use crate::logits::{log_sum_exp, log_sum_exp_grad};

    const INF: f64 = f64::INFINITY;

    #[test]
    fn worked_rows_agree_with_scipy() {
        // scipy.special.logsumexp([0.5, -1.25, 2], b=[..], return_sign=True), and the same with mpmath.
        let x = array![[0.5, -1.25, 2.0], [0.5, -1.25, 2.0]];
        let sum = weighted_log_sum_exp(&x, &array![[0.25, 2.0, 1.5], [1.0, 3.0, -2.0]]).unwrap();
        let first = 0.25 * 0.5_f64.exp() + 2.0 * (-1.25_f64).exp() + 1.5 * 2.0_f64.exp();
        let second = 2.0 * 2.0_f64.exp() - 0.5_f64.exp() - 3.0 * (-1.25_f64).exp();
        assert_close(&sum.log, &[first.ln(), second.ln()], 1e-15);
        assert_eq!(sum.sign, array![1.0, -1.0]);
    }

    #[test]
    fn ones_are_the_plain_sum_and_weights_shift_logits() {
        let x = sample::<f64>(3, 70);
        let (ones, softmax) = weighted_log_sum_exp_grad(&x, &Array2::ones((3, 70))).unwrap();
        let (plain, expected) = log_sum_exp_grad(&x).unwrap();
        assert_close(&ones.log, &plain, 1e-15);
        assert_close(&softmax, &expected, 1e-14);
        let b = Array2::from_shape_fn((3, 70), |(i, v)| 0.25 + ((i + 7 * v) % 5) as f64);
        let shifted = log_sum_exp(&(&x + &b.mapv(f64::ln))).unwrap();
        assert_close(&weighted_log_sum_exp(&x, &b).unwrap().log, &shifted, 1e-15);
        assert_close(&weighted_log_sum_exp(&x, &-b).unwrap().log, &shifted, 1e-15);
    }

    #[test]
    fn the_gradient_is_the_difference_quotient_with_weights_of_any_sign() {
        let x = sample::<f64>(3, 7);
        let b = Array2::from_shape_fn((3, 7), |(i, v)| [1.5, -0.25, 0.0, 2.0, -0.5][(i + v) % 5]);
        let (sum, slope) = weighted_log_sum_exp_grad(&x, &b).unwrap();
        assert_eq!(sum, weighted_log_sum_exp(&x, &b).unwrap());
        assert_close(&slope, &differences(&x, |x| weighted_log_sum_exp(x, &b).unwrap().log.sum()), 1e-8);
        assert_close(&slope.sum_axis(ndarray::Axis(1)), &[1.0; 3], 1e-13);
        other_layouts(&x, |x| assert_eq!(weighted_log_sum_exp(x, &b).unwrap(), sum));
    }

    #[test]
    fn the_sum_over_nothing_is_zero() {
        let (x, b) = (array![[-INF, -INF], [0.0, INF], [1.0, 1.0]], array![[1.0, 1.0], [0.0, 0.0], [0.5, -0.5]]);
        let sum = weighted_log_sum_exp(&x, &b).unwrap();
        assert_eq!((sum.log, sum.sign), (array![-INF, -INF, -INF], array![0.0, 0.0, 0.0]));
        let (_, slope) =
            weighted_log_sum_exp_grad(&x.slice(ndarray::s![..2, ..]), &b.slice(ndarray::s![..2, ..])).unwrap();
        assert_eq!(slope, Array2::<f64>::zeros((2, 2)));
        let error = weighted_log_sum_exp_grad(&x, &b).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits`[2] overflows f64");
        let huge = weighted_log_sum_exp(&array![1e308, 700.0], &array![1e-300, 1e300]).unwrap();
        assert_eq!(huge.log[()], 1e308);
    }

    #[test]
    fn what_is_wrong_is_named_where_it_is_read() {
        let message = |x: [f64; 2], b: [f64; 2]| {
            weighted_log_sum_exp(&ndarray::arr2(&[x]), &ndarray::arr2(&[b])).unwrap_err().to_string()
        };
        assert_eq!(message([0.0, f64::NAN], [1.0, 1.0]), "`logits`[0, 1] is NaN, allowed is finite or -inf");
        assert_eq!(message([INF, f64::NAN], [-1.0, 0.0]), "`logits`[0, 0] is inf, allowed is finite or -inf");
        assert_eq!(message([0.0, 0.0], [1.0, INF]), "`weights`[0, 1] is inf, allowed is finite");
        let error = weighted_log_sum_exp(&array![0.0, 1.0], &array![1.0]).unwrap_err();
        assert_eq!(error.to_string(), "`weights` has shape [1], expected [2]");
    }
}
