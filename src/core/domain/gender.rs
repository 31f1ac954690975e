//! Gender, in the spellings that people use.

use serde::{Deserialize, Serialize};

use super::fold;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gender {
    Male,
    Female,
    Other,
}

impl Gender {
    /// Parses the spellings found in exports: `F`, `Homme`, `female`, `Féminin` …
    ///
    /// # Errors
    /// Returns a sentence that names the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        match fold(text).as_str() {
            "m" | "male" | "man" | "h" | "homme" | "masculin" | "masculino" | "hombre" | "homem" => Ok(Self::Male),
            "f" | "female" | "woman" | "femme" | "feminin" | "femenino" | "feminino" | "mujer" | "mulher" => {
                Ok(Self::Female)
            }
            "o" | "x" | "other" | "autre" | "otro" | "outro" | "nonbinary" | "non-binary" => Ok(Self::Other),
            _ => Err(format!("`{text}` is not a gender: use `male`, `female` or `other`, or leave it empty")),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Gender;

    #[test]
    fn gender_spellings_are_folded() {
        assert_eq!(Gender::parse("Féminin"), Ok(Gender::Female));
        assert_eq!(Gender::parse(" HOMME "), Ok(Gender::Male));
        assert!(Gender::parse("robot").is_err());
        assert!(Gender::parse("").is_err());
    }
}
