//! What Pollux takes from Rust, each part behind a C header of its own.
//!
//! Nothing unwinds into C: every exported function runs under [`guard`].

mod constraint;
mod python;
mod template;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_constraint;

use std::ffi::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs `work` and turns an error or a panic into words in the caller's buffer.
fn guard<T>(
    err: *mut c_char,
    err_size: usize,
    work: impl FnOnce() -> Result<T, String>,
) -> Option<T> {
    let message = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(message)) => message,
        Err(panic) => match panic.downcast_ref::<&str>() {
            Some(words) => format!("internal error: {words}"),
            None => "internal error".to_string(),
        },
    };
    if !err.is_null() && err_size > 0 {
        let mut n = message.len().min(err_size - 1);
        while !message.is_char_boundary(n) {
            n -= 1;
        }
        unsafe {
            std::ptr::copy_nonoverlapping(message.as_ptr(), err.cast(), n);
            *err.add(n) = 0;
        }
    }
    None
}
