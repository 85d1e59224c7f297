//! How many files this process, and what it starts, may have open: as many as the system lets it.
//!
//! `std` has no way to ask, so this file calls `getrlimit` and `setrlimit` itself.

/// Raises the limit as far as it goes, and says how far that is.
///
/// # Errors
/// The system says no.
#[allow(unsafe_code)]
pub(super) fn allow_all() -> Result<u64, String> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live, writable value of the type that is filled in.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is to a live value of the type that is read.
    if asked == 0 && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 {
        return Ok(limit.rlim_cur);
    }
    Err(format!("cannot set how many files may be open: {}", std::io::Error::last_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raised_again_it_is_where_it_was() {
        let most = allow_all().unwrap();
        assert!(most > 0);
        assert_eq!(allow_all(), Ok(most));
    }
}
