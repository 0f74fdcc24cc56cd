//! Exponentials at the AVX-512 level, where a table of sixteen powers fits into registers.
//!
//! With `d = shift - x >= 0` and `-d = (16 n + j) ln 2 / 16 - q`, `|q| <= ln 2 / 32`, it is `e^-d = 2^n 2^(j/16) e^-q`, so that
//! a polynomial of degree 3 (`f32`) or 6 (`f64`) is enough: about half the steps of
//! [`exp_parts_lane`](super::Lanes::exp_parts_lane). The bits of numbers that are not negative are ordered as the numbers
//! are: one unsigned minimum brings +inf into range, and one unsigned maximum over all bits tells in the end whether some
//! `d` was negative or NaN.

pub(super) mod double;
#[cfg(feature = "half")]
mod half;
pub(super) mod single;

#[cfg(feature = "half")]
pub(super) use half::{sum_below_bf16, sum_below_f16};

/// Vectors that are worked on side by side, which hides the latency of each.
const SIDE: usize = 4;

/// `2^(j / 16)`.
const POWERS: [f64; 16] = [
    1.0,
    1.044_273_782_427_413_8,
    1.090_507_732_665_257_7,
    1.138_788_634_756_691_7,
    1.189_207_115_002_721,
    1.241_857_812_073_484,
    1.296_839_554_651_009_7,
    1.354_255_546_936_892_7,
    std::f64::consts::SQRT_2,
    1.476_826_145_939_499_3,
    1.542_210_825_407_940_8,
    1.610_490_331_949_254_3,
    1.681_792_830_507_429,
    1.756_252_160_373_299_5,
    1.834_008_086_409_342_5,
    1.915_206_561_397_147_3,
];

