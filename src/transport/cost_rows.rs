//! The costs of a row in `f64`, wherever they come from, as loops over lanes want them.

use ndarray::ArrayView1;

use super::any_cost::AnyCost;
use super::cost::{Cost, GroundCost};
use super::twofold::{self, Twofold};
use crate::Real;
use crate::math::{SAFE, length};
use crate::simd::{Kernel, LANES, dispatch};

/// Columns whose coordinates are worked on together: 4 KiB of `f64`.
const BLOCK: usize = 512;

/// The costs from each place to some of the others. Of points it holds the coordinates, never a cost.
pub(super) struct CostRows<'a> {
    cost: AnyCost<'a>,
    /// Which entries of each row; none where it is all of them.
    columns: Option<Vec<usize>>,
    width: usize,
    /// Of points, the coordinates of the places that mass goes to, by axes `[d, m]`.
    axes: Vec<f64>,
    what: What,
    unit: f64,
}

/// What the numbers of a row are.
#[derive(Clone, Copy, PartialEq)]
enum What {
    Costs,
    /// 1 for each way that is forbidden, and else 0.
    Forbidden,
}

/// The costs of one row: where the caller has them, or in scratch.
pub(super) enum CostRow<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
}

impl<'a> CostRows<'a> {
    /// The costs to all places.
    pub(super) fn new(cost: AnyCost<'a>) -> Self {
        let width = cost.shape()[1];
        Self::of_columns(cost, &(0..width).collect::<Vec<_>>())
    }

    /// The costs to these places, in this order.
    pub(super) fn of_columns(cost: AnyCost<'a>, columns: &[usize]) -> Self {
        let axes = match &cost {
            AnyCost::F32(cost) => axes(cost, columns),
            AnyCost::F64(cost) => axes(cost, columns),
        };
        let all = columns.len() == cost.shape()[1] && columns.iter().enumerate().all(|(k, &j)| k == j);
        let chosen = (!all).then(|| columns.to_vec());
        Self { cost, columns: chosen, width: columns.len(), axes, what: What::Costs, unit: 1.0 }
    }

    /// How many forbidden ways each way to these places adds: 1 where the cost is +inf, else 0. None of points, which
    /// forbid no way.
    pub(super) fn of_forbidden(cost: AnyCost<'a>, columns: &[usize]) -> Option<Self> {
        cost.is_matrix().then(|| Self { what: What::Forbidden, ..Self::of_columns(cost, columns) })
    }

    /// All costs multiplied by a power of two.
    pub(super) fn in_units(self, unit: f64) -> Self {
        Self { unit, ..self }
    }

    /// Number of costs in a row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The costs from place `i`. What does not lie in memory as it is goes to scratch.
    pub(super) fn row<'s>(&'s self, i: usize, scratch: &'s mut Vec<f64>) -> CostRow<'s> {
        let is_plain = self.columns.is_none() && self.what == What::Costs && self.unit == 1.0;
        match &self.cost {
            AnyCost::F32(Cost::Matrix(costs)) => match costs.row(i).to_slice() {
                Some(row) if is_plain => return CostRow::F32(row),
                _ => self.copy(costs.row(i), scratch),
            },
            AnyCost::F64(Cost::Matrix(costs)) => match costs.row(i).to_slice() {
                Some(row) if is_plain => return CostRow::F64(row),
                _ => self.copy(costs.row(i), scratch),
            },
            AnyCost::F32(Cost::Points { x, ground, .. }) => self.form(x.row(i), *ground, scratch),
            AnyCost::F64(Cost::Points { x, ground, .. }) => self.form(x.row(i), *ground, scratch),
        }
        if self.unit != 1.0 {
            scratch.iter_mut().for_each(|cost| *cost *= self.unit);
        }
        CostRow::F64(scratch)
    }

