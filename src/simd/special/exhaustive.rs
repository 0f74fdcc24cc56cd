//! Errors of the functions at every `f32` and every level, against the standard library in `f64`: minutes, run by hand.
//!
//! `cargo test --release --lib -- --ignored --nocapture every_f32`

use std::marker::PhantomData;

use rayon::prelude::*;

use crate::math;
use crate::simd::{Kernel, available, run_at};

/// Arguments that are computed at once, and how many such blocks a job holds.
const BLOCK: usize = 1024;
const BLOCKS: usize = 16_384;

/// What is reported where every result is correctly rounded: smaller errors are not told apart.
const ROUNDED: (f64, u32) = (0.5, 0);

/// One function, for single calls and for vector loops.
trait Function: Sync {
    fn single(x: f32) -> f32;
    fn each<const FMA: bool>(x: &[f32], out: &mut [f32]);
    fn exact(x: f64) -> f64;
}

struct Loop<'a, F>(PhantomData<F>, &'a [f32], &'a mut [f32]);

impl<F: Function> Kernel for Loop<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        F::each::<FMA>(self.1, self.2);
    }
}

/// Exact values of a block, the inverse of one ulp of each, and whether all are ordinary numbers.
struct Exact {
    value: Vec<f64>,
    per_ulp: Vec<f64>,
    ordinary: bool,
}

impl Exact {
    fn of<F: Function>(x: &[f32]) -> Self {
        let value: Vec<f64> = x.iter().map(|&x| F::exact(f64::from(x))).collect();
        let least = 1023 - 126;
        let inverse = |x: &f64| f64::from_bits((2 * 1023 + 23 - ((x.to_bits() >> 52) & 0x7ff).max(least)) << 52);
        let ordinary = value.iter().all(|x| x.abs() < f64::from(f32::MAX) && *x != 0.0);
        Self { per_ulp: value.iter().map(inverse).collect(), value, ordinary }
    }

    /// The distance in ulp; none where the exact value is no ordinary number and the result is the same.
    fn error(&self, i: usize, got: f32) -> f64 {
        let rounded = self.value[i] as f32;
        if rounded.is_finite() && self.value[i] != 0.0 {
            let error = (f64::from(got) - self.value[i]).abs() * self.per_ulp[i];
            return if error.is_nan() { f64::INFINITY } else { error };
        }
        let same = got.to_bits() == rounded.to_bits() || (got.is_nan() && rounded.is_nan());
        if same { 0.0 } else { f64::INFINITY }
    }

    /// The largest error and its first place, if it is above `floor`.
    fn worst(&self, got: &[f32], floor: f64) -> Option<(f64, usize)> {
        // Two quick ways, in vector loops, to see that there is none: the errors alone, or results rounded correctly.
        let near = |((&got, value), scale): ((&f32, &f64), &f64)| (f64::from(got) - value).abs() * scale <= floor;
        let alike = |(&got, &value): (&f32, &f64)| {
            (got.to_bits() == (value as f32).to_bits()) | (got.is_nan() & value.is_nan())
        };
        let within: u32 = if self.ordinary {
            got.iter().zip(&self.value).zip(&self.per_ulp).map(|each| u32::from(near(each))).sum()
        } else {
            got.iter().zip(&self.value).map(|each| u32::from(alike(each))).sum()
        };
        if within == got.len() as u32 {
            return None;
        }
        let errors = got.iter().enumerate().map(|(i, &got)| (self.error(i, got), i));
        errors.filter(|next| next.0 > floor).reduce(|worst, next| if next.0 > worst.0 { next } else { worst })
    }
}

/// The largest error of single calls and of loops at each level, with the bits of the argument where it first occurs.
fn worst<F: Function>() -> Vec<(String, f64, u32)> {
    let levels = available();
    let job = |job: usize| {
        let mut worst = vec![ROUNDED; levels.len() + 1];
        let mut out = vec![0.0; BLOCK];
        for block in job * BLOCKS..(job + 1) * BLOCKS {
            let x: Vec<f32> = (0..BLOCK).map(|i| f32::from_bits((block * BLOCK + i) as u32)).collect();
            let exact = Exact::of::<F>(&x);
            for (way, worst) in worst.iter_mut().enumerate() {
                match way.checked_sub(1) {
                    None => out.iter_mut().zip(&x).for_each(|(y, &x)| *y = F::single(x)),
                    Some(level) => run_at(levels[level], Loop::<F>(PhantomData, &x, &mut out)),
                }
                if let Some((error, i)) = exact.worst(&out, worst.0) {
                    *worst = (error, x[i].to_bits());
                }
            }
        }
        worst
    };
    let jobs: Vec<_> = (0..(1 << 32) / (BLOCK * BLOCKS)).into_par_iter().map(job).collect();
    let names = std::iter::once("single".to_owned()).chain(levels.iter().map(|level| format!("{level:?}")));
    let of = |way: usize| jobs.iter().map(|j| j[way]).fold(ROUNDED, |a, b| if b.0 > a.0 { b } else { a });
    names.enumerate().map(|(way, name)| (name, of(way).0, of(way).1)).collect()
}

macro_rules! every_f32 {
    ($($test:ident: $function:ident, $exact:expr, $bound:expr;)*) => {$(
        #[test]
        #[ignore = "takes minutes"]
        fn $test() {
            struct This;

            impl Function for This {
                #[inline(never)]
                fn single(x: f32) -> f32 {
                    math::$function::<f32, false>(x)
                }

                #[inline(always)]
                fn each<const FMA: bool>(x: &[f32], out: &mut [f32]) {
                    for (y, &x) in out.iter_mut().zip(x) {
                        *y = math::$function::<f32, FMA>(x);
                    }
                }

                fn exact(x: f64) -> f64 {
                    $exact(x)
                }
            }

            for (way, error, bits) in worst::<This>() {
                let x = f32::from_bits(bits);
                println!("{} {way:9} {error:.4} ulp at {x:e} ({bits:#010x})", stringify!($function));
                assert!(error <= $bound, "{way} at {x:e}: {error} ulp");
            }
        }
    )*};
}

every_f32! {
    exp_is_within_one_ulp_at_every_f32: exp, f64::exp, 1.0;
    exp_m1_is_within_two_ulp_at_every_f32: exp_m1, f64::exp_m1, 2.0;
    ln_is_within_one_ulp_at_every_f32: ln, f64::ln, 1.0;
    ln_1p_is_within_one_ulp_at_every_f32: ln_1p, f64::ln_1p, 1.0;
    tanh_is_within_one_ulp_at_every_f32: tanh, f64::tanh, 1.0;
}
