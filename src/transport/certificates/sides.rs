//! Every bound beside the exact least cost, in whole numbers: no lower bound is above it, no upper bound below.

use ndarray::{Array1, Array2};

use super::*;
use crate::testing::generator;
use crate::transport::{Cost, GroundCost, TransportProblem, emd, emd_plan};

const LIMBS: usize = 18;

/// A whole number in two's complement, far larger than any that occurs here.
#[derive(Clone, Copy, PartialEq)]
struct Whole([u64; LIMBS]);

impl Whole {
    const ZERO: Self = Self([0; LIMBS]);

    /// `x · 2^shift`, which must be whole.
    fn of(x: f64, shift: i32) -> Self {
        if x == 0.0 {
            return Self::ZERO;
        }
        let bits = x.abs().to_bits();
        let (digits, power) = ((bits & ((1 << 52) - 1)) | (1 << 52), (bits >> 52) as i32 - 1075 + shift);
        let (digits, power) = if power < 0 {
            (digits >> digits.trailing_zeros(), power + digits.trailing_zeros() as i32)
        } else {
            (digits, power)
        };
        assert!(power >= 0, "{x} has digits below 2^-{shift}");
        let (limb, bit) = (power as usize / 64, power as usize % 64);
        let mut whole = Self::ZERO;
        whole.0[limb] = digits << bit;
        if bit > 0 {
            whole.0[limb + 1] = digits >> (64 - bit);
        }
        if x < 0.0 { whole.negative() } else { whole }
    }

    fn negative(self) -> Self {
        let one = Self(std::array::from_fn(|k| u64::from(k == 0)));
        Self(self.0.map(|limb| !limb)).plus(one)
    }

    fn plus(self, other: Self) -> Self {
        let mut carry = false;
        Self(std::array::from_fn(|k| {
            let (sum, first) = self.0[k].overflowing_add(other.0[k]);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            carry = first | second;
            sum
        }))
    }

    fn times(self, other: Self) -> Self {
        let mut product = [0_u64; LIMBS];
        for (i, &left) in self.0.iter().enumerate().filter(|(_, limb)| **limb != 0) {
            let mut carry = 0_u128;
            for (j, &right) in other.0[..LIMBS - i].iter().enumerate() {
                let sum = u128::from(left) * u128::from(right) + u128::from(product[i + j]) + carry;
                (product[i + j], carry) = (sum as u64, sum >> 64);
            }
        }
        Self(product)
    }

    fn is_negative(self) -> bool {
        self.0[LIMBS - 1] >> 63 == 1
    }

    fn is_below(self, other: Self) -> bool {
        self.plus(other.negative()).is_negative()
    }
}

/// Of masses and of costs, how many binary digits lie behind the point.
const SHIFT: i32 = 260;

/// The least cost of a problem whose `b` is scaled to the total of `a`, times the total of `b`: over all trees whose flows
/// are not below zero.
fn least(a: &[f64], b: &[f64], cost: &dyn Fn(usize, usize) -> f64) -> Whole {
    let whole = |masses: &[f64]| masses.iter().map(|&mass| Whole::of(mass, SHIFT)).collect::<Vec<_>>();
    let total = |masses: &[Whole]| masses.iter().fold(Whole::ZERO, |sum, &mass| sum.plus(mass));
    let (a, b) = (whole(a), whole(b));
    let (left, right) = (total(&a), total(&b));
    let a: Vec<Whole> = a.iter().map(|mass| mass.times(right)).collect();
    let b: Vec<Whole> = b.iter().map(|mass| mass.times(left)).collect();
    let (n, m) = (a.len(), b.len());
    let mut best: Option<Whole> = None;
    for chosen in (0_u32..1 << (n * m)).filter(|set| set.count_ones() as usize == n + m - 1) {
        let mut held: Vec<Whole> = a.iter().chain(&b).copied().collect();
        let mut arcs: Vec<(usize, usize)> =
            (0..n * m).filter(|k| chosen >> k & 1 == 1).map(|k| (k / m, k % m)).collect();
        let mut spent = Whole::ZERO;
        while !arcs.is_empty() {
            let degree = |node: usize| arcs.iter().filter(|(i, j)| *i == node || n + j == node).count();
            let Some(at) = arcs.iter().position(|&(i, j)| degree(i) == 1 || degree(n + j) == 1) else { break };
            let (i, j) = arcs[at];
            let (leaf, other) = if degree(i) == 1 { (i, n + j) } else { (n + j, i) };
            let flow = held[leaf];
            if flow.is_negative() {
                break;
            }
            if flow != Whole::ZERO {
                spent = spent.plus(flow.times(Whole::of(cost(i, j), SHIFT)));
            }
            held[other] = held[other].plus(flow.negative());
            arcs.swap_remove(at);
        }
        if arcs.is_empty() && best.is_none_or(|best| spent.is_below(best)) {
            best = Some(spent);
        }
    }
    best.unwrap()
}

/// What the bounds of a problem are held against.
struct Sides {
    exact: Whole,
    total: Whole,
    emd: f64,
    told: String,
}

impl Sides {
    /// Times the total of `b`.
    fn scaled(&self, bound: f64) -> Whole {
        Whole::of(bound, 2 * SHIFT).times(self.total)
    }

