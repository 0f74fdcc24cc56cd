//! `exp`, `expm1`, `ln` and `tanh` without branches, so that loops over them vectorize.
//!
//! Argument reduction by `ln 2` in two parts (Cody and Waite 1980), then a polynomial. The logarithm of a mantissa
//! `m = 1 + f` in `[√½, √2)` is a polynomial in `f` in `f32` and the classical `2 atanh(f / (2 + f))` in `f64`. Where
//! one rounding would be one too many, a number is held as a rounded sum and what the rounding took (Dekker 1971).
//! Special values equal those of the standard library. Error bounds are stated on the public functions in
//! [`crate::math`].

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

/// The same polynomial by pairs of coefficients, with `$square` the square of `$x`: half the steps that wait for one
/// another, for one product more.
macro_rules! paired {
    ($type:ident, $x:expr, $square:expr; $first:expr $(, $a:expr, $b:expr)*) => {{
        let p: $type = $first;
        $(let p = fma!(p, $square, fma!($x, $a, $b));)*
        p
    }};
    ($type:ident, $x:expr, $square:expr; $first:expr, $second:expr $(, $a:expr, $b:expr)*) => {{
        let p: $type = fma!($x, $first, $second);
        $(let p = fma!(p, $square, fma!($x, $a, $b));)*
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
                let square = r * r;
                let rise = fma!(square, paired!($type, r, square; $($exp_short),*, 0.5), r);
                (1.0 + rise, $type::from_bits(shifted.to_bits() << $mantissa_bits))
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
            fn exp_steps_lane<const FMA: bool>(self) -> (Self, Self, Self) {
                const MAGIC_BIASED: $type = MAGIC + ($bias + $scale_bits) as $type;
                let (shifted, r) = reduced::<FMA>(if self < $parts_low { $parts_low } else { self }, MAGIC_BIASED);
                let square = r * r;
                let rest = square * horner!($type, r; $($exp),*, 0.5);
                let rise = rest + r;
                let scaled = $type::from_bits(shifted.to_bits() << $mantissa_bits);
                let power = scaled * SCALE_DOWN;
                let fall = fma!(power, rise, power - 1.0);
                // Within half of `ln 2` of zero the series itself starts with the square.
                let excess = if shifted == MAGIC_BIASED { rest } else { fall - self };
                ((1.0 + rise) * scaled * SCALE_DOWN, fall, excess)
            }

            #[inline(always)]
            fn ln_lane<const FMA: bool>(self) -> Self {
                // Subnormals are scaled up first; their exponent field holds nothing.
                let tiny = self < $type::MIN_POSITIVE;
                let (exponent, f, _) = split(if tiny { self * SCALE_UP } else { self });
                let exponent = exponent - if tiny { $mantissa_bits as $type + 2.0 } else { 0.0 };
                within_domain(self, log::<FMA>(exponent, f))
            }

            #[inline(always)]
            fn ln_1p_lane<const FMA: bool>(self) -> Self {
                let sum = 1.0 + self;
                let (exponent, f, inverse) = split(sum);
                // What the addition lost is exact, and is put back where the mantissa has its scale.
                let lost = (self - (sum - 1.0)) * inverse;
                let lost = if sum < SCALE_UP { lost } else { 0.0 };
                within_domain(sum, log_of_sum::<FMA>(exponent, f, lost)).copysign(self)
            }

            #[inline(always)]
            fn ln_1p_near_lane<const FMA: bool>(self) -> Self {
                let s = self / (2.0 + self);
                let z = s * s;
                let r = z * paired!($type, z, z * z; $($ln_wide),*);
                fma!(-s, self - r, self) // 2 s + s r, without the rounding errors of 2 s
            }

            #[inline(always)]
            fn ln_1p_deficit_lane<const FMA: bool>(self) -> Self {
                let sum = 1.0 + self;
                let (exponent, f, inverse) = split(sum);
                // What the addition lost, as in `ln_1p_lane`; without a power of two the number itself is the mantissa's.
                let lost = (self - (sum - 1.0)) * inverse;
                let f = if exponent == 0.0 { self } else { f + if sum < SCALE_UP { lost } else { 0.0 } };
                let square = 0.5 * f * f;
                let bend = square - log_rest::<FMA>(f, square); // f - ln(1 + f)
                let far = self - fma!(exponent, $ln2_hi, fma!(exponent, $ln2_lo, f - bend));
                let deficit = if exponent == 0.0 { bend } else { far };
                let deficit = if sum == 0.0 || self == $type::INFINITY { $type::INFINITY } else { deficit };
                if sum >= 0.0 { deficit } else { $type::NAN }
            }

            #[inline(always)]
            fn tanh_slope_lane<const FMA: bool>(self) -> (Self, Self) {
                let x = -2.0 * self.abs();
                let (n, near, tail) = exp_m1_in_parts::<FMA>(if x < $exp_low - 2.0 { $exp_low - 2.0 } else { x });
                let scaled_up = power_of_two(n, $scale_bits);
                let power = scaled_up * SCALE_DOWN;
                // e^x - 1 = t + t_lost, and then e^x + 1 = d + d_lost.
                let base = power - 1.0;
                let scaled = power * near;
                let sum = base + scaled;
                let lost = fma!(power, tail, (scaled - (sum - base)) + (power - (base + 1.0)));
                let t = sum + lost;
                let t_lost = lost - (t - sum);
                let d = 2.0 + t;
                let d_lost = (t - (d - 2.0)) + t_lost;
                // The quotient to half its digits, whose product with half the divisor's digits is exact, then the rest.
                let inverse = 1.0 / d;
                let (d, d_rest) = (upper_half(d), (d - upper_half(d)) + d_lost);
                let q = upper_half(-t * inverse);
                let rest = (-t - q * d) - fma!(q, d_rest, t_lost);
                let tanh = fma!(rest, inverse, q).copysign(self);
                let mantissa = 1.0 + (near + tail);
                let e = mantissa * power;
                let slope = mantissa / fma!(e, 2.0 + e, 1.0) * scaled_up * (4.0 * SCALE_DOWN);
                (tanh, slope)
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

        /// `(k, f, 2^-k)` where `x = 2^k (1 + f)`, the mantissa `1 + f` in `[√½, √2)`.
        #[inline(always)]
        fn split(x: $type) -> ($type, $type, $type) {
            let shifted = x.to_bits().wrapping_add(ONE - SQRT_HALF);
            let mantissa = $type::from_bits((shifted & ONE_ULP_BELOW_TWO) + SQRT_HALF);
            let inverse = $type::from_bits((2 * ONE).wrapping_sub(shifted & !ONE_ULP_BELOW_TWO));
            (float(shifted >> $mantissa_bits) - $bias as $type, mantissa - 1.0, inverse)
        }

        /// The first half of a number's digits.
        #[inline(always)]
        fn upper_half(x: $type) -> $type {
            $type::from_bits(x.to_bits() & ($bits::MAX << (($mantissa_bits + 2) / 2)))
        }

        /// `k ln 2 + ln(1 + f)`.
        #[inline(always)]
        fn log<const FMA: bool>(k: $type, f: $type) -> $type {
            let square = 0.5 * f * f;
            let small = fma!(k, $ln2_lo, log_rest::<FMA>(f, square)) - square + f;
            fma!(k, $ln2_hi, small)
        }

        /// `k ln 2 + ln(1 + f + g)` where `g` is less than the last digit of `f`, with one rounding that matters.
        #[inline(always)]
        fn log_of_sum<const FMA: bool>(k: $type, f: $type, g: $type) -> $type {
            let sum = f + g;
            let (f, g) = (sum, g - (sum - f));
            let power = k * $ln2_hi; // exact
            let top = power + f;
            let lost = f - (top - power);
            let square = 0.5 * f * f;
            let small = fma!(k, $ln2_lo, log_rest::<FMA>(f, square)) - square;
            top + (small + (lost + fma!(-g, f, g)))
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

        /// `(n + MAGIC, r_0, p)` where `e^r - 1 = r_0 + p`: `r_0` is exact and `p` below a fifth of it.
        #[inline(always)]
        fn exp_m1_in_parts<const FMA: bool>(x: $type) -> ($type, $type, $type) {
            let shifted = fma!(x, std::$type::consts::LOG2_E, MAGIC);
            let n = shifted - MAGIC;
            let near = fma!(-n, $ln2_hi, x);
            let far = n * $ln2_lo;
            let r = near - far;
            let q = horner!($type, r; $($exp),*, 0.5);
            (shifted, near, fma!(r * r, q, -far))
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

mod contract;
mod double;
#[cfg(test)]
mod exhaustive;
mod single;
#[cfg(test)]
mod tests;

pub(crate) use contract::Lanes;
