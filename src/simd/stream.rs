//! Stores that pass the caches by, for what will not be read before it has left them.

#[cfg(target_arch = "x86_64")]
use super::dispatch::Level;
use crate::Real;

/// Bytes of a cache line, the unit of such a store.
const LINE: usize = 64;

/// Copies a slice to another of the same length without reading what it overwrites, where the target has such stores.
///
/// A store past the caches saves the read of the line that an ordinary store fills. Ends that fill no line go the ordinary way.
pub(crate) fn stream<T: Real>(from: &[T], to: &mut [T]) {
    let offset = to.as_ptr().align_offset(LINE).min(to.len());
    let (head, to) = to.split_at_mut(offset);
    let (head_from, from) = from.split_at(offset.min(from.len()));
    head.copy_from_slice(head_from);
    let whole = to.len() / (LINE / size_of::<T>()) * (LINE / size_of::<T>());
    let (lines, tail) = to.split_at_mut(whole);
    let (lines_from, tail_from) = from.split_at(whole.min(from.len()));
    if !lines.is_empty() {
        copy_lines(lines_from, lines);
    }
    tail.copy_from_slice(tail_from);
}

/// Copies whole lines to an aligned place.
#[cfg(target_arch = "x86_64")]
fn copy_lines<T: Real>(from: &[T], to: &mut [T]) {
    let bytes = size_of_val(to);
    assert!(size_of_val(from) == bytes && bytes.is_multiple_of(LINE) && to.as_ptr().addr().is_multiple_of(LINE));
    let (from, to) = (from.as_ptr().cast::<u8>(), to.as_mut_ptr().cast::<u8>());
    if Level::best() == Level::Avx512 {
        // SAFETY: the level has been found; both places hold so many bytes, the second is that of a line.
        unsafe { lines_of_avx512(from, to, bytes) };
    } else {
        // SAFETY: as above.
        unsafe { lines_of_sse2(from, to, bytes) };
    }
    // SAFETY: a fence reads and writes nothing. Streaming stores are only ordered by one, and others may read what was
    // written as soon as this returns.
    unsafe { std::arch::x86_64::_mm_sfence() };
}

/// # Safety
///
/// Both places hold so many bytes, a multiple of a line, and the second is aligned to one.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn lines_of_avx512(from: *const u8, to: *mut u8, bytes: usize) {
    use std::arch::x86_64::{_mm512_loadu_si512, _mm512_stream_si512};
    for at in (0..bytes).step_by(LINE) {
        // SAFETY: the caller answers for the line at this place.
        unsafe { _mm512_stream_si512(to.add(at).cast(), _mm512_loadu_si512(from.add(at).cast())) };
    }
}

/// # Safety
///
/// That of [`lines_of_avx512`].
#[cfg(target_arch = "x86_64")]
unsafe fn lines_of_sse2(from: *const u8, to: *mut u8, bytes: usize) {
    use std::arch::x86_64::{_mm_loadu_si128, _mm_stream_si128};
    for at in (0..bytes).step_by(16) {
        // SAFETY: the caller answers for the line around this place.
        unsafe { _mm_stream_si128(to.add(at).cast(), _mm_loadu_si128(from.add(at).cast())) };
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn copy_lines<T: Real>(from: &[T], to: &mut [T]) {
    to.copy_from_slice(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_arrives_at_every_length_and_alignment() {
        for (start, len) in (0..20).flat_map(|start| [0, 1, 15, 16, 17, 100, 1000].map(|len| (start, len))) {
            let from: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let mut to = vec![-1.0; start + len + 1];
            stream(&from, &mut to[start..start + len]);
            assert_eq!(to[start..start + len], from);
            assert!(to[..start].iter().chain(&to[start + len..]).all(|&x| x == -1.0), "{start}, {len}");
        }
    }
}
