//! The text of one PHP file and where it stands.

use super::value::Place;
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A file being evaluated.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The path as messages show it.
    pub(super) shown: Arc<Path>,
    /// The path without symbolic links, which is what `__FILE__` is.
    pub(super) real: PathBuf,
}

impl Source {
    /// A line of this file.
    pub(super) fn place(&self, line: u32) -> Place {
        Place { file: self.shown.clone(), line }
    }

    /// `__DIR__`
    pub(super) fn directory(&self) -> &Path {
        self.real.parent().unwrap_or(Path::new("/"))
    }
}

/// Where bytes that are not UTF-8 are put: a private use area that no text uses.
const STRAY: u32 = 0x0010_FF00;

/// Decodes a file. Bytes that are not UTF-8 (an old Latin-1 comment) become private-use
/// characters, so that only the literals that hold them are lost.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(
            chunk.invalid().iter().filter_map(|byte| char::from_u32(STRAY + u32::from(*byte))),
        );
    }
    out.into()
}

/// Refuses a literal that holds bytes that were not UTF-8.
pub(super) fn require_utf8(text: &str) -> Result<(), &'static str> {
    if text.chars().any(|c| u32::from(c) >= STRAY) {
        return Err("this string is not valid UTF-8: save the file as UTF-8");
    }
    Ok(())
}