/// What [`single`] and [`double`] share, in terms of the names that each gives to its instructions and constants.
macro_rules! kernels {
    () => {
        /// Elements that one step takes.
        pub(super) const CHUNK: usize = SIDE * LANES;

        /// Adding it rounds to an integer, which then stands in the low bits of the sum.
        const MAGIC: Real = 1.5 * (1_u64 << MANTISSA_BITS) as Real;

        /// The powers, with the scale put in and without what the shifted index brings along.
        static TABLE: [Real; 16] = {
            let mut table = [0.0; 16];
            let mut j = 0;
            while j < 16 {
                let scaled = (POWERS[j] as Real).to_bits() + (SCALE_BITS << MANTISSA_BITS);
                table[j] = Real::from_bits(scaled - ((j as Bits) << (MANTISSA_BITS - 4)));
                j += 1;
            }
            table
        };

        /// `(q, p)` where `e^-d = p e^-q SCALE`, for `0 <= d <= LIMIT`. With `EXACT` the reduction has two parts; without,
        /// its error grows with `d` to 3e-9 of it in `f32`, which a sum does not see.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn reduce<const EXACT: bool>(d: Vector) -> (Vector, Vector) {
            let magic = splat(MAGIC);
            let index = mul_add(d, splat(-16.0 * LOG2_E), magic);
            let n = sub(index, magic);
            let q = if EXACT {
                mul_add(n, splat(LN_2_LOW / 16.0), mul_add(n, splat(LN_2_HIGH / 16.0), d))
            } else {
                mul_add(n, splat(LN_2 / 16.0), d)
            };
            (q, from_bits(add_bits(to_bits(look_up(to_bits(index))), shift_left(to_bits(index)))))
        }

        /// What a sum over many chunks keeps.
        #[derive(Clone, Copy)]
        pub(super) struct State {
            sums: [Vector; SIDE],
            seen: [Integer; SIDE],
        }

        impl State {
            #[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            pub(super) fn new() -> Self {
                Self { sums: [splat(0.0); SIDE], seen: [splat_bits(0); SIDE] }
            }

            /// Adds `e^(x - shift)` where `x` is not above the shift.
            #[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            pub(super) fn add(&mut self, x: [Vector; SIDE], shift: Vector) {
                for i in 0..SIDE {
                    let d = to_bits(sub(shift, x[i]));
                    self.seen[i] = max_bits(self.seen[i], d);
                    let d = from_bits(min_bits(d, splat_bits(LIMIT.to_bits() as _)));
                    let (q, power) = reduce::<EXACT_SUMS>(d);
                    self.sums[i] = mul_add(neg_mul_add(q, slope(q), splat(1.0)), power, self.sums[i]);
                }
            }

            /// The sum, and whether no element was above the shift or NaN.
            #[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            pub(super) fn result(self) -> (Real, bool) {
                let [a, b, c, d] = self.sums;
                let sum = reduce_add(add(add(a, b), add(c, d)));
                let [a, b, c, d] = self.seen;
                let seen = reduce_max(max_bits(max_bits(a, b), max_bits(c, d)));
                (sum * Real::SCALE, seen <= Real::INFINITY.to_bits())
            }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn read(chunk: &[Real; CHUNK]) -> [Vector; SIDE] {
            // SAFETY: the chunk holds SIDE vectors; loads need no alignment.
            std::array::from_fn(|i| unsafe { load(chunk.as_ptr().add(i * LANES)) })
        }

        /// See [`Exponentials::top`](super::super::Exponentials::top).
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        pub(in crate::simd) fn top(block: &[Real]) -> (Real, bool) {
            let (mut tops, mut nan) = ([splat(Real::NEG_INFINITY); SIDE], 0);
            let mut see = |x: [Vector; SIDE]| {
                for i in 0..SIDE {
                    tops[i] = max(x[i], tops[i]); // the second where one is NaN
                }
                nan |= compare::<_CMP_UNORD_Q>(x[0], x[1]) | compare::<_CMP_UNORD_Q>(x[2], x[3]);
            };
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            for chunk in chunks {
                see(read(chunk));
            }
            if !rest.is_empty() {
                see(read(&filled(rest)));
            }
            let [a, b, c, d] = tops;
            (reduce_top(max(max(a, b), max(c, d))), nan == 0)
        }

        /// See [`Exponentials::above`](super::super::Exponentials::above).
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        pub(in crate::simd) fn above(block: &[Real], bound: Real, found: &mut [Real]) -> usize {
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            let mut count = 0;
            for chunk in chunks {
                count = collect(chunk, bound, found, count);
            }
            if !rest.is_empty() {
                count = collect(&filled(rest), bound, found, count);
            }
            count
        }

        /// Puts what is not at most `bound` into the places from `count` on, and counts on.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn collect(chunk: &[Real; CHUNK], bound: Real, found: &mut [Real], mut count: usize) -> usize {
            let [a, b, c, d] = read(chunk).map(|x| compare::<_CMP_NLE_UQ>(x, splat(bound)));
            if a | b | c | d == 0 {
                return count;
            }
            for (start, mut mask) in (0..).step_by(LANES).zip([a, b, c, d]) {
                while mask != 0 {
                    let x = chunk[start + mask.trailing_zeros() as usize];
                    found.get_mut(count).into_iter().for_each(|to| *to = x);
                    count += 1;
                    mask &= mask - 1;
                }
            }
            count
        }

        /// See [`Exponentials::place`](super::super::Exponentials::place).
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        pub(in crate::simd) fn place(block: &[Real], x: Real) -> usize {
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            let mut start = 0;
            for chunk in chunks {
                let [a, b, c, d] = read(chunk).map(|v| compare::<_CMP_EQ_OQ>(v, splat(x)));
                if a | b | c | d != 0 {
                    return start + chunk.iter().position(|&v| v == x).unwrap_or(0);
                }
                start += CHUNK;
            }
            start + rest.iter().position(|&v| v == x).unwrap_or(0)
        }

        /// A chunk that is cut short, filled up with -inf.
        #[inline]
        fn filled(elements: &[Real]) -> [Real; CHUNK] {
            match elements.try_into() {
                Ok(chunk) => chunk,
                Err(_) => {
                    let mut chunk = [Real::NEG_INFINITY; CHUNK];
                    chunk[..elements.len()].copy_from_slice(elements);
                    chunk
                }
            }
        }

        /// See [`Exponentials::sum_below`](super::super::Exponentials::sum_below).
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        pub(in crate::simd) fn sum_below(block: &[Real], shift: Real) -> (Real, bool) {
            let (mut state, shift) = (State::new(), splat(shift));
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            for chunk in chunks {
                fetch_ahead(chunk);
                state.add(read(chunk), shift);
            }
            if !rest.is_empty() {
                state.add(read(&filled(rest)), shift);
            }
            state.result()
        }

        /// Replaces the elements of a chunk and adds what they become to the sums, unless one is above the shift or NaN.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn replace(chunk: &mut [Real; CHUNK], shift: Vector, sums: &mut [Vector; SIDE]) -> bool {
            let d = read(chunk).map(|x| to_bits(sub(shift, x)));
            let seen = max_bits(max_bits(d[0], d[1]), max_bits(d[2], d[3]));
            if is_larger(seen, splat_bits(Real::INFINITY.to_bits() as _)) != 0 {
                return false;
            }
            for i in 0..SIDE {
                let (q, power) = reduce::<true>(from_bits(min_bits(d[i], splat_bits(LIMIT.to_bits() as _))));
                let scaled = neg_mul_add(mul(q, slope(q)), power, power); // one rounding after that of the table
                sums[i] = add(sums[i], scaled);
                // SAFETY: the chunk holds SIDE vectors; stores need no alignment.
                unsafe { store(chunk.as_mut_ptr().add(i * LANES), mul(scaled, splat(Real::SCALE))) };
            }
            true
        }

        /// See [`Exponentials::exp_below`](super::super::Exponentials::exp_below).
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        pub(in crate::simd) fn exp_below(block: &mut [Real], shift: Real) -> (Real, usize) {
            let (mut sums, shift) = ([splat(0.0); SIDE], splat(shift));
            let (chunks, rest) = block.as_chunks_mut::<CHUNK>();
            let mut done = 0;
            for chunk in &mut *chunks {
                fetch_page_ahead(chunk);
                if !replace(chunk, shift, &mut sums) {
                    break;
                }
                done += CHUNK;
            }
            if done == chunks.len() * CHUNK && !rest.is_empty() {
                let mut last = filled(rest);
                if replace(&mut last, shift, &mut sums) {
                    rest.copy_from_slice(&last[..rest.len()]);
                    done += rest.len();
                }
            }
            let [a, b, c, d] = sums;
            (reduce_add(add(add(a, b), add(c, d))) * Real::SCALE, done)
        }
    };
}
use kernels;
