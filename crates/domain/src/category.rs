//! Size categories of models and the rule that derives one from a parameter count.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A model's size category: all models of a category draw from one pool of the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Up to 8 billion parameters.
    Small,
    /// Above 8 and up to 35 billion parameters.
    Medium,
    /// Above 35 billion parameters.
    Large,
}

impl Category {
    /// The category of a model with this many billion parameters.
    pub fn of_parameters_b(parameters_b: f64) -> Self {
        if parameters_b <= 8.0 {
            Self::Small
        } else if parameters_b <= 35.0 {
            Self::Medium
        } else {
            Self::Large
        }
    }

    /// The name as configuration and APIs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_belong_to_the_smaller_category() {
        let of = Category::of_parameters_b;
        assert_eq!([of(0.135), of(8.0), of(8.01)], [Category::Small, Category::Small, Category::Medium]);
        assert_eq!([of(35.0), of(35.1), of(405.0)], [Category::Medium, Category::Large, Category::Large]);
    }
}
