//! Asking for memory before it is needed.

/// Bytes of a page, at whose end the hardware stops to prefetch ahead.
#[cfg(target_arch = "x86_64")]
const PAGE: usize = 4096;

/// Bytes of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Lines at the start of a page that set the hardware going again.
#[cfg(target_arch = "x86_64")]
const LINES: usize = 4;

/// Asks for the beginning of the next page where a chunk is the first of its own. Within a page the hardware follows a
/// stream by itself, and to ask for every line takes more time than it saves.
#[inline(always)]
pub(super) fn fetch_ahead<T, const N: usize>(chunk: &[T; N]) {
    #[cfg(target_arch = "x86_64")]
    if chunk.as_ptr().addr() % PAGE < size_of_val(chunk) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for line in 0..LINES {
            let address = chunk.as_ptr().cast::<i8>().wrapping_add(PAGE + line * LINE);
            // SAFETY: a prefetch is a hint; it reads nothing and faults on no address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = chunk;
}

/// Asks for the lines that lie a page after a chunk. Where a loop writes what it has read, and computes long, the hardware
/// alone does not keep the memory busy.
#[inline(always)]
pub(super) fn fetch_page_ahead<T, const N: usize>(chunk: &[T; N]) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..size_of_val(chunk)).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let address = chunk.as_ptr().cast::<i8>().wrapping_add(PAGE + line);
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = chunk;
}
