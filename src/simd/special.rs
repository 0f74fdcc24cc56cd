//! `exp`, `expm1` and `ln` without branches, so that loops over them vectorise.
//!
//! Argument reduction by `ln 2` in two parts (Cody and Waite 1980), then a polynomial. The logarithm follows the
//! classical scheme `ln m = 2 atanh(f / (2 + f))` for a mantissa `m = 1 + f` in `[√½, √2)`. Special values equal those
//! of the standard library. Error bounds are stated on the public functions in [`crate::math`].

/// Elementary functions that a loop can call on every lane.
#[doc(hidden)]
pub trait Lanes: Copy {
    /// `e^x`.
    fn exp_lane<const FMA: bool>(self) -> Self;
    /// `(m, p)` where `e^x = m p SCALE`, for `x <= 0`: fewer steps than [`Lanes::exp_lane`], 1.5 ulp, and a sum of
    /// products `m p` loses nothing among the subnormals until the scale is applied. At -inf that gives zero.
    fn exp_parts_lane<const FMA: bool>(self) -> (Self, Self);
    /// The power of two that [`Lanes::exp_parts_lane`] leaves to its caller.
    const SCALE: Self;
    /// `e^x` for `x <= 0` from [`Lanes::exp_parts_lane`].
    #[inline(always)]
    fn exp_down_lane<const FMA: bool>(self) -> Self
    where
        Self: std::ops::Mul<Output = Self>,
    {
        let (mantissa, power) = self.exp_parts_lane::<FMA>();
        mantissa * power * Self::SCALE
    }
    /// `e^x - 1`.
    fn exp_m1_lane<const FMA: bool>(self) -> Self;
    /// `ln x`.
    fn ln_lane<const FMA: bool>(self) -> Self;
    /// `ln(1 + x)`.
    fn ln_1p_lane<const FMA: bool>(self) -> Self;
    /// `ln(1 + x)` for `x` in `[-½, 1]`, where no power of two need be split off.
    fn ln_1p_near_lane<const FMA: bool>(self) -> Self;
}

/// `a b + c`, fused where that is one instruction.
macro_rules! fma {
    ($a:expr, $b:expr, $c:expr) => {
        if FMA { ($a).mul_add($b, $c) } else { ($a) * ($b) + $c }
    };
}

/// Horner's scheme, highest coefficient first.
macro_rules! horner {
    ($type:ident, $x:expr; $first:expr $(, $next:expr)*) => {{
        let p: $type = $first;
        $(let p = fma!(p, $x, $next);)*
        p
    }};
}