    fn copy<T: Real>(&self, row: ArrayView1<'_, T>, scratch: &mut Vec<f64>) {
        let number = |cost: T| match self.what {
            What::Costs => cost.as_f64(),
            What::Forbidden => f64::from(u8::from(cost == T::infinity())),
        };
        scratch.resize(self.width, 0.0);
        match &self.columns {
            None => scratch.iter_mut().zip(row).for_each(|(out, &cost)| *out = number(cost)),
            Some(columns) => scratch.iter_mut().zip(columns).for_each(|(out, &j)| *out = number(row[j])),
        }
    }

    fn form<T: Real>(&self, from: ArrayView1<'_, T>, ground: GroundCost, scratch: &mut Vec<f64>) {
        let from: Vec<f64> = from.iter().map(|x| x.as_f64()).collect();
        scratch.resize(self.width, 0.0);
        dispatch(Form { from: &from, axes: &self.axes, ground, out: scratch });
    }
}

/// The coordinates of these places, of points.
fn axes<T: Real>(cost: &Cost<'_, T>, columns: &[usize]) -> Vec<f64> {
    let Cost::Points { y, .. } = cost else { return Vec::new() };
    let axis = |k: usize| columns.iter().map(move |&j| y[[j, k]].as_f64());
    (0..y.ncols()).flat_map(axis).collect()
}

impl CostRow<'_> {
    /// The least `C_j - v_j`.
    pub(super) fn least(&self, potentials: &[f64]) -> f64 {
        match self {
            Self::F32(costs) => dispatch(Least::<_, false> { costs, potentials }),
            Self::F64(costs) => dispatch(Least::<_, false> { costs, potentials }),
        }
    }

    /// A number that is not above any exact `C_j - v_j`, and at most two roundings below the least of them.
    pub(super) fn least_below(&self, potentials: &[f64]) -> f64 {
        match self {
            Self::F32(costs) => dispatch(Least::<_, true> { costs, potentials }),
            Self::F64(costs) => dispatch(Least::<_, true> { costs, potentials }),
        }
    }

    /// The first place at which `C_j - v_j` is this, which it is at some.
    pub(super) fn place(&self, potentials: &[f64], least: f64) -> usize {
        let at = |cost: f64, potential: &f64| cost - potential == least;
        let place = match self {
            Self::F32(costs) => costs.iter().zip(potentials).position(|(cost, v)| at(cost.as_f64(), v)),
            Self::F64(costs) => costs.iter().zip(potentials).position(|(cost, v)| at(*cost, v)),
        };
        place.unwrap_or(0)
    }

    /// Lowers each of `least` to `C_j - shift` where that is less.
    pub(super) fn lower(&self, shift: f64, least: &mut [f64]) {
        match self {
            Self::F32(costs) => dispatch(Lower::<_, false> { costs, shift, least }),
            Self::F64(costs) => dispatch(Lower::<_, false> { costs, shift, least }),
        }
    }

    /// Lowers each of `least` to a number that is not above the exact `C_j - shift`, where that is less.
    pub(super) fn lower_below(&self, shift: f64, least: &mut [f64]) {
        match self {
            Self::F32(costs) => dispatch(Lower::<_, true> { costs, shift, least }),
            Self::F64(costs) => dispatch(Lower::<_, true> { costs, shift, least }),
        }
    }

    /// `Σ m C`, of ways that are not forbidden.
    pub(super) fn spent(&self, masses: &[f64]) -> Twofold {
        match self {
            Self::F32(costs) => twofold::spent(masses, costs),
            Self::F64(costs) => twofold::spent(masses, costs),
        }
    }

    /// `Σ m |C|`, up to round-off.
    pub(super) fn size(&self, masses: &[f64]) -> f64 {
        self.iter().zip(masses).map(|(cost, mass)| mass * cost.abs()).sum()
    }

    /// One of the costs.
    #[inline]
    pub(super) fn at(&self, j: usize) -> f64 {
        match self {
            Self::F32(costs) => costs[j].as_f64(),
            Self::F64(costs) => costs[j],
        }
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = f64> {
        let (narrow, wide): (&[f32], &[f64]) = match self {
            Self::F32(costs) => (costs, &[]),
            Self::F64(costs) => (&[], costs),
        };
        narrow.iter().map(|cost| cost.as_f64()).chain(wide.iter().copied())
    }
}

