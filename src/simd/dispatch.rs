//! Run-time choice of the instruction set.

/// A computation whose body is compiled for every instruction set.
pub(crate) trait Kernel {
    /// What it computes.
    type Output;

    /// The body. Mark it `#[inline(always)]`: it takes on the features of the function that it is inlined into.
    ///
    /// `FMA` says whether a fused multiply-add is one instruction here; without it `mul_add` is a slow library call.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// The instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// What the target always has, without fused multiply-add unless the whole build has it: SSE2 on x86-64.
    Portable,
    /// NEON with its fused multiply-add, which every 64-bit ARM has.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL, on processors of the Ice Lake generation and later.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// Every level of this target, the best last.
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[
        Self::Portable,
        #[cfg(target_arch = "aarch64")]
        Self::Neon,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
    ];

    /// The best level that this machine has: a few loads and tests, so ask as often as you like.
    #[inline]
    pub(crate) fn best() -> Self {
        #[cfg(test)]
        if let Some(level) = FORCED.get() {
            return level;
        }
        #[cfg(target_arch = "x86_64")]
        {
            if Self::Avx512.is_available() {
                return Self::Avx512;
            }
            if Self::Avx2.is_available() {
                return Self::Avx2;
            }
        }
        #[cfg(target_arch = "aarch64")]
        if Self::Neon.is_available() {
            return Self::Neon;
        }
        Self::Portable
    }

    /// Whether this machine can run the level. The standard library caches the answer.
    #[cfg(any(test, target_arch = "x86_64", target_arch = "aarch64"))]
    #[inline]
    pub(crate) fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            // VBMI2 keeps out the generation before Ice Lake, whose clock falls under 512-bit code.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vbmi2")
                    && is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
            }
        }
    }
}

/// Runs the kernel at the best level of this machine.
#[inline]
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    run_at(Level::best(), kernel)
}

/// Runs the kernel at this level, or at the portable one where the machine lacks it.
#[inline]
pub(crate) fn run_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the guard has found every feature that `avx512` enables.
        Level::Avx512 if level.is_available() => unsafe { avx512(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the guard has found every feature that `avx2` enables.
        Level::Avx2 if level.is_available() => unsafe { avx2(kernel) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the guard has found the feature that `neon` enables.
        Level::Neon if level.is_available() => unsafe { neon(kernel) },
        _ => portable(kernel),
    }
}

/// Not inlined, as the others can't be: else its code would be optimized again in everything that dispatches to it.
#[inline(never)]
fn portable<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<{ cfg!(target_feature = "fma") }>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn neon<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(test)]
thread_local! {
    /// What [`with_level`] makes the best level.
    static FORCED: std::cell::Cell<Option<Level>> = const { std::cell::Cell::new(None) };
}

/// Runs `f` as on a machine whose best level is this one, which it must have. It holds for this thread alone: what goes
/// to others must not be large.
#[cfg(test)]
pub(crate) fn with_level<R>(level: Level, f: impl FnOnce() -> R) -> R {
    assert!(level.is_available(), "{level:?}");
    let before = FORCED.replace(Some(level));
    let result = f();
    FORCED.set(before);
    result
}

/// Every level that this machine can run, for tests that force each.
#[cfg(test)]
pub(crate) fn available() -> Vec<Level> {
    Level::ALL.iter().copied().filter(|level| level.is_available()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says how it was compiled, and what `x x - 1` leaves of the square's second half.
    struct Probe(f64);

    impl Kernel for Probe {
        type Output = (bool, f64);

        #[inline(always)]
        fn run<const FMA: bool>(self) -> (bool, f64) {
            let square = self.0 * self.0;
            (FMA, if FMA { self.0.mul_add(self.0, -square) } else { self.0 * self.0 - square })
        }
    }

    /// The level runs as it says where the machine has it, and the portable code takes its place elsewhere.
    fn check(level: Level, fused: bool) {
        let x = 1.0 + f64::EPSILON; // x x = 1 + 2 ε + ε²: the last term falls to rounding
        let lost = if fused { f64::EPSILON * f64::EPSILON } else { 0.0 };
        let portable = run_at(Level::Portable, Probe(x));
        let expected = if level.is_available() { (fused, lost) } else { portable };
        assert_eq!(run_at(level, Probe(x)), expected, "{level:?}");
        assert!(Level::ALL.contains(&level));
    }

    #[test]
    fn portable_runs_everywhere_and_fuses_only_where_the_build_does() {
        assert!(Level::Portable.is_available());
        check(Level::Portable, cfg!(target_feature = "fma"));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_runs_fused_where_the_machine_has_it() {
        check(Level::Avx2, true);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx512_runs_fused_where_the_machine_has_it() {
        check(Level::Avx512, true);
        assert!(!Level::Avx512.is_available() || Level::Avx2.is_available(), "512 bits without 256");
    }

    #[cfg(target_arch = "aarch64")]
    #[test]
    fn neon_runs_fused_on_every_machine() {
        assert!(Level::Neon.is_available());
        check(Level::Neon, true);
    }

    #[test]
    fn a_forced_level_is_the_best_until_its_end() {
        for level in available() {
            assert_eq!(with_level(level, || (Level::best(), dispatch(Probe(1.5)))), (level, run_at(level, Probe(1.5))));
        }
        assert_eq!(available().last(), Some(&Level::best()));
    }

    #[test]
    fn the_best_level_is_the_last_of_those_that_the_machine_has() {
        assert_eq!(available().last(), Some(&Level::best()));
        assert_eq!(dispatch(Probe(1.0)), run_at(Level::best(), Probe(1.0)));
    }
}
