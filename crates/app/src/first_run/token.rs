//! The operator token: given by the environment, or made once and kept in the data folder.

use std::fmt::Write as _;
use std::path::Path;

use domain::Entropy;
use secrecy::{ExposeSecret as _, SecretString};

use super::private_file::{FileFault, read_private, write_private};

/// Where the token is kept.
pub(crate) const TOKEN_FILE: &str = "operator-token";
const LEAST_CHARS: usize = 16;

/// The token in force. A given one is not written down.
pub(crate) fn operator_token(given: Option<&SecretString>, data_dir: &Path, entropy: &dyn Entropy) -> Result<SecretString, FileFault> {
    if let Some(given) = given.filter(|token| !token.expose_secret().trim().is_empty()) {
        let token = given.expose_secret().trim();
        if token.chars().count() < LEAST_CHARS {
            tracing::warn!("TIDEGATE_OPERATOR_TOKEN is short and could be guessed: use {LEAST_CHARS} characters or more");
        }
        return Ok(token.into());
    }
    let path = data_dir.join(TOKEN_FILE);
    match read_private(&path)?.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
        Some(token) => Ok(token.into()),
        None => {
            let mut random = [0; 32];
            entropy.fill(&mut random);
            let mut token = String::from("tgo_");
            for byte in random {
                // Writing to a String can't fail.
                let _ = write!(token, "{byte:02x}");
            }
            write_private(&path, &format!("{token}\n"))?;
            Ok(token.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;

    #[test]
    fn a_token_is_made_once_and_a_given_one_wins() {
        let dir = tempfile::tempdir().unwrap();
        let token = |given: Option<&str>| {
            let given = given.map(SecretString::from);
            operator_token(given.as_ref(), dir.path(), &SystemEntropy::default()).unwrap().expose_secret().to_owned()
        };
        assert_eq!(token(Some(" given-by-the-environment\n")), "given-by-the-environment");
        assert!(!dir.path().join(TOKEN_FILE).exists());
        let made = token(None);
        assert!(made.starts_with("tgo_") && made.len() == 68);
        assert_eq!(token(Some("")), made);
        assert_eq!(token(None), made);
        assert_eq!(token(Some("given-by-the-environment")), "given-by-the-environment");
    }
}
