//! An owned FFmpeg dictionary: the options that go into opening an input.
//!
//! ffmpeg-next's own panics on a zero byte and hands out unchecked text; this one only takes text in.

use std::ffi::CString;

use ffmpeg_next::ffi;

/// Options by name. Freed on drop, together with whatever FFmpeg left in it.
#[derive(Debug)]
pub(in crate::media) struct Dictionary(*mut ffi::AVDictionary);

impl Dictionary {
    /// Without any option.
    pub(in crate::media) fn new() -> Self {
        Self(std::ptr::null_mut())
    }

    /// Sets an option; false when a zero byte in it or the memory's end forbids it.
    pub(in crate::media) fn set(&mut self, name: &str, value: &str) -> bool {
        let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value)) else { return false };
        // SAFETY: both strings are valid for the call, which copies them; `self.0` is null or a
        // dictionary that FFmpeg made.
        unsafe { ffi::av_dict_set(&mut self.0, name.as_ptr(), value.as_ptr(), 0) >= 0 }
    }

    /// Where FFmpeg finds it. It may take options out, and replace the dictionary.
    pub(in crate::media) fn as_mut_ptr(&mut self) -> *mut *mut ffi::AVDictionary {
        &mut self.0
    }

    /// The dictionary itself, for lists of them; null while it is empty.
    pub(in crate::media) fn raw(&self) -> *mut ffi::AVDictionary {
        self.0
    }

    /// Takes over what FFmpeg may have left in a list made from [`Self::raw`].
    pub(in crate::media) fn replace(&mut self, raw: *mut ffi::AVDictionary) {
        self.0 = raw;
    }
}

impl Drop for Dictionary {
    fn drop(&mut self) {
        // SAFETY: null or a dictionary that FFmpeg made and nobody else frees.
        unsafe { ffi::av_dict_free(&mut self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_byte_is_refused_instead_of_panicking() {
        let mut options = Dictionary::new();
        assert!(options.set("probesize", "32"));
        assert!(!options.set("user_agent", "a\0b"));
    }
}
