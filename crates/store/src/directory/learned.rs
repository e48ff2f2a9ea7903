//! How long the answers to an organisation's requests were, by model. What is held because of it is admission's matter.

use std::sync::{Mutex, PoisonError};

use domain::{ModelId, OutputLengths};

use crate::caps;

/// The output lengths of one organisation, in memory only: after a restart the catalogue's defaults stand until enough is known again.
#[derive(Debug, Default)]
pub(super) struct Learned {
    by_model: Mutex<Vec<(ModelId, OutputLengths)>>,
}

impl Learned {
    pub(super) fn hold(&self, model: &ModelId, default: u64) -> u64 {
        let by_model = self.by_model.lock().unwrap_or_else(PoisonError::into_inner);
        by_model.iter().find(|(known, _)| known == model).map_or(default, |(_, lengths)| lengths.hold(default))
    }

    pub(super) fn note(&self, model: &ModelId, tokens: u64) {
        let mut by_model = self.by_model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lengths)) = by_model.iter_mut().find(|(known, _)| known == model) {
            return lengths.note(tokens);
        }
        if by_model.len() >= caps::LEARNED_MODELS {
            by_model.remove(0);
        }
        let mut lengths = OutputLengths::new();
        lengths.note(tokens);
        by_model.push((model.clone(), lengths));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_learned_apart_and_their_number_is_bounded() {
        let learned = Learned::default();
        let (a, b) = (ModelId::from("a"), ModelId::from("b"));
        (0..20).for_each(|_| learned.note(&a, 300));
        learned.note(&b, 5);
        assert_eq!((learned.hold(&a, 1_024), learned.hold(&b, 1_024)), (300, 1_024));
        (0..caps::LEARNED_MODELS).for_each(|n| learned.note(&ModelId::from(format!("m{n}")), 1));
        assert_eq!(learned.by_model.lock().unwrap().len(), caps::LEARNED_MODELS);
        assert_eq!(learned.hold(&a, 7), 7, "the oldest is forgotten");
    }
}
