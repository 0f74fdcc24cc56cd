//! Rows of a few classes, sixteen at a time: class by class, each lane another row.

use super::{Kernel, Lanes, dispatch};
use crate::Real;
use crate::math::mul_add;

/// Rows that are summed together.
pub(crate) const ROW_TILE: usize = 16;

/// Logits of sixteen rows, transposed, and after [`RowTile::sum`] what their exponentials sum to.
pub(crate) struct RowTile<'a, T> {
    /// One entry for each class, one lane for each row. [`RowTile::sum_exp`] puts exponentials in their place.
    pub(crate) classes: &'a mut [[T; ROW_TILE]],
    /// The largest logit of each row.
    pub(crate) max: [T; ROW_TILE],
    /// `Σ e^(x - max)` of each row but for one element that equals the maximum. NaN where the row holds NaN.
    pub(crate) others: [f64; ROW_TILE],
    /// `ln(1 + others)` of each row.
    pub(crate) log: [f64; ROW_TILE],
}

impl<'a, T: Real> RowTile<'a, T> {
    /// Sums the exponentials of each row.
    pub(crate) fn sum(classes: &'a mut [[T; ROW_TILE]]) -> Self {
        let mut tile = Self::unknown(classes);
        dispatch(Sum::<T, false>(&mut tile));
        tile
    }

    /// The same, and replaces each logit `x` by `e^(x - max)`.
    pub(crate) fn sum_exp(classes: &'a mut [[T; ROW_TILE]]) -> Self {
        let mut tile = Self::unknown(classes);
        dispatch(Sum::<T, true>(&mut tile));
        tile
    }

    fn unknown(classes: &'a mut [[T; ROW_TILE]]) -> Self {
        Self { classes, max: [T::neg_infinity(); ROW_TILE], others: [0.0; ROW_TILE], log: [0.0; ROW_TILE] }
    }

    /// Multiplies each row by a factor of its own.
    pub(crate) fn scale(&mut self, factors: &[T; ROW_TILE]) {
        dispatch(Scale { classes: self.classes, factors });
    }

    /// Replaces each logit `x` by `(x - max) - log`.
    pub(crate) fn shift_down(&mut self) {
        dispatch(ShiftDown { max: &self.max, log: &self.log.map(T::from_f64), classes: self.classes });
    }

    /// Transposes the tile back into as many rows as there is room for.
    pub(crate) fn write(&self, rows: &mut [T]) {
        for (r, row) in rows.chunks_exact_mut(self.classes.len()).enumerate().take(ROW_TILE) {
            for (to, class) in row.iter_mut().zip(&*self.classes) {
                *to = class[r];
            }
        }
    }
}

/// [`RowTile::sum`], and where it `STORES`, [`RowTile::sum_exp`].
struct Sum<'t, 'a, T, const STORES: bool>(&'t mut RowTile<'a, T>);

impl<T: Real, const STORES: bool> Kernel for Sum<'_, '_, T, STORES> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (mut max, mut sum) = ([T::neg_infinity(); ROW_TILE], [T::zero(); ROW_TILE]);
        // The first class that has the maximum stays out of the sum; classes are few enough to be exact in every type.
        let (mut top, mut number) = ([T::zero(); ROW_TILE], T::zero());
        for class in &*self.0.classes {
            for i in 0..ROW_TILE {
                let is_larger = class[i] > max[i];
                max[i] = if is_larger { class[i] } else { max[i] };
                top[i] = if is_larger { number } else { top[i] };
            }
            number += T::one();
        }
        number = T::zero();
        for class in &mut *self.0.classes {
            for i in 0..ROW_TILE {
                let (mantissa, power) = (class[i] - max[i]).exp_parts_lane::<FMA>();
                let kept = if top[i] == number { T::zero() } else { mantissa };
                sum[i] = mul_add::<T, FMA>(kept, power, sum[i]);
                if STORES {
                    class[i] = mantissa * power * T::SCALE;
                }
            }
            number += T::one();
        }
        let others = &mut self.0.others;
        for i in 0..ROW_TILE {
            others[i] = (T::SCALE * sum[i]).as_f64();
        }
        for i in 0..ROW_TILE {
            self.0.log[i] = others[i].ln_1p_lane::<FMA>();
        }
        self.0.max = max;
    }
}

struct Scale<'t, T> {
    classes: &'t mut [[T; ROW_TILE]],
    factors: &'t [T; ROW_TILE],
}

impl<T: Real> Kernel for Scale<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for class in self.classes {
            for i in 0..ROW_TILE {
                class[i] *= self.factors[i];
            }
        }
    }
}

struct ShiftDown<'t, T> {
    classes: &'t mut [[T; ROW_TILE]],
    max: &'t [T; ROW_TILE],
    log: &'t [T; ROW_TILE],
}

impl<T: Real> Kernel for ShiftDown<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for class in self.classes {
            for i in 0..ROW_TILE {
                class[i] = (class[i] - self.max[i]) - self.log[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{RowSum, available, run_at};

    #[test]
    fn each_lane_is_summed_like_a_row_at_every_level() {
        for (level, classes) in available().into_iter().flat_map(|level| [1, 2, 3, 10, 63].map(|n| (level, n))) {
            let rows: Vec<Vec<f32>> = (0..ROW_TILE)
                .map(|r| (0..classes).map(|v| ((r * 31 + v * v * 7) % 23) as f32 * (r as f32 - 4.0)).collect())
                .collect();
            let mut logits: Vec<[f32; ROW_TILE]> = (0..classes).map(|v| std::array::from_fn(|r| rows[r][v])).collect();
            let mut tile = RowTile::unknown(&mut logits);
            run_at(level, Sum::<f32, false>(&mut tile));
            let RowTile { max, others, log, .. } = tile;
            let mut tile = RowTile::unknown(&mut logits);
            run_at(level, Sum::<f32, true>(&mut tile));
            assert_eq!((tile.max, tile.others, tile.log), (max, others, log));
            for (r, row) in rows.iter().enumerate() {
                let mut sum = RowSum::new();
                sum.push(row);
                assert_eq!(tile.max[r], sum.max, "{level:?}, {classes} classes, row {r}");
                assert!((tile.others[r] - sum.others).abs() <= 4e-7 * sum.others, "{level:?}, {classes}, row {r}");
                assert!((tile.log[r] - tile.others[r].ln_1p()).abs() <= 4e-16 * tile.log[r], "{level:?}, {classes}");
                for (v, x) in row.iter().enumerate() {
                    let exact = (f64::from(*x) - f64::from(sum.max)).exp();
                    assert!(
                        (f64::from(tile.classes[v][r]) - exact).abs() <= 3e-7 * exact + 1e-44,
                        "{level:?}, {r}, {v}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_distribution_shows_in_its_own_lane_alone() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        for bad in [[nan, 0.0], [0.0, nan], [-inf, nan], [nan, -inf], [inf, 0.0], [-inf, -inf], [inf, inf]] {
            let mut logits = bad.map(|x| std::array::from_fn(|r| if r == 5 { x } else { r as f64 }));
            let tile = RowTile::sum(&mut logits);
            for r in 0..ROW_TILE {
                let is_proper = tile.max[r].is_finite() && tile.others[r].is_finite();
                assert_eq!(is_proper, r != 5, "{bad:?}, row {r}");
            }
        }
    }
}
