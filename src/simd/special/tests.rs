//! Every level gives the bits of single calls, and those are near the standard library's.

use super::super::Kernel;
use super::super::dispatch::{available, run_at};
use super::*;

/// All functions of one number, first those that the standard library has.
#[inline(always)]
fn all<T: Lanes + std::ops::Mul<Output = T>, const FMA: bool>(x: T) -> [T; 8] {
    let [a, b, c, d] = [x.exp_lane::<FMA>(), x.exp_m1_lane::<FMA>(), x.ln_lane::<FMA>(), x.ln_1p_lane::<FMA>()];
    let [e, f] = [x.exp_down_lane::<FMA>(), x.ln_1p_near_lane::<FMA>()];
    [a, b, c, d, x.tanh_lane::<FMA>(), e, f, x.tanh_slope_lane::<FMA>().1]
}

/// Writes one function after the other of all numbers, in loops that vectorize; says whether multiply-add is fused.
struct Each<'a, T> {
    x: &'a [T],
    out: &'a mut [Vec<T>; 8],
}

macro_rules! each {
    ($type:ident) => {
        impl Kernel for Each<'_, $type> {
            type Output = bool;

            #[inline(always)]
            fn run<const FMA: bool>(self) -> bool {
                for (f, out) in self.out.iter_mut().enumerate() {
                    let to = out.iter_mut().zip(self.x);
                    match f {
                        0 => to.for_each(|(y, &x)| *y = all::<$type, FMA>(x)[0]),
                        1 => to.for_each(|(y, &x)| *y = all::<$type, FMA>(x)[1]),
                        2 => to.for_each(|(y, &x)| *y = all::<$type, FMA>(x)[2]),
                        3 => to.for_each(|(y, &x)| *y = all::<$type, FMA>(x)[3]),
                        4 => to.for_each(|(y, &x)| *y = all::<$type, FMA>(x)[4]),
                        5 => to.for_each(|(y, &x)| *y = all::<$type, FMA>(x)[5]),
                        6 => to.for_each(|(y, &x)| *y = all::<$type, FMA>(x)[6]),
                        _ => to.for_each(|(y, &x)| *y = all::<$type, FMA>(x)[7]),
                    }
                }
                FMA
            }
        }

        impl Each<'_, $type> {
            fn check() {
                let (tiny, nan) = ($type::from_bits(1), $type::NAN.to_bits());
                let positive = [0.0, 1.0, 2.0, tiny, $type::MIN_POSITIVE, $type::MAX, $type::INFINITY];
                let special = [$type::NAN, $type::from_bits(nan | 0x1ff), $type::from_bits(nan ^ 0x3)];
                let ordinary = (0..4000).map(|i| (i as $type - 2000.0) * 0.437);
                let near = (0..400).map(|i| (i as $type - 133.0) / 267.0);
                let points = positive.into_iter().flat_map(|x| [x, -x]).chain(special).chain(ordinary).chain(near);
                let points: Vec<$type> = points.collect();
                for level in available() {
                    let mut out = [(); 8].map(|()| points.clone());
                    let fused = run_at(level, Each { x: &points, out: &mut out });
                    for (i, &x) in points.iter().enumerate() {
                        let got = [0, 1, 2, 3, 4, 5, 6, 7].map(|f| out[f][i]);
                        let one = if fused { all::<$type, true>(x) } else { all::<$type, false>(x) };
                        let alike = |a: $type, b: $type| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
                        assert!(got.iter().zip(one).all(|(&a, b)| alike(a, b)), "{level:?} at {x:e}: {got:?}, {one:?}");
                        for (got, std) in got.into_iter().zip([x.exp(), x.exp_m1(), x.ln(), x.ln_1p(), x.tanh()]) {
                            let near = (got - std).abs() <= 2.0 * $type::EPSILON * std.abs();
                            assert!(near && std != 0.0 || alike(got, std), "{level:?} at {x:e}: {got:e}, std {std:e}");
                        }
                    }
                }
            }
        }
    };
}
each!(f32);
each!(f64);

#[test]
fn vector_loops_give_the_bits_of_single_calls_at_every_level() {
    Each::<f32>::check();
    Each::<f64>::check();
}

