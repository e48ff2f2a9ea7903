//! In which order a request tries its model's targets: by priority, within one by weight. It doesn't look at their state.

/// A target's place, priority and weight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) index: usize,
    pub(crate) priority: u32,
    pub(crate) weight: u32,
}

/// The places of the targets to try, first to last. `candidates` are sorted by
/// priority; `random` decides the shares, so that the same request always takes the same way. Weight 0 comes last.
pub(crate) fn order(candidates: &[Candidate], random: u64) -> Vec<usize> {
    let mut out = Vec::with_capacity(candidates.len());
    let mut random = random;
    for group in candidates.chunk_by(|a, b| a.priority == b.priority) {
        let mut left = group.to_vec();
        while !left.is_empty() {
            let total: u64 = left.iter().map(|c| u64::from(c.weight)).sum();
            random = mix(random);
            let mut ticket = if total == 0 { 0 } else { random % total };
            let drawn = left.iter().position(|c| {
                let weight = u64::from(c.weight);
                let hit = ticket < weight;
                ticket = ticket.saturating_sub(weight);
                hit
            });
            out.push(left.remove(drawn.unwrap_or(0)).index);
        }
    }
    out
}

/// One step of SplitMix64.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(list: &[(u32, u32)]) -> Vec<Candidate> {
        list.iter().enumerate().map(|(index, (priority, weight))| Candidate { index, priority: *priority, weight: *weight }).collect()
    }

    #[test]
    fn lower_priority_numbers_come_first_whatever_the_weight() {
        let list = candidates(&[(0, 1), (0, 1), (1, 1_000), (2, 1)]);
        for random in 0..200 {
            let order = order(&list, random);
            assert_eq!(order.len(), 4);
            assert!(order[..2].iter().all(|i| *i < 2) && order[2..] == [2, 3], "{order:?}");
        }
    }

    #[test]
    fn shares_follow_weights() {
        let list = candidates(&[(0, 3), (0, 1), (0, 0)]);
        let first: Vec<_> = (0..40_000).map(|random| order(&list, random)[0]).collect();
        let share = first.iter().filter(|i| **i == 0).count();
        assert!((29_500..30_500).contains(&share), "{share}");
        assert!(!first.contains(&2), "weight 0 is a last resort");
    }

    #[test]
    fn a_request_takes_the_same_way_each_time() {
        let list = candidates(&[(0, 1); 20]);
        assert_eq!(order(&list, 7), order(&list, 7));
        assert_eq!(order(&list, 7).len(), 20);
        assert_eq!(order(&[], 7), Vec::<usize>::new());
    }
}