macro_rules! lanes {
    (
        $type:ident, $bits:ident,
        mantissa_bits: $mantissa_bits:expr,
        exponent_bias: $bias:expr,
        ln2: ($ln2_hi:expr, $ln2_lo:expr),
        exp_range: ($exp_low:expr, $exp_high:expr),
        scale_bits: $scale_bits:expr,
        parts_low: $parts_low:expr,
        exp_m1_low: $exp_m1_low:expr,
        exp: [$($exp:expr),*],
        exp_short: [$($exp_short:expr),*],
        ln: [$($ln:expr),*],
        ln_wide: [$($ln_wide:expr),*],
    ) => {
        impl Lanes for $type {
            const SCALE: Self = SCALE_DOWN;

            #[inline(always)]
            fn exp_lane<const FMA: bool>(self) -> Self {
                let (n, p) = exp_m1_of_rest::<FMA>(clamp(self, $exp_low, $exp_high));
                // 2^n itself overflows just below the largest result and is lost among the subnormals: it comes in two
                // factors that are always normal.
                let negative = self < 0.0;
                let power = power_of_two(n, if negative { $scale_bits } else { -$scale_bits });
                (1.0 + p) * power * if negative { SCALE_DOWN } else { 1.0 / SCALE_DOWN }
            }

            #[inline(always)]
            fn exp_parts_lane<const FMA: bool>(self) -> (Self, Self) {
                // The constant holds the exponent's bias too, so that shifting alone makes the power.
                const MAGIC_BIASED: $type = MAGIC + ($bias + $scale_bits) as $type;
                let (shifted, r) = reduced::<FMA>(if self < $parts_low { $parts_low } else { self }, MAGIC_BIASED);
                (horner!($type, r; $($exp_short),*, 0.5, 1.0, 1.0), $type::from_bits(shifted.to_bits() << $mantissa_bits))
            }

            #[inline(always)]
            fn exp_m1_lane<const FMA: bool>(self) -> Self {
                let (n, p) = exp_m1_of_rest::<FMA>(clamp(self, $exp_m1_low, $exp_high));
                // Half the power of two, doubled at the end: 2^n itself overflows just below the largest result.
                let half = power_of_two(n, -1);
                let result = 2.0 * fma!(half, p, half - 0.5);
                // Keeps the sign of zero and the last bit of subnormals, which the halving loses.
                if self.abs() < 4.0 * $type::MIN_POSITIVE { self } else { result }
            }

            #[inline(always)]
            fn ln_lane<const FMA: bool>(self) -> Self {
                // Subnormals are scaled up first; their exponent field holds nothing.
                let tiny = self < $type::MIN_POSITIVE;
                let (exponent, f) = split(if tiny { self * SCALE_UP } else { self });
                let exponent = exponent - if tiny { $mantissa_bits as $type + 2.0 } else { 0.0 };
                within_domain(self, log::<FMA>(exponent, f))
            }

            #[inline(always)]
            fn ln_1p_lane<const FMA: bool>(self) -> Self {
                let sum = 1.0 + self;
                let (exponent, f) = split(sum);
                // What the addition lost is exact, and is put back where the mantissa has its scale.
                let lost = (self - (sum - 1.0)) * power_of_two(MAGIC - exponent, 0);
                let f = if sum < SCALE_UP { f + lost } else { f };
                let result = within_domain(sum, log::<FMA>(exponent, f));
                if self == 0.0 { self } else { result }
            }

            #[inline(always)]
            fn ln_1p_near_lane<const FMA: bool>(self) -> Self {
                let s = self / (2.0 + self);
                let z = s * s;
                let r = z * horner!($type, z; $($ln_wide),*);
                fma!(-s, self - r, self) // 2 s + s r, without the rounding errors of 2 s
            }
        }

        const ONE: $bits = (1.0 as $type).to_bits();
        const SQRT_HALF: $bits = std::$type::consts::FRAC_1_SQRT_2.to_bits();
        const ONE_ULP_BELOW_TWO: $bits = (1 << $mantissa_bits) - 1;
        const SCALE_UP: $type = (1_u64 << ($mantissa_bits + 2)) as $type;
        const SCALE_DOWN: $type = 1.0 / (1_u128 << $scale_bits) as $type;

        /// Adding it rounds to an integer, which then stands in the low bits of the sum.
        const MAGIC: $type = 1.5 * (1_u64 << $mantissa_bits) as $type;

        /// A small unsigned integer as a float, by bits alone: the conversion instruction is slow or missing in vectors.
        #[inline(always)]
        fn float(integer: $bits) -> $type {
            const OFFSET: $type = (1_u64 << $mantissa_bits) as $type;
            $type::from_bits(integer | OFFSET.to_bits()) - OFFSET
        }

        /// `2^(n + more)`, which must be a normal number, from `n + MAGIC`.
        #[inline(always)]
        fn power_of_two(n: $type, more: i32) -> $type {
            $type::from_bits((n.to_bits() << $mantissa_bits).wrapping_add((($bias + more) as $bits) << $mantissa_bits))
        }

        /// Limits that let NaN pass.
        #[inline(always)]
        fn clamp(x: $type, low: $type, high: $type) -> $type {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        }

        /// `(k, f)` where `x = 2^k (1 + f)`, the mantissa `1 + f` in `[√½, √2)`.
        #[inline(always)]
        fn split(x: $type) -> ($type, $type) {
            let shifted = x.to_bits().wrapping_add(ONE - SQRT_HALF);
            let mantissa = $type::from_bits((shifted & ONE_ULP_BELOW_TWO) + SQRT_HALF);
            (float(shifted >> $mantissa_bits) - $bias as $type, mantissa - 1.0)
        }

        /// `k ln 2 + ln(1 + f)`.
        #[inline(always)]
        fn log<const FMA: bool>(k: $type, f: $type) -> $type {
            let s = f / (2.0 + f);
            let z = s * s;
            let r = z * horner!($type, z; $($ln),*);
            let square = 0.5 * f * f;
            let small = fma!(k, $ln2_lo, s * (square + r)) - square + f;
            fma!(k, $ln2_hi, small)
        }

        /// The logarithm `result` of `x`, put right where `x` is no positive finite number.
        #[inline(always)]
        fn within_domain(x: $type, result: $type) -> $type {
            let result = if x == $type::INFINITY { x } else { result };
            let result = if x == 0.0 { $type::NEG_INFINITY } else { result };
            if x >= 0.0 { result } else { $type::NAN }
        }

        /// `(n + magic, r)` where `x = n ln 2 + r` and `|r| <= ln 2 / 2`.
        #[inline(always)]
        fn reduced<const FMA: bool>(x: $type, magic: $type) -> ($type, $type) {
            let shifted = fma!(x, std::$type::consts::LOG2_E, magic);
            let n = shifted - magic;
            let r = fma!(-n, $ln2_hi, x);
            (shifted, fma!(-n, $ln2_lo, r))
        }

        /// `(n + MAGIC, e^r - 1)` with the `n` and `r` of [`reduced`].
        #[inline(always)]
        fn exp_m1_of_rest<const FMA: bool>(x: $type) -> ($type, $type) {
            let (n, r) = reduced::<FMA>(x, MAGIC);
            let q = horner!($type, r; $($exp),*, 0.5);
            (n, fma!(r * r, q, r))
        }
    };
}

