//! Counts how often the same prompt was tried.
use std::collections::VecDeque;

/// Prompts that are remembered: a client tries one at a time, a few sub-agents beside it.
const REMEMBERED: usize = 64;

/// A pane's memory of tries. Keep one for each pane, for as long as the pane lives.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    tries: VecDeque<(u64, u32)>,
}

impl Tally {
    /// Counts one more try of a prompt and returns how many came before.
    pub(super) fn tried(&mut self, prompt: u64) -> u32 {
        let before = match self.tries.iter().position(|(known, _)| *known == prompt) {
            Some(at) => self.tries.remove(at).map_or(0, |(_, n)| n),
            None => 0,
        };
        self.tries.push_back((prompt, before.saturating_add(1)));
        if self.tries.len() > REMEMBERED {
            self.tries.pop_front();
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prompt_has_its_own_count_and_memory_is_bounded() {
        let mut tally = Tally::default();
        assert_eq!((tally.tried(1), tally.tried(2), tally.tried(1)), (0, 0, 1));
        (10..10 + REMEMBERED as u64).for_each(|n| assert_eq!(tally.tried(n), 0));
        assert_eq!(tally.tries.len(), REMEMBERED);
        assert_eq!(tally.tried(1), 0);
    }
}
