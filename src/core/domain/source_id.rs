//! Which source it is that a database follows.
//!
//! A database follows one source of manifests. Were it to follow two, each would read what is the other's as removed: so
//! what is in force belongs to the source it came from, another one is refused, and a person hands it over.
//!
//! What tells sources apart is a name (`--source`), as wherever state outlives the place it was written from: the same
//! tree is read from a checkout here, a mounted volume there and a repository elsewhere, and a path says nothing. Nobody
//! has to name one: then the repository it is in and the folders there tell one of git apart, which are the same from
//! everywhere. The branch does not: another branch is another version. A source that is named may move as it likes.

use std::fmt;

use super::Name;

/// A source of manifests, wherever it is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceId {
    pub name: Name,
    /// As in `example.com/team/campaigns#growth`; `None` for one that is named, or not of git.
    pub repository: Option<String>,
}

impl SourceId {
    /// One that was given a name.
    pub fn named(name: Name) -> Self {
        Self { name, repository: None }
    }

    /// One that nobody named.
    pub fn unnamed(repository: Option<String>) -> Self {
        Self { name: Name::parse("default").expect("`default` is a name"), repository }
    }

    /// Whether it is known not to be the other.
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
    fn names_tell_sources_apart_and_repositories_those_without() {
        let named = |name: &str| SourceId::named(Name::parse(name).unwrap());
        let at = |place: &str| SourceId::unnamed(Some(place.to_owned()));
        assert!(named("a").differs(&named("b")) && !named("a").differs(&named("a")));
        assert!(at("example.com/x#a").differs(&at("example.com/x#b")) && !at("x").differs(&at("x")));
        assert!(at("x").differs(&named("a")));
        // From a checkout, or a volume.
        assert!(!at("x").differs(&SourceId::unnamed(None)) && !SourceId::unnamed(None).differs(&at("x")));
    }
}