mod single {
    use super::Lanes;

    lanes! {
        f32, u32,
        mantissa_bits: 23,
        exponent_bias: 127,
        ln2: (0.693_359_4, -2.121_944_4e-4),
        exp_range: (-104.0, 89.0),
        scale_bits: 64,
        parts_low: -125.0,
        exp_m1_low: -25.0,
        exp: [1.982_412e-4, 1.393_325_3e-3, 8.333_419e-3, 4.166_648e-2, 1.666_666_6e-1],
        exp_short: [1.386_378_2e-3, 8.367_483e-3, 4.166_723_8e-2, 1.666_653_4e-1],
        ln: [2.358_161_2e-1, 2.853_734e-1, 4.000_033_4e-1, 6.666_666e-1],
        ln_wide: [2.428_955_1e-1, 2.143_074_3e-1, 2.861_659_5e-1, 3.999_889e-1, 6.666_667_5e-1],
    }
}

mod double {
    use super::Lanes;

    lanes! {
        f64, u64,
        mantissa_bits: 52,
        exponent_bias: 1023,
        ln2: (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10),
        exp_range: (-746.0, 710.0),
        scale_bits: 100,
        parts_low: -770.0,
        exp_m1_low: -50.0,
        exp: [
            2.087_890_213_849_550_7e-9,
            2.510_868_731_144_348e-8,
            2.755_738_707_597_339e-7,
            2.755_724_529_194_503e-6,
            2.480_158_719_818_663_2e-5,
            1.984_126_988_494_452_4e-4,
            1.388_888_888_894_268e-3,
            8.333_333_333_322_158e-3,
            4.166_666_666_666_658e-2,
            1.666_666_666_666_667_7e-1
        ],
        exp_short: [
            2.497_838_235_511_187e-8,
            2.762_518_972_641_973_6e-7,
            2.755_764_087_180_881e-6,
            2.480_150_867_607_466e-5,
            1.984_126_946_620_005_3e-4,
            1.388_888_892_680_079e-3,
            8.333_333_333_500_05e-3,
            4.166_666_666_660_395e-2,
            1.666_666_666_666_643_3e-1
        ],
        ln: [
            1.479_562_926_980_989_6e-1,
            1.531_408_426_997_586e-1,
            1.818_356_294_037_855e-1,
            2.222_219_860_117_149e-1,
            2.857_142_874_210_210_6e-1,
            3.999_999_999_941_602e-1,
            6.666_666_666_666_734e-1
        ],
        // The first was lowered from 0.164590 until ln_1p_near(1) rounded to ln 2 with and without fused multiply-add.
        ln_wide: [
            1.645_888e-1,
            6.999_471_178_109_07e-2,
            1.097_119_627_099_640_4e-1,
            1.171_615_356_239_379_5e-1,
            1.333_678_720_717_513_8e-1,
            1.538_445_302_550_421_3e-1,
            1.818_182_316_187_152e-1,
            2.222_222_212_642_362_7e-1,
            2.857_142_857_249_731_5e-1,
            3.999_999_999_999_406e-1,
            6.666_666_666_666_667e-1
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kernel;
    use super::super::dispatch::{available, run_at};
    use super::*;

    /// All functions of one number.
    #[inline(always)]
    fn all<T: Lanes + std::ops::Mul<Output = T>, const FMA: bool>(x: T) -> [T; 6] {
        let library = [x.exp_lane::<FMA>(), x.exp_m1_lane::<FMA>(), x.ln_lane::<FMA>(), x.ln_1p_lane::<FMA>()];
        let [a, b, c, d] = library;
        [a, b, c, d, x.exp_down_lane::<FMA>(), x.ln_1p_near_lane::<FMA>()]
    }

    /// Writes one function after the other of all numbers, in loops that vectorise; says whether multiply-add is fused.
    struct Each<'a, T> {
        x: &'a [T],
        out: &'a mut [Vec<T>; 6],
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
                            _ => to.for_each(|(y, &x)| *y = all::<$type, FMA>(x)[5]),
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
                        let mut out = [(); 6].map(|()| points.clone());
                        let fused = run_at(level, Each { x: &points, out: &mut out });
                        for (i, &x) in points.iter().enumerate() {
                            let got = [0, 1, 2, 3, 4, 5].map(|f| out[f][i]);
                            let one = if fused { all::<$type, true>(x) } else { all::<$type, false>(x) };
                            let alike = |a: $type, b: $type| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
                            assert!(
                                got.iter().zip(one).all(|(&a, b)| alike(a, b)),
                                "{level:?} at {x:e}: {got:?}, {one:?}"
                            );
                            for (got, std) in got.into_iter().zip([x.exp(), x.exp_m1(), x.ln(), x.ln_1p()]) {
                                let near = (got - std).abs() <= 2.0 * $type::EPSILON * std.abs();
                                assert!(
                                    near && std != 0.0 || alike(got, std),
                                    "{level:?} at {x:e}: {got:e}, std {std:e}"
                                );
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
}
