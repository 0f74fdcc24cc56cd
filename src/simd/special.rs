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
    /// `e^x / SCALE` for `x <= 0`, with fewer steps: nothing is lost among the subnormals until the scale is undone.
    fn exp_scaled_lane<const FMA: bool>(self) -> Self;
    /// What [`Lanes::exp_scaled_lane`] is to be multiplied by.
    const SCALE: Self;
    /// `e^x - 1`.
    fn exp_m1_lane<const FMA: bool>(self) -> Self;
    /// `ln x`.
    fn ln_lane<const FMA: bool>(self) -> Self;
    /// `ln(1 + x)`.
    fn ln_1p_lane<const FMA: bool>(self) -> Self;
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
        detour: $detour:expr,
        scaled_low: $scaled_low:expr,
        exp_m1_low: $exp_m1_low:expr,
        exp: [$($exp:expr),*],
        ln: [$($ln:expr),*],
    ) => {
        impl Lanes for $type {
            const SCALE: Self = SCALE_DOWN;

            #[inline(always)]
            fn exp_lane<const FMA: bool>(self) -> Self {
                let (n, p) = reduced::<FMA>(clamp(self, $exp_low, $exp_high));
                // 2^n itself overflows just below the largest result and is lost among the subnormals: it comes by way
                // of a power that is always normal.
                let negative = self < 0.0;
                let detour = power_of_two(n, if negative { $detour } else { -$detour });
                (1.0 + p) * detour * if negative { SCALE_DOWN } else { 1.0 / SCALE_DOWN }
            }

            #[inline(always)]
            fn exp_scaled_lane<const FMA: bool>(self) -> Self {
                let (n, p) = reduced::<FMA>(if self < $scaled_low { $scaled_low } else { self });
                (1.0 + p) * power_of_two(n, $detour)
            }

            #[inline(always)]
            fn exp_m1_lane<const FMA: bool>(self) -> Self {
                let (n, p) = reduced::<FMA>(clamp(self, $exp_m1_low, $exp_high));
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
        }

        const ONE: $bits = (1.0 as $type).to_bits();
        const SQRT_HALF: $bits = std::$type::consts::FRAC_1_SQRT_2.to_bits();
        const ONE_ULP_BELOW_TWO: $bits = (1 << $mantissa_bits) - 1;
        const SCALE_UP: $type = (1_u64 << ($mantissa_bits + 2)) as $type;

        const SCALE_DOWN: $type = 1.0 / (1_u128 << $detour) as $type;

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

        /// `(n + MAGIC, e^r - 1)` where `x = n ln 2 + r` and `|r| <= ln 2 / 2`.
        #[inline(always)]
        fn reduced<const FMA: bool>(x: $type) -> ($type, $type) {
            let shifted = fma!(x, std::$type::consts::LOG2_E, MAGIC);
            let n = shifted - MAGIC;
            let r = fma!(-n, $ln2_hi, x);
            let r = fma!(-n, $ln2_lo, r);
            let q = horner!($type, r; $($exp),*);
            (shifted, fma!(r * r, q, r))
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
        detour: 64,
        scaled_low: -125.0,
        exp_m1_low: -25.0,
        exp: [1.982_412_07e-4, 1.393_325_28e-3, 8.333_419_45e-3, 4.166_648_16e-2, 1.666_666_57e-1, 0.5],
        ln: [0.235_816_121, 0.285_373_39, 0.400_003_344, 0.666_666_627],
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
        detour: 100,
        scaled_low: -770.0,
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
            1.666_666_666_666_667_7e-1,
            0.5
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
    }
}
