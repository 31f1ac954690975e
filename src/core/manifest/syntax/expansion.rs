//! The budget of a tree for what aliases (`*name`) repeat: a few files may be small on disk and unfold to gigabytes.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::yaml::Node;
use crate::core::diagnostic::Span;

/// The limit of repeated bytes in one tree.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// The memory that a value takes beside its text.
const NODE_BYTES: usize = 64;

/// The budget of one reading of a tree, shared by the threads that read it.
#[derive(Debug)]
pub(in crate::core::manifest) struct Expansion {
    used: AtomicUsize,
    limit: usize,
}

impl Default for Expansion {
    fn default() -> Self {
        Self { used: AtomicUsize::new(0), limit: MAX_BYTES }
    }
}

impl Expansion {
    /// Returns a budget that lets no document repeat more than it holds.
    ///
    /// A tree beyond the usual budget is read again with this one. Which documents are refused then depends on each of
    /// them alone, not on the order in which threads read.
    pub(in crate::core::manifest) fn none() -> Self {
        Self { limit: 0, ..Self::default() }
    }

    /// Takes what the values of a document hold beyond its length. Returns false if the budget does not have it.
    pub(in crate::core::manifest) fn take(&self, nodes: &[Node], range: Span) -> bool {
        let length = range.end.saturating_sub(range.start);
        let (values, text) =
            nodes.iter().map(Node::weight).fold((0, 0), |(v, t), (values, text)| (v + values, t + text));
        // A value without a text takes two bytes at least: itself and what separates it from the next.
        let excess = text.saturating_sub(length) + NODE_BYTES * values.saturating_sub(length / 2 + 1);
        excess == 0 || self.used.fetch_add(excess, Ordering::Relaxed).saturating_add(excess) <= self.limit
    }

    pub(in crate::core::manifest) fn is_exceeded(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::{Expansion, MAX_BYTES};
    use crate::core::diagnostic::Span;
    use crate::core::manifest::syntax::yaml;

    #[test]
    fn the_budget_counts_texts_values_and_keys_that_aliases_repeat_and_nothing_else() {
        let excess = |text: &str| {
            let range = Span::new(0, text.len());
            let expansion = Expansion::default();
            assert!(expansion.take(&yaml::parse(text, range).unwrap(), range));
            expansion.used.into_inner()
        };
        let plain = "a: [1, 2, 3, {b: c, d: [e, f, g, [], {}]}]\nh: 'text'\n";
        assert_eq!(excess(plain), 0);
        assert_eq!(excess(&format!("a: [{}1]\n", "1,".repeat(5_000))), 0);
        let texts = format!("a: &a {}\nb: [{}*a]\n", "x".repeat(10_000), "*a, ".repeat(80));
        assert!(excess(&texts) > 700_000, "{}", excess(&texts));
        let values = format!("a: &a [{}1]\nb: [{}*a]\n", "1,".repeat(200), "*a, ".repeat(80));
        assert!(excess(&values) > 700_000, "{}", excess(&values));
        assert!(MAX_BYTES > excess(&values));
    }
}