/// `min_j (C_j - v_j)`, of at least one; with `BELOW` each difference is lowered if it was rounded up.
struct Least<'a, C, const BELOW: bool> {
    costs: &'a [C],
    potentials: &'a [f64],
}

impl<C: Real, const BELOW: bool> Kernel for Least<'_, C, BELOW> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut least = [f64::INFINITY; LANES];
        let (costs, last_costs) = self.costs.as_chunks::<LANES>();
        let (potentials, last) = self.potentials.as_chunks::<LANES>();
        for (costs, potentials) in costs.iter().zip(potentials) {
            for i in 0..LANES {
                least[i] = lesser(difference::<BELOW>(costs[i].as_f64(), potentials[i]), least[i]);
            }
        }
        for (i, (cost, potential)) in last_costs.iter().zip(last).enumerate() {
            least[i] = lesser(difference::<BELOW>(cost.as_f64(), *potential), least[i]);
        }
        crate::simd::join(least, lesser)
    }
}

/// `cost - potential`, not above the exact difference and at most two roundings below it. What the subtraction loses is found
/// exactly (Møller, Knuth); a difference that loses anything is far above the subnormal numbers. +inf stays what it is.
#[inline(always)]
pub(super) fn difference_below(cost: f64, potential: f64) -> f64 {
    let rounded = cost - potential;
    let taken = cost - rounded;
    let lost = (cost - (rounded + taken)) + (taken - potential);
    if lost < 0.0 { rounded - f64::EPSILON * rounded.abs() } else { rounded }
}

#[inline(always)]
fn difference<const BELOW: bool>(cost: f64, potential: f64) -> f64 {
    if BELOW { difference_below(cost, potential) } else { cost - potential }
}

/// `least_j = min(least_j, C_j - shift)`; with `BELOW` each difference is lowered if it was rounded up.
struct Lower<'a, C, const BELOW: bool> {
    costs: &'a [C],
    shift: f64,
    least: &'a mut [f64],
}

impl<C: Real, const BELOW: bool> Kernel for Lower<'_, C, BELOW> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (least, cost) in self.least.iter_mut().zip(self.costs) {
            *least = lesser(difference::<BELOW>(cost.as_f64(), self.shift), *least);
        }
    }
}

#[inline(always)]
fn lesser(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

/// The costs from one point to all others, by the additions that [`Cost::at`] makes, in its order.
struct Form<'a> {
    from: &'a [f64],
    axes: &'a [f64],
    ground: GroundCost,
    out: &'a mut [f64],
}

