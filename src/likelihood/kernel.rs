//! The loops over a block of elements, compiled for every instruction set.

use std::marker::PhantomData;

use super::Density;
use crate::Real;
use crate::simd::{self, Kernel, mul_or_zero};

/// The losses of a block; NaN marks an element that must not be.
pub(super) struct Losses<'a, L, T, const N: usize, const G: usize> {
    pub(super) density: PhantomData<L>,
    pub(super) points: [&'a [T]; N],
    pub(super) losses: &'a mut [T],
}

impl<L: Density<N, G>, T: Real, const N: usize, const G: usize> Kernel for Losses<'_, L, T, N, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let points = self.points.map(|column| &column[..self.losses.len()]);
        for (i, loss) in self.losses.iter_mut().enumerate() {
            let point = points.map(|column| column[i]);
            *loss = marked::<L, T, N, G>(point, L::at::<T, FMA>(point).0);
        }
    }
}

/// The losses of a block and `scale` times their derivatives; NaN marks an element that must not be.
pub(super) struct Slopes<'a, L, T, const N: usize, const G: usize> {
    pub(super) density: PhantomData<L>,
    pub(super) points: [&'a [T]; N],
    pub(super) scale: T,
    pub(super) losses: &'a mut [T],
    pub(super) slopes: [&'a mut [T]; G],
}

impl<L: Density<N, G>, T: Real, const N: usize, const G: usize> Kernel for Slopes<'_, L, T, N, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let points = self.points.map(|column| &column[..self.losses.len()]);
        let slopes = self.slopes.map(|column| &mut column[..self.losses.len()]);
        for (i, loss) in self.losses.iter_mut().enumerate() {
            let point = points.map(|column| column[i]);
            let (value, slope) = L::at::<T, FMA>(point);
            let mut value = marked::<L, T, N, G>(point, value);
            for j in 0..G {
                let slope = self.scale * slope[j];
                value = if slope.abs() < T::infinity() { value } else { T::nan() };
                slopes[j][i] = slope;
            }
            *loss = value;
        }
    }
}

/// The loss, or NaN where an argument lies outside its domain or finite arguments have no finite loss.
#[inline(always)]
fn marked<L: Density<N, G>, T: Real, const N: usize, const G: usize>(point: [T; N], loss: T) -> T {
    let (mut inside, mut finite) = (true, true);
    for (x, (_, domain)) in point.into_iter().zip(L::ARGUMENTS) {
        inside &= domain.contains(x);
        finite &= x.abs() < T::infinity();
    }
    let sound = (loss.abs() < T::infinity()) | (!finite & (loss == T::infinity()));
    if inside & sound { loss } else { T::nan() }
}

/// Multiplies losses and slopes by the weights. A weight of zero selects: what stood there is gone, NaN included.
pub(super) struct Weigh<'a, T, const G: usize> {
    pub(super) weights: &'a [T],
    pub(super) losses: &'a mut [T],
    pub(super) slopes: Option<[&'a mut [T]; G]>,
}

impl<T: Real, const G: usize> Kernel for Weigh<'_, T, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (loss, &w) in self.losses.iter_mut().zip(self.weights) {
            let finite = loss.abs() < T::infinity();
            let product = mul_or_zero(w, *loss);
            *loss = if finite & product.is_infinite() { T::nan() } else { product };
        }
        for column in self.slopes.into_iter().flatten() {
            for ((slope, loss), &w) in column.iter_mut().zip(self.losses.iter_mut()).zip(self.weights) {
                *slope = mul_or_zero(w, *slope);
                *loss += T::zero() * *slope; // NaN where the slope is not finite
            }
        }
    }
}

/// The sum of a block of losses, or the place of the first NaN or at which the sum of finite losses overflows.
pub(super) fn sum<T: Real>(losses: &[T]) -> Result<f64, usize> {
    let sum = simd::sum(losses).as_f64();
    if sum.is_finite() {
        return Ok(sum);
    }
    if let Some(at) = losses.iter().position(|loss| loss.is_nan()) {
        return Err(at);
    }
    // Either a loss is infinite, or the lanes overflow where f64 need not.
    let mut sum = 0.0_f64;
    for (at, loss) in losses.iter().enumerate() {
        let next = sum + loss.as_f64();
        if next.is_infinite() && sum.is_finite() && loss.is_finite() {
            return Err(at);
        }
        sum = next;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::likelihood::gaussian::GaussianNll;
    use crate::likelihood::testing::{at, close};
    use crate::simd::{available, run_at};

    #[test]
    fn every_level_agrees_with_one_point_and_marks_what_is_wrong() {
        let column = |seed: usize| (0..75).map(|i| ((i * 7 + seed * 5) % 31) as f64 * 0.1 - 1.5).collect::<Vec<_>>();
        let (mut mean, log_variance, x) = (column(1), column(2), column(3));
        mean[40] = f64::NAN;
        for level in available() {
            let (mut losses, mut alone) = ([0.0; 75], [0.0; 75]);
            let mut slopes = [[0.0; 75]; 3];
            let (density, points) = (PhantomData::<GaussianNll>, [&mean[..], &log_variance, &x]);
            run_at(level, Losses { density, points, losses: &mut alone });
            let places = slopes.each_mut().map(|column| &mut column[..]);
            run_at(level, Slopes { density, points, scale: 2.0, losses: &mut losses, slopes: places });
            for i in (0..75).filter(|&i| i != 40) {
                let (loss, slope) = at::<GaussianNll, f64, 3, 3>([mean[i], log_variance[i], x[i]]);
                assert!(close(losses[i], loss, 1e-14) && alone[i] == losses[i], "{i} at {level:?}");
                for (found, expected) in slopes.iter().zip(slope) {
                    assert!((found[i] - 2.0 * expected).abs() < 1e-14, "{i} at {level:?}");
                }
            }
            assert!(losses[40].is_nan() && alone[40].is_nan(), "{level:?}");
            let weights: Vec<f64> = (0..75).map(|i| if i == 40 { 0.0 } else { 1.0 }).collect();
            run_at(level, Weigh::<_, 3> { weights: &weights, losses: &mut losses, slopes: None });
            assert_eq!((losses[40], losses[41]), (0.0, alone[41]), "{level:?}");
        }
    }
}
