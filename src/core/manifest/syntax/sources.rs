//! The files of a tree, held in memory.

/// The size limit of a file; a larger one is refused without parsing.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as shown to people, with `/` between folders.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// An entry with the name of a manifest that is no regular file, such as a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The path as shown to people.
    pub path: String,
    /// The kind with its article: `a pipe`.
    pub kind: &'static str,
}

/// The files of one tree at one time, ordered by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    pub files: Vec<SourceFile>,
    pub unread: Vec<Unread>,
}

impl From<Vec<SourceFile>> for Sources {
    fn from(files: Vec<SourceFile>) -> Self {
        Self { files, unread: Vec::new() }
    }
}

impl Sources {
    /// Returns the bytes of a file by its path, for rendering diagnostics.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.iter().find(|file| file.path == path).map(|file| file.bytes.as_slice())
    }
}