impl Kernel for Form<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let width = self.out.len();
        for (block, out) in self.out.chunks_mut(BLOCK).enumerate() {
            out.fill(0.0);
            for (k, &from) in self.from.iter().enumerate() {
                let axis = &self.axes[k * width + block * BLOCK..][..out.len()];
                match self.ground {
                    GroundCost::Manhattan => out.iter_mut().zip(axis).for_each(|(sum, to)| *sum += (from - to).abs()),
                    _ => out.iter_mut().zip(axis).for_each(|(sum, to)| *sum += (from - to) * (from - to)),
                }
            }
            if self.ground == GroundCost::Euclidean {
                let is_safe = out.iter().fold(true, |safe, sum| safe & SAFE.contains(sum));
                for (j, sum) in out.iter_mut().enumerate() {
                    *sum = if is_safe || SAFE.contains(sum) {
                        sum.sqrt()
                    } else {
                        let to = |k: usize| self.axes[k * width + block * BLOCK + j];
                        length(self.from.iter().enumerate().map(|(k, from)| from - to(k)))
                    };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;
    use crate::simd::{available, with_level};

    const GROUNDS: [GroundCost; 3] = [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan];

    fn points(n: usize, phase: f64) -> Array2<f64> {
        Array2::from_shape_fn((n, 3), |(i, k)| ((3 * i + k) as f64 + phase).sin())
    }

    #[test]
    fn rows_are_the_single_costs_at_every_level_and_scale() {
        for (scale, ground) in [1.0, 1e-140, 1e140].into_iter().flat_map(|scale| GROUNDS.map(|ground| (scale, ground)))
        {
            let (x, y) = (points(4, 0.0) * scale, points(700, 0.5) * scale);
            let cost = Cost::points(x.view(), y.view(), ground);
            let rows = CostRows::new(cost.into());
            for level in available() {
                with_level(level, || {
                    let mut scratch = Vec::new();
                    for i in 0..4 {
                        let row = rows.row(i, &mut scratch);
                        row.iter().enumerate().for_each(|(j, c)| assert_eq!(c, cost.at(i, j)));
                    }
                });
            }
        }
    }

    #[test]
    fn stored_strided_and_chosen_entries_are_the_same() {
        let wide = Array2::from_shape_fn((5, 80), |(i, j)| ((i * 80 + j) as f32).sin());
        let views = [wide.view(), wide.slice(s![.., ..;2]), wide.slice(s![..;-1, ..])];
        for costs in views {
            let columns: Vec<usize> = (0..costs.ncols()).filter(|j| j % 3 != 1).collect();
            let (all, part) =
                (CostRows::new(Cost::matrix(costs).into()), CostRows::of_columns(Cost::matrix(costs).into(), &columns));
            assert_eq!((all.width(), part.width()), (costs.ncols(), columns.len()));
            let (mut left, mut right) = (Vec::new(), Vec::new());
            for i in 0..5 {
                let (all, part) = (all.row(i, &mut left), part.row(i, &mut right));
                assert!(all.iter().eq(costs.row(i).iter().map(|&c| f64::from(c))));
                assert!(part.iter().eq(columns.iter().map(|&j| all.at(j))));
            }
        }
    }

    /// `cost - potential >= below`, in whole numbers of 2⁻⁹⁰: all of them are below 2 and have 53 digits.
    fn is_not_below(cost: f64, potential: f64, below: f64) -> bool {
        let whole = |x: f64| (x * 2_f64.powi(90)) as i128;
        whole(cost) - whole(potential) >= whole(below)
    }

    #[test]
    fn the_least_is_found_at_every_level() {
        let costs = Array2::from_shape_fn((1, 75), |(_, j)| (j as f64 * 0.7).sin());
        let potentials: Vec<f64> = (0..75).map(|j| (j as f64 * 1.3).cos()).collect();
        for width in [1, 31, 32, 33, 75] {
            let cost = Cost::matrix(costs.slice(s![.., ..width]));
            let (rows, mut scratch) = (CostRows::new(cost.into()), Vec::new());
            let row = rows.row(0, &mut scratch);
            let reduced: Vec<f64> = (0..width).map(|j| costs[[0, j]] - potentials[j]).collect();
            let least = reduced.iter().copied().fold(f64::INFINITY, f64::min);
            for level in available() {
                with_level(level, || {
                    let below = row.least_below(&potentials[..width]);
                    assert!(least - 1e-15 <= below && below <= least, "{width} at {level:?}");
                    assert!((0..width).all(|j| is_not_below(costs[[0, j]], potentials[j], below)));
                    let mut lower = vec![0.25; width];
                    row.lower_below(1.0 / 3.0, &mut lower);
                    for (&low, &c) in lower.iter().zip(costs.row(0)) {
                        let nearest = (c - 1.0 / 3.0).min(0.25);
                        assert!(nearest - 1e-15 <= low && low <= nearest);
                        assert!(is_not_below(c, 1.0 / 3.0, low));
                    }
                    assert_eq!(row.least(&potentials[..width]), least, "{width} at {level:?}");
                    let mut lower = vec![0.25; width];
                    row.lower(0.5, &mut lower);
                    assert!(lower.iter().zip(costs.row(0)).all(|(&low, c)| low == (c - 0.5).min(0.25)));
                });
            }
            assert_eq!(reduced[row.place(&potentials[..width], least)], least);
        }
    }
}