    fn lower(&self, bound: f64, name: &str) {
        let told = || format!("{name} {bound:e}, emd {:e} of {}", self.emd, self.told);
        assert!(!self.exact.is_below(self.scaled(bound)), "{}", told());
        assert!(bound <= self.emd, "above emd: {}", told());
    }

    fn upper(&self, bound: f64, name: &str) {
        let told = || format!("{name} {bound:e}, emd {:e} of {}", self.emd, self.told);
        assert!(!self.scaled(bound).is_below(self.exact), "{}", told());
        assert!(bound >= self.emd, "below emd: {}", told());
    }
}

fn check<'a>(a: &'a Array1<f64>, b: &'a Array1<f64>, cost: Cost<'a, f64>) {
    let problem = TransportProblem::new(a.view(), b.view(), cost);
    let [rows, columns] = [a, b].map(|w| (0..w.len()).filter(|&i| w[i] > 0.0).collect::<Vec<_>>());
    let held = |w: &Array1<f64>| w.iter().copied().filter(|w| *w > 0.0).collect::<Vec<_>>();
    let exact = least(&held(a), &held(b), &|i, j| cost.at(rows[i], columns[j]));
    let total = held(b).iter().fold(Whole::ZERO, |sum, &mass| sum.plus(Whole::of(mass, SHIFT)));
    let solution = emd_plan(problem).unwrap();
    let sides = Sides { exact, total, emd: emd(problem).unwrap(), told: format!("{problem:?}") };
    // The least cost itself is the exact one, rounded once.
    let near = if sides.emd == 0.0 { [0.0; 2] } else { [sides.emd.next_down(), sides.emd.next_up()] };
    let [low, high] = near.map(|near| sides.scaled(near));
    assert!(!exact.is_below(low) && !high.is_below(exact), "emd {:e} of {}", sides.emd, sides.told);
    sides.lower(dual_bound(problem, &solution.u, &solution.v).unwrap(), "dual");
    sides.upper(plan_cost(problem, &solution.plan.to_dense()).unwrap(), "plan");
    sides.upper(product_coupling_cost(problem).unwrap(), "product");
    if let Ok(bound) = total_variation_bound(problem) {
        sides.lower(bound, "variation");
    }
    if let Cost::Points { x, .. } = cost {
        sides.lower(centroid_bound(problem).unwrap(), "centroids");
        sides.lower(axis_bound(problem).unwrap(), "axes");
        let directions = Array2::from_shape_fn((2, x.ncols()), |(k, i)| if k == 0 { 1.0 } else { 0.3 + i as f64 });
        sides.lower(projection_bound(problem, &directions).unwrap(), "projections");
    }
}

/// Masses of one size, with zeros and ties, which add up to this or nearly so.
fn masses(n: usize, total: f64, next: &mut impl FnMut() -> f64) -> Array1<f64> {
    loop {
        let raw = Array1::from_shape_simple_fn(n, || match next() {
            x if x < 0.2 => 0.0,
            x if x < 0.4 => 1.0,
            _ => next(),
        });
        if raw.sum() > 0.0 {
            return &raw * (total / raw.sum());
        }
    }
}

#[test]
fn no_bound_is_on_the_wrong_side_of_the_exact_least_cost() {
    let mut next = generator(91);
    for trial in 0..600 {
        let (n, m) = (1 + trial % 3, 1 + trial / 3 % 3);
        let total = 10_f64.powf(-32.0 * next());
        let (a, b) = (masses(n, total, &mut next), masses(m, total, &mut next));
        let size = [2.0, 100.0, 1e6, 1e12][trial % 4];
        let mut costs = Array2::from_shape_simple_fn((n, m), || match next() {
            x if x < 0.5 => (4.0 * x).ceil(),
            x => (x * size).floor(),
        });
        if trial % 2 == 0 && n == m {
            costs.diag_mut().fill(0.0);
        }
        costs.indexed_iter_mut().filter(|((i, j), _)| a[*i] == 0.0 || b[*j] == 0.0).for_each(|(_, c)| *c = f64::NAN);
        check(&a, &b, Cost::matrix(costs.view()));
        let mut points = |weights: &Array1<f64>| {
            let point = |i: usize, next: &mut dyn FnMut() -> f64| match weights[i] {
                0.0 => f64::NAN,
                _ => (6.0 * next()).floor() + if trial % 2 == 0 { 0.0 } else { (next() * 65536.0).floor() / 65536.0 },
            };
            Array2::from_shape_fn((weights.len(), 2), |(i, _)| point(i, &mut next))
        };
        let (x, y) = (points(&a), points(&b));
        for ground in [GroundCost::Manhattan, GroundCost::SquaredEuclidean, GroundCost::Euclidean] {
            check(&a, &b, Cost::points(x.view(), y.view(), ground));
        }
    }
}

#[test]
fn a_dual_value_of_tiny_masses_is_not_above_its_problem() {
    let a = ndarray::array![0.0, 3.566_583_819_983_543_5e-32, 6.433_416_180_016_458e-32];
    let b = ndarray::array![3.348_961_644_879_16e-32, 1.797_552_347_659_733_7e-32, 4.853_486_007_461_106e-32];
    let costs = ndarray::array![[f64::NAN, f64::NAN, f64::NAN], [2.0, 98.0, 1.0], [2.0, 1e6, 1e12]];
    check(&a, &b, Cost::matrix(costs.view()));
}
