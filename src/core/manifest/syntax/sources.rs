//! The files of a tree, held in memory.

/// The size limit of a file; a larger one is refused without parsing.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as shown to people, with `/` between folders.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// The files of one tree at one time, ordered by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    pub files: Vec<SourceFile>,
}

impl Sources {
    /// Returns the bytes of a file by its path, for rendering diagnostics.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.iter().find(|file| file.path == path).map(|file| file.bytes.as_slice())
    }
}
