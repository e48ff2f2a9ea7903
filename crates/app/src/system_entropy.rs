//! The only source of randomness: the operating system's.

use std::sync::{Mutex, PoisonError};

use domain::Entropy;

/// Bytes that are asked of the system at once, for small needs such as a request's id.
const STOCK_BYTES: usize = 1_024;
/// Larger needs, such as an API key's, are asked of the system as they come and never stand in the stock.
const SMALL_BYTES: usize = 16;

/// The operating system's random bytes. Each is given away once.
#[derive(Debug, Default)]
pub struct SystemEntropy {
    stock: Mutex<Vec<u8>>,
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > SMALL_BYTES {
            return ask(bytes);
        }
        let mut stock = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        if stock.len() < bytes.len() {
            stock.resize(STOCK_BYTES, 0);
            ask(&mut stock);
        }
        let left = stock.len() - bytes.len();
        bytes.iter_mut().zip(stock.drain(left..)).for_each(|(byte, random)| *byte = random);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's randomness")]
fn ask(bytes: &mut [u8]) {
    // There is no going on without: a guessable key is worse than no server.
    if getrandom::fill(bytes).is_err() {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_fills_are_alike() {
        let entropy = SystemEntropy::default();
        let mut large = [[0; 32]; 2];
        large.iter_mut().for_each(|bytes| entropy.fill(bytes));
        assert_ne!(large[0], large[1]);
        // Beyond what one stock holds.
        let small: HashSet<[u8; 16]> = (0..200)
            .map(|_| {
                let mut bytes = [0; 16];
                entropy.fill(&mut bytes);
                bytes
            })
            .collect();
        assert_eq!(small.len(), 200);
    }
}
