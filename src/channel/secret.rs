//! Secrets from the environment or from files. None is cached: each read returns the current value, so a token can be
//! renewed while the process runs.

use std::fs;

use crate::config;
use crate::core::manifest::desired::{MaybeSecret, Secret};

/// Reads a secret and trims surrounding white space.
///
/// # Errors
/// A sentence that names the place of the secret, but never its value.
pub fn read(secret: &Secret) -> Result<String, String> {
    let (text, place) = match secret {
        Secret::FromEnv(name) => {
            let place = format!("the variable `{name}` of the environment");
            (config::variable(name).ok_or_else(|| format!("{place} is not set"))?, place)
        }
        Secret::FromFile(path) => {
            let place = format!("the file `{path}`");
            (fs::read_to_string(path).map_err(|error| format!("cannot read {place}: {error}"))?, place)
        }
    };
    let text = text.trim();
    if text.is_empty() { Err(format!("{place} is empty")) } else { Ok(text.to_owned()) }
}

/// Reads a value that may be a secret.
///
/// # Errors
/// As [`read`].
pub fn read_if_secret(text: &MaybeSecret) -> Result<String, String> {
    match text {
        MaybeSecret::Plain(text) => Ok(text.clone()),
        MaybeSecret::Secret(secret) => read(secret),
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, read};

    #[test]
    fn what_is_there_now_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let secret = Secret::FromFile(path.to_str().unwrap().to_owned());
        assert!(read(&secret).unwrap_err().starts_with("cannot read the file"));
        for (text, expected) in [("one\n", Ok("one")), (" two", Ok("two")), ("\n", Err(()))] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&secret).as_deref().map_err(|_| ()), expected);
        }
        let unset = Secret::FromEnv("RELANCE_NOBODY_SETS_THIS".to_owned());
        assert_eq!(read(&unset).unwrap_err(), "the variable `RELANCE_NOBODY_SETS_THIS` of the environment is not set");
    }
}
