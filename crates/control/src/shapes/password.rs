//! Passwords as people choose them. What is wrong with one is told without it.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::text::Invalid;
use crate::caps::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};

/// A password, or a link's secret: text that no answer and no log repeats.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Password)]
pub(crate) struct Secret(SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Of a value of another type serde would say which it is.
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text.into())),
            _other_kinds => Err(serde::de::Error::custom("expected text")),
        }
    }
}

impl Secret {
    /// The text, as it was given.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// As it is: for a check.
    pub(crate) fn given(self) -> Result<SecretString, Invalid> {
        self.not_too_long("password")?;
        Ok(self.0)
    }

    /// As a new password, if it is one; `param` is the member that holds it.
    pub(crate) fn chosen(self, param: &str) -> Result<SecretString, Invalid> {
        self.not_too_long(param)?;
        if self.expose().chars().count() < MIN_PASSWORD_CHARS {
            return Err(Invalid::new(
                param,
                format!("use at least {MIN_PASSWORD_CHARS} characters; a few words are easier to keep in mind"),
            ));
        }
        Ok(self.0)
    }

    fn not_too_long(&self, param: &str) -> Result<(), Invalid> {
        if self.expose().len() <= MAX_PASSWORD_BYTES {
            return Ok(());
        }
        Err(Invalid::new(param, format!("use at most {MAX_PASSWORD_BYTES} bytes")))
    }
}
