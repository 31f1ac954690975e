//! The files of a tree, in memory.

/// A larger file is refused unread.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As shown to people, with `/` between folders.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// One state of the files, in order of path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    pub files: Vec<SourceFile>,
}

impl Sources {
    /// The bytes of a file by its path, as diagnostics are rendered with.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.iter().find(|file| file.path == path).map(|file| file.bytes.as_slice())
    }
}
