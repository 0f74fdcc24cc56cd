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
    /// What the target always has: SSE2 on x86-64, NEON on AArch64.
    Portable,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL, on processors of the Ice Lake generation and later.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best level that this machine has.
    #[inline]
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if Self::Avx512.is_available() {
                return Self::Avx512;
            }
            if Self::Avx2.is_available() {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// Whether this machine can run the level. The standard library caches the answer.
    #[cfg(any(test, target_arch = "x86_64"))]
    #[inline]
    pub(crate) fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
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
        _ => kernel.run::<{ cfg!(any(target_arch = "aarch64", target_feature = "fma")) }>(),
    }
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

/// Every level that this machine can run, for tests that force each.
#[cfg(test)]
pub(crate) fn available() -> Vec<Level> {
    let levels = [
        Level::Portable,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512,
    ];
    levels.into_iter().filter(|level| level.is_available()).collect()
}
