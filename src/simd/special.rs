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
    /// `e^x - 1`.
    fn exp_m1_lane<const FMA: bool>(self) -> Self;
    /// `ln x`.
    fn ln_lane<const FMA: bool>(self) -> Self;
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
        exp_m1_low: $exp_m1_low:expr,
        exp: [$($exp:expr),*],
        ln: [$($ln:expr),*],
    ) => {
        impl Lanes for $type {
            #[inline(always)]
            fn exp_lane<const FMA: bool>(self) -> Self {
                let (n, p) = reduced::<FMA>(clamp(self, $exp_low, $exp_high));
                // Two factors: 2^n alone overflows just below the largest result and is lost among the subnormals.
                let half = round(n * 0.5);
                (1.0 + p) * power_of_two(half) * power_of_two(n - half)
            }

            #[inline(always)]
            fn exp_m1_lane<const FMA: bool>(self) -> Self {
                let (n, p) = reduced::<FMA>(clamp(self, $exp_m1_low, $exp_high));
                // Half the power of two, doubled at the end: 2^n itself overflows just below the largest result.
                let half = power_of_two(n - 1.0);
                let result = 2.0 * fma!(half, p, half - 0.5);
                // Keeps the sign of zero and the last bit of subnormals, which the halving loses.
                if self.abs() < $type::MIN_POSITIVE { self } else { result }
            }

            #[inline(always)]
            fn ln_lane<const FMA: bool>(self) -> Self {
                // Subnormals are scaled up first; their exponent field holds nothing.
                let tiny = self < $type::MIN_POSITIVE;
                let x = if tiny { self * SCALE_UP } else { self };
                let shifted = x.to_bits().wrapping_add(ONE - SQRT_HALF);
                let exponent = float(shifted >> $mantissa_bits) - ($bias as $type) - if tiny { $mantissa_bits as $type + 2.0 } else { 0.0 };
                let mantissa = $type::from_bits((shifted & (ONE_ULP_BELOW_TWO)) + SQRT_HALF);
                let f = mantissa - 1.0;
                let s = f / (2.0 + f);
                let z = s * s;
                let r = z * horner!($type, z; $($ln),*);
                let square = 0.5 * f * f;
                let small = fma!(exponent, $ln2_lo, s * (square + r)) - square + f;
                let result = fma!(exponent, $ln2_hi, small);
                let result = if self == $type::INFINITY { self } else { result };
                let result = if self == 0.0 { $type::NEG_INFINITY } else { result };
                if self >= 0.0 { result } else { $type::NAN }
            }
        }

        const ONE: $bits = (1.0 as $type).to_bits();
        const SQRT_HALF: $bits = std::$type::consts::FRAC_1_SQRT_2.to_bits();
        const ONE_ULP_BELOW_TWO: $bits = (1 << $mantissa_bits) - 1;
        const SCALE_UP: $type = (1_u64 << ($mantissa_bits + 2)) as $type;

        /// Adding and subtracting it rounds to an integer, which then stands in the low bits of the sum.
        const MAGIC: $type = 1.5 * (1_u64 << $mantissa_bits) as $type;

        #[inline(always)]
        fn round(x: $type) -> $type {
            (x + MAGIC) - MAGIC
        }

        /// A small unsigned integer as a float, by bits alone: the conversion instruction is slow or missing in vectors.
        #[inline(always)]
        fn float(integer: $bits) -> $type {
            const OFFSET: $type = (1_u64 << $mantissa_bits) as $type;
            $type::from_bits(integer | OFFSET.to_bits()) - OFFSET
        }

        /// `2^n` for an integer `n` within the exponents of normal numbers.
        #[inline(always)]
        fn power_of_two(n: $type) -> $type {
            $type::from_bits((n + (MAGIC + $bias as $type)).to_bits() << $mantissa_bits)
        }

        /// Limits that let NaN pass.
        #[inline(always)]
        fn clamp(x: $type, low: $type, high: $type) -> $type {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        }

        /// `(n, e^r - 1)` where `x = n ln 2 + r` and `|r| <= ln 2 / 2`.
        #[inline(always)]
        fn reduced<const FMA: bool>(x: $type) -> ($type, $type) {
            let n = round(x * std::$type::consts::LOG2_E);
            let r = fma!(-n, $ln2_hi, x);
            let r = fma!(-n, $ln2_lo, r);
            let q = horner!($type, r; $($exp),*);
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
        exp_m1_low: -25.0,
        exp: [1.987_569_2e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5],
        ln: [0.242_790_79, 0.284_987_87, 0.400_009_72, 0.666_666_6],
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
        exp_m1_low: -50.0,
        exp: [
            1.0 / 6_227_020_800.0,
            1.0 / 479_001_600.0,
            1.0 / 39_916_800.0,
            1.0 / 3_628_800.0,
            1.0 / 362_880.0,
            1.0 / 40_320.0,
            1.0 / 5_040.0,
            1.0 / 720.0,
            1.0 / 120.0,
            1.0 / 24.0,
            1.0 / 6.0,
            0.5
        ],
        ln: [
            1.479_819_860_511_658_6e-1,
            1.531_383_769_920_937_3e-1,
            1.818_357_216_161_805e-1,
            2.222_219_843_214_978_4e-1,
            2.857_142_874_366_239e-1,
            3.999_999_999_940_942e-1,
            6.666_666_666_666_735e-1
        ],
    }
}
