//! What stands between a foreign caller and the crate: statuses, the last message, and arrays at addresses.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};

use loglik::ndarray::{ArrayView, ArrayViewMut, Dimension};
use loglik::{Error, Result};

/// What a call came to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The results are there.
    Ok = 0,
    /// A pointer is null or not aligned to its type.
    Pointer = 1,
    /// A size is zero, or the array would not fit into the address space.
    Size = 2,
    /// A hyper-parameter lies outside its range.
    Parameter = 3,
    /// A number in an array lies outside its domain: NaN, +inf, a row of nothing but -inf.
    Value = 4,
    /// A target is neither a class nor -100, which means ignored.
    Target = 5,
    /// There is nothing to average over: every row is ignored.
    Empty = 6,
    /// The loss or its gradient does not fit into `float`.
    Overflow = 7,
    /// Anything else that the crate refuses.
    Other = 8,
}

/// A status that is not `Ok`, and its message.
pub(crate) struct Failure(Status, String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::Parameter { .. } => Status::Parameter,
            Error::Value { .. } => Status::Value,
            Error::Target { .. } => Status::Target,
            Error::Empty { .. } | Error::NothingToAverage { .. } => Status::Empty,
            Error::Overflow { .. } => Status::Overflow,
            _ => Status::Other,
        };
        Self(status, error.to_string())
    }
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// Runs the body of a function, and keeps the message where it fails.
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), Failure>) -> Status {
    let Err(Failure(status, message)) = body() else { return Status::Ok };
    LAST_ERROR.set(CString::new(message).unwrap_or_default());
    status
}

/// The message of the last failure on this thread, alive until the next.
pub(crate) fn last_error() -> *const c_char {
    LAST_ERROR.with_borrow(|message| CStr::as_ptr(message))
}

/// Everything about an array that can be checked.
fn check<T>(name: &str, pointer: *const T, shape: &[usize]) -> Result<(), Failure> {
    if pointer.is_null() || !pointer.is_aligned() {
        let message =
            format!("`{name}` is {pointer:p}, allowed is the address of an array, {}-aligned", align_of::<T>());
        return Err(Failure(Status::Pointer, message));
    }
    let bytes = shape.iter().try_fold(size_of::<T>(), |bytes, &n| bytes.checked_mul(n));
    if bytes.is_none_or(|bytes| bytes == 0 || bytes > isize::MAX as usize) {
        let message = format!("`{name}` has shape {shape:?}, allowed are 1 to {} bytes", isize::MAX);
        return Err(Failure(Status::Size, message));
    }
    Ok(())
}

/// An argument.
///
/// # Safety
///
/// Where `pointer` is neither null nor misaligned, an array of that shape lives there for `'a` and is not written to.
pub(crate) unsafe fn input<'a, T, D: Dimension>(
    name: &str,
    pointer: *const T,
    shape: D,
) -> Result<ArrayView<'a, T, D>, Failure> {
    check(name, pointer, shape.slice())?;
    // SAFETY: not null, aligned, at most isize::MAX bytes; there, and unchanged, by this function's contract.
    Ok(unsafe { ArrayView::from_shape_ptr(shape, pointer) })
}

/// A result.
///
/// # Safety
///
/// As [`input`], and nothing else refers to the array for `'a`.
pub(crate) unsafe fn output<'a, T, D: Dimension>(
    name: &str,
    pointer: *mut T,
    shape: D,
) -> Result<ArrayViewMut<'a, T, D>, Failure> {
    check(name, pointer, shape.slice())?;
    // SAFETY: not null, aligned, at most isize::MAX bytes; there, and ours alone, by this function's contract.
    Ok(unsafe { ArrayViewMut::from_shape_ptr(shape, pointer) })
}