#[test]
fn the_two_forms_of_exp_agree_below_zero() {
    for i in 0..100_000 {
        let x = -f64::from(i) * 0.008;
        let (mantissa, power) = x.exp_parts_lane::<false>();
        let parts = mantissa * power * f64::SCALE;
        assert!((parts - x.exp()).abs() <= 1.5 * f64::EPSILON * x.exp() + 5e-324, "f64 at {x}");
        let x = x as f32;
        let (mantissa, power) = x.exp_parts_lane::<false>();
        let exact = f64::from(x).exp();
        let parts = f64::from(mantissa * power * f32::SCALE);
        assert!((parts - exact).abs() <= 1.5 * f64::from(f32::EPSILON) * exact + 1e-45, "f32 at {x}");
    }
}

/// `e^x - 1 - x` by its series where it is short, else as it stands.
fn excess(x: f64) -> f64 {
    if x.abs() > 0.5 {
        return x.exp_m1() - x;
    }
    let term = |term: &mut f64, k: i32| {
        *term *= x / f64::from(k);
        Some(*term)
    };
    (2..20).scan(x, term).sum()
}

/// `x - ln(1 + x)` likewise.
fn deficit(x: f64) -> f64 {
    if x.abs() > 0.3 {
        return x - x.ln_1p();
    }
    (2..60).rev().fold(0.0, |sum, k| (1.0 / f64::from(k) - sum) * x) * x
}

macro_rules! near_zero {
    ($type:ident) => {{
        struct Each<'a>(&'a [$type], &'a mut [[$type; 4]]);

        impl Kernel for Each<'_> {
            type Output = ();

            #[inline(always)]
            fn run<const FMA: bool>(self) {
                for (to, &x) in self.1.iter_mut().zip(self.0) {
                    let (a, b, c) = x.exp_steps_lane::<FMA>();
                    *to = [a, b, c, x.ln_1p_deficit_lane::<FMA>()];
                }
            }
        }

        let below = (0..3000).map(|i| -0.0371 * i as $type);
        let small = (0..60).map(|i| (0.5 as $type).powi(i)).flat_map(|x| [x, -x, 1.37 * x, -0.9 * x]);
        let points: Vec<$type> = below.chain(small).chain([0.0, 1.0, 7.3, 31.0, -1e30, $type::NEG_INFINITY]).collect();
        for level in available() {
            let mut got = vec![[0.0; 4]; points.len()];
            run_at(level, Each(&points, &mut got));
            for (&x, [exp, fall, rest, deficit_of]) in points.iter().zip(got) {
                let wide = f64::from(x);
                let check = |got: $type, exact: f64, ulps: f64, what: &str| {
                    let error = (f64::from(got) - exact).abs();
                    let bound = ulps * f64::from($type::EPSILON) * exact.abs() + f64::from($type::MIN_POSITIVE);
                    assert!(
                        error <= bound || f64::from(got) == exact,
                        "{what} of {x:e} at {level:?}: {got:e}, {exact:e}"
                    );
                };
                check(exp, wide.exp(), 1.5, "exponential");
                check(fall, wide.exp_m1(), 2.0, "exponential less 1");
                check(rest, excess(wide), 10.0, "excess");
                if x > -1.0 {
                    check(deficit_of, deficit(wide), 10.0, "deficit");
                }
            }
        }
        assert_eq!($type::NEG_INFINITY.exp_steps_lane::<false>(), (0.0, -1.0, $type::INFINITY));
        assert_eq!((-1.0 as $type).ln_1p_deficit_lane::<false>(), $type::INFINITY);
        assert_eq!($type::INFINITY.ln_1p_deficit_lane::<false>(), $type::INFINITY);
        assert!(
            (-1.5 as $type).ln_1p_deficit_lane::<false>().is_nan() && $type::NAN.ln_1p_deficit_lane::<false>().is_nan()
        );
        assert!($type::NAN.exp_steps_lane::<false>().2.is_nan());
    }};
}

#[test]
fn what_is_left_of_an_exponential_and_of_a_logarithm_keeps_its_digits_at_every_level() {
    near_zero!(f32);
    near_zero!(f64);
}
