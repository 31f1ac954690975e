//! Access to the API: the roles, and the form of bearer tokens.

mod role;
mod token;

pub use self::role::Role;
pub use self::token::{NotAToken, Token};

/// The length of the longest name of a token.
const LONGEST_NAME: usize = 64;

/// Returns the fault of a token's name, which the log shows as the actor of its writes; `None` for a good one.
pub fn name_fault(name: &str) -> Option<&'static str> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Some("a name has 1 to 64 characters");
    }
    (!name.bytes().all(is_fine)).then_some("a name has letters, digits and `.`, `_`, `@`, `-` only")
}

#[cfg(test)]
mod tests {
    use super::name_fault;

    #[test]
    fn a_name_of_a_token_is_one_word_that_a_log_can_show() {
        for name in ["ci", "shop-2", "maria@example.com", "A.b_c", &"x".repeat(64)] {
            assert_eq!(name_fault(name), None, "{name}");
        }
        for name in ["", " ci", "a b", "é", "a\nb", "a/b", "<b>", &"x".repeat(65)] {
            assert!(name_fault(name).is_some(), "{name}");
        }
    }
}
