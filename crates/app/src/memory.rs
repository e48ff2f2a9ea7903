//! Giving back memory that nothing uses, which the allocators would keep for what may come: Rust's, and the C library's, from which SQLite
//! has its own. It knows not when.

use mimalloc as _;

#[expect(unsafe_code, reason = "the allocators have no other way to be told")]
mod c {
    unsafe extern "C" {
        pub(super) safe fn mi_collect(force: bool);
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        pub(super) safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
}

/// Gives back what can be. Takes some milliseconds where a lot was used.
pub(crate) fn give_back() {
    c::mi_collect(true);
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // Whether there was anything is of no interest.
        let _ = c::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_asked_for_at_any_time() {
        let kept: Vec<Vec<u8>> = (0..1_000).map(|n| vec![n as u8; 1_000]).collect();
        drop(vec![1_u8; 32 << 20]);
        give_back();
        assert!(kept.iter().enumerate().all(|(n, bytes)| bytes.iter().all(|byte| *byte == n as u8)));
    }
}
