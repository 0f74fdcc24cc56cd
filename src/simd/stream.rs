//! Stores that pass the caches by, for what will not be read before it has left them.

#[cfg(target_arch = "x86_64")]
use super::dispatch::Level;
use crate::Real;

/// Bytes of a cache line, the unit of such a store.
const LINE: usize = 64;

/// A slice that is filled from its start by stores past the caches, where the target has them.
///
/// Such a store saves the read of the line that an ordinary one fills. Only when this is dropped may others look at what
/// was written: until then it holds the slice.
pub(crate) struct Stream<'a, T>(&'a mut [T]);

impl<'a, T: Real> Stream<'a, T> {
    /// Nothing is written yet.
    pub(crate) fn over(slice: &'a mut [T]) -> Self {
        Self(slice)
    }

    /// Writes the next elements, as far as there is room. Ends that fill no line go the ordinary way.
    pub(crate) fn push(&mut self, from: &[T]) {
        let (to, rest) = std::mem::take(&mut self.0).split_at_mut_checked(from.len()).unwrap_or_default();
        self.0 = rest;
        let per_line = LINE / size_of::<T>();
        let offset = to.as_ptr().align_offset(LINE).min(to.len());
        let (head, to) = to.split_at_mut(offset);
        let (head_from, from) = from.split_at(offset.min(from.len()));
        let (lines, tail) = to.split_at_mut(to.len() / per_line * per_line);
        let (lines_from, tail_from) = from.split_at(from.len() / per_line * per_line);
        head.copy_from_slice(&head_from[..head.len()]);
        if !lines.is_empty() {
            copy_lines(lines_from, lines);
        }
        tail.copy_from_slice(&tail_from[..tail.len()]);
    }
}

impl<T> Drop for Stream<'_, T> {
    fn drop(&mut self) {
        // SAFETY: a fence reads and writes nothing. Without it others could see what is written later before this.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            std::arch::x86_64::_mm_sfence();
        }
    }
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
    fn what_has_no_room_is_not_written() {
        let mut to = [0.0; 3];
        let mut stream = Stream::over(&mut to);
        stream.push(&[1.0, 2.0]);
        stream.push(&[3.0, 4.0]);
        drop(stream);
        assert_eq!(to, [1.0, 2.0, 0.0]);
    }

    #[test]
    fn every_element_arrives_at_every_length_and_alignment() {
        for (start, len) in (0..20).flat_map(|start| [0, 1, 15, 16, 17, 100, 1000].map(|len| (start, len))) {
            let from: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let mut to = vec![-1.0; start + len + 1];
            let mut stream = Stream::over(&mut to[start..start + len]);
            from.chunks(333).for_each(|part| stream.push(part));
            drop(stream);
            assert_eq!(to[start..start + len], from);
            assert!(to[..start].iter().chain(&to[start + len..]).all(|&x| x == -1.0), "{start}, {len}");
        }
    }
}
