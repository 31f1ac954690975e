//! The identity of the source that a database follows.
//!
//! A database follows one source of manifests. With two, each would treat the other's manifests as removed. The state
//! in force therefore belongs to its source, another source is refused, and a person must hand the state over.
//!
//! A name (`--source`) identifies a source. A path does not: the same tree may be a checkout, a mounted volume or a
//! repository. Without a name, a git source is identified by its repository and the folder in it, which are the same
//! everywhere. The branch is not part of the identity, since another branch is another version. A named source may
//! move freely.

use std::fmt;

use super::Name;

/// A source of manifests, independent of where it is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceId {
    pub name: Name,
    /// The repository and folder, such as `example.com/team/campaigns#growth`; `None` for a named source or one
    /// outside git.
    pub repository: Option<String>,
}

impl SourceId {
    /// Returns the identity of a named source.
    pub fn named(name: Name) -> Self {
        Self { name, repository: None }
    }

    /// Returns the identity of a source without a name.
    pub fn unnamed(repository: Option<String>) -> Self {
        Self { name: Name::parse("default").expect("`default` is a name"), repository }
    }

    /// Returns true if the two are known to be different sources.
    pub fn differs(&self, other: &Self) -> bool {
        let repositories = self.repository.as_ref().zip(other.repository.as_ref());
        self.name != other.name || repositories.is_some_and(|(one, other)| one != other)
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)?;
        self.repository.as_ref().map_or(Ok(()), |repository| write!(f, " ({repository})"))
    }
}

#[cfg(test)]
mod tests {
    use super::SourceId;
    use crate::core::domain::Name;

    #[test]
    fn sources_differ_by_name_or_else_by_repository() {
        let named = |name: &str| SourceId::named(Name::parse(name).unwrap());
        let at = |place: &str| SourceId::unnamed(Some(place.to_owned()));
        assert!(named("a").differs(&named("b")) && !named("a").differs(&named("a")));
        assert!(at("example.com/x#a").differs(&at("example.com/x#b")) && !at("x").differs(&at("x")));
        assert!(at("x").differs(&named("a")));
        // One is a checkout, the other a volume without a known repository.
        assert!(!at("x").differs(&SourceId::unnamed(None)) && !SourceId::unnamed(None).differs(&at("x")));
    }
}
