//! What a request may need beyond text, and what a model can do. Absent from the catalogue, everything is assumed.

use std::fmt;

use serde::de::Error as _;
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Something that not every model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Calling tools or functions.
    Tools,
    /// Reading images.
    Vision,
    /// Hearing audio.
    Audio,
    /// Watching videos.
    Video,
    /// Reading files.
    Files,
    /// Answering with some JSON object.
    JsonObject,
    /// Answering with JSON of a given schema.
    JsonSchema,
}

impl Feature {
    /// Every feature.
    pub const ALL: [Self; 7] = [Self::Tools, Self::Vision, Self::Audio, Self::Video, Self::Files, Self::JsonObject, Self::JsonSchema];

    /// The name in the catalogue.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Files => "files",
            Self::JsonObject => "json_object",
            Self::JsonSchema => "json_schema",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Some of the features.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Features(u8);

impl Features {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// These and one more.
    #[must_use]
    pub const fn with(self, feature: Feature) -> Self {
        Self(self.0 | feature.bit())
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those of these that `able` has not.
    #[must_use]
    pub const fn without(self, able: Self) -> Self {
        Self(self.0 & !able.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.into_iter().filter(move |feature| self.0 & feature.bit() != 0)
    }
}

impl FromIterator<Feature> for Features {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> Self {
        features.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Their names: `tools, vision`.
impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(i, feature)| write!(f, "{}{}", if i > 0 { ", " } else { "" }, feature.as_str()))
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut list = s.serialize_seq(None)?;
        self.iter().try_for_each(|feature| list.serialize_element(&feature))?;
        list.end()
    }
}

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let list = Vec::<Feature>::deserialize(d)?;
        if list.len() > Feature::ALL.len() { Err(D::Error::custom("expected each feature once")) } else { Ok(list.into_iter().collect()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_read_and_written_by_name() {
        let some: Features = serde_json::from_str(r#"["json_schema","tools"]"#).unwrap();
        assert_eq!(some, Features::NONE.with(Feature::Tools).with(Feature::JsonSchema));
        assert_eq!(serde_json::to_string(&some).unwrap(), r#"["tools","json_schema"]"#);
        assert_eq!(some.to_string(), "tools, json_schema");
        assert!(serde_json::from_str::<Features>(r#"["telepathy"]"#).is_err());
        for feature in Feature::ALL {
            assert_eq!(serde_json::to_string(&feature).unwrap(), format!("\"{}\"", feature.as_str()));
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let needed = Features::NONE.with(Feature::Tools).with(Feature::Vision);
        let able = Features::NONE.with(Feature::Tools).with(Feature::Audio);
        assert_eq!(needed.without(able), Features::NONE.with(Feature::Vision));
        assert!(Features::NONE.without(able).is_empty());
    }
}
