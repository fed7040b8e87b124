//! libav's own log: kept off standard error, its complaints counted.
//!
//! Decoders conceal damage and tell only the log. With one decoding thread
//! per stream the log is written on the thread that decodes, so a
//! thread-local count says which packet was damaged.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};

use super::ffi;

// The C type of a variable argument list as the bindings name it.
#[cfg(all(target_arch = "x86_64", not(target_os = "windows")))]
type VaList = *mut ffi::__va_list_tag;
#[cfg(not(all(target_arch = "x86_64", not(target_os = "windows"))))]
type VaList = ffi::va_list;

/// How libav's `rtpdec.c` begins to tell of a hole in the sequence numbers; a
/// test with a real server holds us to it.
const MISSED_PACKETS: &[u8] = b"RTP: missed ";

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static MISSED: Cell<u64> = const { Cell::new(0) };
    static LATEST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Errors that libav logged on this thread.
pub struct Complaints;

impl Complaints {
    /// Route libav's log here.
    pub(super) fn capture() {
        // SAFETY: the callback has the signature libav asks for and lives for ever.
        unsafe { ffi::av_log_set_callback(Some(on_message)) }
    }

    /// How many so far on this thread.
    pub fn count() -> u64 {
        COUNT.with(Cell::get)
    }

    /// RTP packets that libav missed so far on this thread: it tells nobody
    /// but its log.
    pub fn missed() -> u64 {
        MISSED.with(Cell::get)
    }

    /// The latest one's text; empty before the first.
    pub fn latest() -> String {
        LATEST.with(|t| t.borrow().clone())
    }
}

unsafe extern "C" fn on_message(
    _source: *mut c_void,
    level: c_int,
    format: *const c_char,
    arguments: VaList,
) {
    let level_of = level & 0xff;
    // SAFETY: libav's formats are terminated strings.
    let missed = level_of == ffi::AV_LOG_WARNING
        && unsafe { CStr::from_ptr(format) }.to_bytes().starts_with(MISSED_PACKETS);
    if level_of > ffi::AV_LOG_ERROR && !missed {
        return;
    }
    let mut line: [c_char; 256] = [0; 256];
    // No prefix: it holds an address, and details must be the same on every run.
    let mut print_prefix: c_int = 0;
    // SAFETY: format and arguments come from libav for this call; the line is writable for its length
    // and terminated by the callee. A null source is allowed and leaves the prefix out.
    let text = unsafe {
        let null = std::ptr::null_mut();
        ffi::av_log_format_line2(
            null,
            level,
            format,
            arguments,
            line.as_mut_ptr(),
            line.len() as c_int,
            &raw mut print_prefix,
        );
        CStr::from_ptr(line.as_ptr())
    };
    if missed {
        let digits =
            text.to_bytes().iter().skip_while(|b| !b.is_ascii_digit()).take_while(|b| b.is_ascii_digit());
        let n = digits.fold(0_u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0')));
        let _ = MISSED.try_with(|m| m.set(m.get().saturating_add(n)));
        return;
    }
    // A thread that is ending has no locals any more; its last words are dropped.
    let _ = COUNT.try_with(|c| c.set(c.get() + 1));
    let _ = LATEST.try_with(|t| {
        if let Ok(mut latest) = t.try_borrow_mut() {
            latest.clear();
            latest.push_str(text.to_string_lossy().trim());
        }
    });
}
