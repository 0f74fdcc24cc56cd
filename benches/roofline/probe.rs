//! Plain loops over memory: what a loop can hope for at most.

#![allow(unsafe_code)] // stores past the caches have no safe name

use std::hint::black_box;

use loglik::{Element, Real};

/// What a loop is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// A sum over the array.
    Read,
    /// A product with one, in place.
    ReadWrite,
    /// A copy to another array, past the caches.
    Copy,
}

impl Probe {
    /// In how many ways the loop is written; the fastest counts.
    pub(crate) fn ways(self) -> usize {
        match self {
            Self::Read => 3,
            Self::ReadWrite | Self::Copy => 2,
        }
    }

    /// Bytes moved for each byte of the array.
    pub(crate) fn bytes_per_byte(self) -> usize {
        if self == Self::Read { 1 } else { 2 }
    }
}

/// Runs a way of the plain loop over the bytes of a slice on all threads of the current pool. A way that writes does so to
/// `out`, which is as large.
pub(crate) fn run<E: Element>(probe: Probe, way: usize, values: &[E], out: &mut [f32]) {
    let words = as_words(values);
    let share = words.len().div_ceil(rayon::current_num_threads()).next_multiple_of(16);
    rayon::scope(|scope| {
        if probe == Probe::Read {
            let read = [read::<f32, 16>, read::<f32, 32>, read::<f32, 64>][way];
            return words.chunks(share).for_each(|part| scope.spawn(move |_| _ = black_box(read(part))));
        }
        for (from, to) in words.chunks(share).zip(out.chunks_mut(share)) {
            scope.spawn(move |_| match (probe, way) {
                (Probe::ReadWrite, 0) => write::<16>(to),
                (Probe::ReadWrite, _) => write::<64>(to),
                (_, 0) => copy(from, to),
                _ => to.copy_from_slice(from),
            });
        }
    });
}

/// The memory of a slice as numbers of 32 bits.
fn as_words<E: Element>(values: &[E]) -> &[f32] {
    // SAFETY: elements are plain numbers of a size that divides, or is divided by, four bytes; any bits are an `f32`.
    let (_, words, _) = unsafe { values.align_to::<f32>() };
    words
}

/// `N` chains of additions, side by side.
fn read<T: Real, const N: usize>(values: &[T]) -> T {
    let mut sums = [T::zero(); N];
    for chunk in values.as_chunks::<N>().0 {
        for i in 0..N {
            sums[i] += chunk[i];
        }
    }
    sums.into_iter().sum()
}

fn write<const N: usize>(values: &mut [f32]) {
    let one = black_box(1.0);
    for chunk in values.as_chunks_mut::<N>().0 {
        chunk.iter_mut().for_each(|x| *x *= one);
    }
}

/// Stores whole lines past the caches where the target can.
fn copy(from: &[f32], to: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128};
        let head = to.as_ptr().align_offset(64).min(to.len());
        to[..head].copy_from_slice(&from[..head]);
        let vectors = (to.len() - head) / 4;
        let (source, place) = (from[head..].as_ptr().cast::<__m128i>(), to[head..].as_mut_ptr().cast::<__m128i>());
        for i in 0..vectors {
            // SAFETY: both slices hold `vectors` of four numbers from `head` on, and the place is aligned.
            unsafe { _mm_stream_si128(place.add(i), _mm_loadu_si128(source.add(i))) };
        }
        // SAFETY: a fence, after which the stores are seen by all.
        unsafe { _mm_sfence() };
        to[head + 4 * vectors..].copy_from_slice(&from[head + 4 * vectors..]);
    }
    #[cfg(not(target_arch = "x86_64"))]
    to.copy_from_slice(from);
}
