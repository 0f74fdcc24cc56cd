//! Exponentials at the levels of x86, in the instructions of each, with a table of powers where it fits into registers.
//!
//! With `d = shift - x >= 0` and `-d = (k n + j) ln 2 / k - q`, `|q| <= ln 2 / 2k`, it is `e^-d = 2^n 2^(j/k) e^-q`: the more
//! powers `2^(j/k)` a table holds, the shorter is the polynomial for `e^-q`. With `k = 16` degree 3 is enough for `f32` and
//! 6 for `f64`, about half the steps of [`exp_parts_lane`](super::Lanes::exp_parts_lane).

pub(super) mod avx2;
pub(super) mod avx512;
mod formats;

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

/// What all types and levels share, in terms of the names that each file gives to its instructions and constants.
macro_rules! kernels {
    ($features:literal) => {
        /// Elements that one step takes.
        pub(super) const CHUNK: usize = SIDE * LANES;

        /// Adding it rounds to an integer, which then stands in the low bits of the sum.
        const MAGIC: Real = 1.5 * (1_u64 << MANTISSA_BITS) as Real;

        /// The powers, with the scale put in and without what the shifted index brings along.
        static TABLE: [Real; POWERS_HELD] = {
            let mut table = [0.0; POWERS_HELD];
            let mut j = 0;
            while j < POWERS_HELD {
                let scaled = (POWERS[j * (16 / POWERS_HELD)] as Real).to_bits() + (SCALE_BITS << MANTISSA_BITS);
                table[j] = Real::from_bits(scaled - ((j as Bits) << INDEX_SHIFT));
                j += 1;
            }
            table
        };

        /// `k`.
        const K: Real = POWERS_HELD as Real;

        /// Brings an index before the mantissa: what is below `k` stays behind the point of the exponent.
        const INDEX_SHIFT: u32 = MANTISSA_BITS - POWERS_HELD.ilog2();

        /// `(q, p)` where `e^-d = p e^-q SCALE`, for `0 <= d <= LIMIT`. With `EXACT` the reduction has two parts; without,
        /// its error grows with `d` to 3e-9 of it in `f32`, which a sum does not see.
        #[inline]
        #[target_feature(enable = $features)]
        fn reduce<const EXACT: bool>(d: Vector) -> (Vector, Vector) {
            let magic = splat(MAGIC);
            let index = mul_add(d, splat(-K * LOG2_E), magic);
            let n = sub(index, magic);
            let q = if EXACT {
                mul_add(n, splat(LN_2_LOW / K), mul_add(n, splat(LN_2_HIGH / K), d))
            } else {
                mul_add(n, splat(LN_2 / K), d)
            };
            (q, from_bits(add_bits(to_bits(look_up(to_bits(index))), shift_left(to_bits(index)))))
        }

        /// The shift in all lanes, zero without its sign: -0 has the difference -0 to an element of 0, whose bits say that it
        /// is negative, and the element would pass for one above the shift.
        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn splat_shift(shift: Real) -> Vector {
            splat(shift + 0.0)
        }

        /// What a sum over many chunks keeps.
        #[derive(Clone, Copy)]
        pub(super) struct State {
            sums: [Vector; SIDE],
            seen: Seen,
        }

        impl State {
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn new() -> Self {
                Self { sums: [splat(0.0); SIDE], seen: Seen::nothing() }
            }

            /// Adds `e^(x - shift)` where `x` is not above the shift.
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn add(&mut self, x: [Vector; SIDE], shift: Vector) {
                for i in 0..SIDE {
                    let d = sub(shift, x[i]);
                    self.seen.see(d);
                    let (q, power) = reduce::<EXACT_SUMS>(within_limit(d));
                    self.sums[i] = add_scaled(self.sums[i], power, q);
                }
            }

            /// The sum, and whether no element was above the shift or NaN.
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn result(self) -> (Real, bool) {
                (total(self.sums) * Real::SCALE, self.seen.are_below())
            }
        }

        /// The sum of all numbers of some vectors.
        #[inline]
        #[target_feature(enable = $features)]
        fn total(mut sums: [Vector; SIDE]) -> Real {
            let mut width = SIDE;
            while width > 1 {
                width /= 2;
                for i in 0..width {
                    sums[i] = add(sums[i], sums[i + width]);
                }
            }
            reduce_add(sums[0])
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn read(chunk: &[Real; CHUNK]) -> [Vector; SIDE] {
            let mut x = [splat(0.0); SIDE]; // a loop, for `from_fn` and `map` need not be inlined
            for (i, x) in x.iter_mut().enumerate() {
                // SAFETY: the chunk holds SIDE vectors; loads need no alignment.
                *x = unsafe { load(chunk.as_ptr().add(i * LANES)) };
            }
            x
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn write(chunk: &mut [Real; CHUNK], x: [Vector; SIDE]) {
            for (i, &x) in x.iter().enumerate() {
                // SAFETY: the chunk holds SIDE vectors; stores need no alignment.
                unsafe { store(chunk.as_mut_ptr().add(i * LANES), x) };
            }
        }

        /// Writes the first elements of a chunk.
        #[inline]
        #[target_feature(enable = $features)]
        fn write_part(rest: &mut [Real], x: [Vector; SIDE]) {
            let mut chunk = [0.0; CHUNK];
            write(&mut chunk, x);
            rest.copy_from_slice(&chunk[..rest.len()]);
        }

        /// See [`Exponentials::top`](crate::simd::Exponentials::top).
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn top(block: &[Real]) -> (Real, bool) {
            let (mut tops, mut nan) = ([splat(Real::NEG_INFINITY); SIDE], 0);
            let mut see = |x: [Vector; SIDE]| {
                for i in 0..SIDE {
                    tops[i] = max(x[i], tops[i]); // the second where one is NaN
                }
                for pair in x.as_chunks::<2>().0 {
                    nan |= compare::<_CMP_UNORD_Q>(pair[0], pair[1]);
                }
            };
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            for chunk in chunks {
                see(read(chunk));
            }
            if !rest.is_empty() {
                see(read(&filled(rest)));
            }
            for i in 1..SIDE {
                tops[0] = max(tops[i], tops[0]);
            }
            (reduce_top(tops[0]), nan == 0)
        }

        /// See [`Exponentials::above`](crate::simd::Exponentials::above).
        #[target_feature(enable = $features)]
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
        #[target_feature(enable = $features)]
        fn collect(chunk: &[Real; CHUNK], bound: Real, found: &mut [Real], mut count: usize) -> usize {
            let (vectors, mut masks) = (read(chunk), 0);
            for &x in &vectors {
                masks |= compare::<_CMP_NLE_UQ>(x, splat(bound));
            }
            if masks == 0 {
                return count;
            }
            for (i, &x) in vectors.iter().enumerate() {
                let mut mask = compare::<_CMP_NLE_UQ>(x, splat(bound));
                while mask != 0 {
                    let x = chunk[i * LANES + mask.trailing_zeros() as usize];
                    found.get_mut(count).into_iter().for_each(|to| *to = x);
                    count += 1;
                    mask &= mask - 1;
                }
            }
            count
        }

        /// See [`Exponentials::place`](crate::simd::Exponentials::place).
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn place(block: &[Real], x: Real) -> usize {
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            let mut start = 0;
            for chunk in chunks {
                let mut found = 0;
                for v in &read(chunk) {
                    found |= compare::<_CMP_EQ_OQ>(*v, splat(x));
                }
                if found != 0 {
                    return start + chunk.iter().position(|&v| v == x).unwrap_or(0);
                }
                start += CHUNK;
            }
            start + rest.iter().position(|&v| v == x).unwrap_or(rest.len())
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

        /// See [`Exponentials::sum_below`](crate::simd::Exponentials::sum_below).
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn sum_below(block: &[Real], shift: Real) -> (Real, bool) {
            let (mut state, shift) = (State::new(), splat_shift(shift));
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

        /// Adds `e^(x - shift)` to the sums and returns it, unless an element is above the shift or NaN.
        #[inline]
        #[target_feature(enable = $features)]
        fn exponentials(x: [Vector; SIDE], shift: Vector, sums: &mut [Vector; SIDE]) -> Option<[Vector; SIDE]> {
            let (mut d, mut seen) = (x, Seen::nothing());
            for d in &mut d {
                *d = sub(shift, *d);
                seen.see(*d);
            }
            if !seen.are_below() {
                return None;
            }
            let mut results = d;
            for i in 0..SIDE {
                let (q, power) = reduce::<true>(within_limit(d[i]));
                let scaled = scaled(power, q);
                sums[i] = add(sums[i], scaled);
                results[i] = mul(scaled, splat(Real::SCALE));
            }
            Some(results)
        }

        /// See [`Exponentials::exp_below`](crate::simd::Exponentials::exp_below).
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn exp_below(block: &mut [Real], shift: Real) -> (Real, usize) {
            let (mut sums, shift) = ([splat(0.0); SIDE], splat_shift(shift));
            let (chunks, rest) = block.as_chunks_mut::<CHUNK>();
            let mut done = 0;
            for chunk in &mut *chunks {
                fetch_page_ahead(chunk);
                let Some(results) = exponentials(read(chunk), shift, &mut sums) else { break };
                write(chunk, results);
                done += CHUNK;
            }
            if done == chunks.len() * CHUNK
                && !rest.is_empty()
                && let Some(results) = exponentials(read(&filled(rest)), shift, &mut sums)
            {
                write_part(rest, results);
                done += rest.len();
            }
            (total(sums) * Real::SCALE, done)
        }

        /// See [`Exponentials::exp_below_into`](crate::simd::Exponentials::exp_below_into).
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn exp_below_into(block: &[Real], shift: Real, to: &mut [Real]) -> (Real, usize) {
            let (mut sums, shift) = ([splat(0.0); SIDE], splat_shift(shift));
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            let (places, rest_place) = to[..block.len()].as_chunks_mut::<CHUNK>();
            let mut done = 0;
            for (chunk, place) in chunks.iter().zip(places) {
                fetch_page_ahead(chunk);
                let Some(results) = exponentials(read(chunk), shift, &mut sums) else { break };
                write(place, results);
                done += CHUNK;
            }
            if done == chunks.len() * CHUNK
                && !rest.is_empty()
                && let Some(results) = exponentials(read(&filled(rest)), shift, &mut sums)
            {
                write_part(rest_place, results);
                done += rest.len();
            }
            (total(sums) * Real::SCALE, done)
        }

        /// See [`Exponentials::scale_exp`](crate::simd::Exponentials::scale_exp).
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn scale_exp(block: &mut [Real], shift: Real, scale: Real) {
            let (shift, scale) = (splat(shift), splat(scale));
            let (chunks, rest) = block.as_chunks_mut::<CHUNK>();
            for chunk in chunks {
                write(chunk, scaled_exponentials(read(chunk), shift, scale));
            }
            if !rest.is_empty() {
                write_part(rest, scaled_exponentials(read(&filled(rest)), shift, scale));
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn scaled_exponentials(mut x: [Vector; SIDE], shift: Vector, scale: Vector) -> [Vector; SIDE] {
            for x in &mut x {
                let (q, power) = reduce::<true>(at_most_limit(sub(shift, *x)));
                *x = mul(mul(scaled(power, q), splat(Real::SCALE)), scale);
            }
            x
        }

        /// See [`Exponentials::sum_moment`](crate::simd::Exponentials::sum_moment).
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn sum_moment(block: &[Real], shift: Real) -> (Real, Real) {
            let (mut sums, mut moments) = ([splat(0.0); SIDE], [splat(0.0); SIDE]);
            let shift = splat(shift);
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            for chunk in chunks {
                fetch_ahead(chunk);
                add_moments(read(chunk), shift, &mut sums, &mut moments);
            }
            if !rest.is_empty() {
                add_moments(read(&filled(rest)), shift, &mut sums, &mut moments);
            }
            (total(sums) * Real::SCALE, total(moments) * Real::SCALE)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add_moments(x: [Vector; SIDE], shift: Vector, sums: &mut [Vector; SIDE], moments: &mut [Vector; SIDE]) {
            for i in 0..SIDE {
                let d = at_most_limit(sub(shift, x[i]));
                let (q, power) = reduce::<EXACT_SUMS>(d);
                let term = scaled(power, q);
                sums[i] = add(sums[i], term);
                moments[i] = neg_mul_add(d, term, moments[i]);
            }
        }

        /// Brings what is large to the limit. NaN stays: of it and a number `min` takes the second.
        #[inline]
        #[target_feature(enable = $features)]
        fn at_most_limit(d: Vector) -> Vector {
            min(splat(LIMIT), d)
        }
    };
}
use kernels;

/// The sum over elements of half precision that `read` widens, a chunk at a time.
#[cfg(feature = "half")]
macro_rules! half_sum {
    ($features:literal, $name:ident, $type:ident, $read:ident) => {
        /// See [`Exponentials::sum_below`](crate::simd::Exponentials::sum_below).
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn $name(block: &[$type], shift: f32) -> (f32, bool) {
            let (mut state, shift) = (State::new(), splat_shift(shift));
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            for chunk in chunks {
                fetch_ahead(chunk);
                state.add($read(chunk), shift);
            }
            if !rest.is_empty() {
                let mut last = [$type::NEG_INFINITY; CHUNK];
                last[..rest.len()].copy_from_slice(rest);
                state.add($read(&last), shift);
            }
            state.result()
        }
    };
}
#[cfg(feature = "half")]
use half_sum;

/// `Seen` and `within_limit` where bits have an unsigned maximum; the file says with `exceed_infinity` whether some do.
macro_rules! seen_by_bits {
    ($features:literal) => {
        /// What [`State`] remembers of the numbers that it has seen. The bits of numbers that are not negative are ordered as
        /// the numbers are: an unsigned maximum over all bits tells in the end whether one was negative or NaN.
        #[derive(Clone, Copy)]
        struct Seen(Integer);

        impl Seen {
            #[inline]
            #[target_feature(enable = $features)]
            fn nothing() -> Self {
                Self(splat_bits(0))
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn see(&mut self, d: Vector) {
                self.0 = max_bits(self.0, to_bits(d));
            }

            /// Whether no number was negative or NaN.
            #[inline]
            #[target_feature(enable = $features)]
            fn are_below(self) -> bool {
                !exceed_infinity(self.0)
            }
        }

        /// Brings what is large, negative or NaN to the limit.
        #[inline]
        #[target_feature(enable = $features)]
        fn within_limit(d: Vector) -> Vector {
            from_bits(min_bits(to_bits(d), splat_bits(LIMIT.to_bits() as _)))
        }
    };
}
use seen_by_bits;
