//! How much to think, from budgets to words and back.
use super::hub::Reasoning;

/// Tokens of thought that each word stands for, smallest first.
const STEPS: [(&str, u64); 6] = [
    ("minimal", 512),
    ("low", 1024),
    ("medium", 8192),
    ("high", 24_576),
    ("xhigh", 32_768),
    ("max", 128_000),
];

/// The least budget that Anthropic takes.
pub(super) const LEAST_BUDGET: u64 = 1024;

/// The word for a setting; `None` where nothing was said or the model may choose.
pub(super) fn word(reasoning: &Reasoning) -> Option<&str> {
    match reasoning {
        Reasoning::Unsaid | Reasoning::Auto => None,
        Reasoning::Off => Some("none"),
        Reasoning::Effort(word) => Some(word),
        Reasoning::Budget(tokens) => {
            Some(STEPS.iter().find(|(_, most)| tokens <= most).map_or("max", |(word, _)| word))
        }
    }
}

/// The budget for a setting; `None` where the model may choose.
pub(super) fn budget(reasoning: &Reasoning) -> Option<u64> {
    match reasoning {
        Reasoning::Unsaid | Reasoning::Auto => None,
        Reasoning::Off => Some(0),
        Reasoning::Budget(tokens) => Some(*tokens),
        Reasoning::Effort(word) => STEPS.iter().find(|(known, _)| known == word).map(|(_, tokens)| *tokens),
    }
}

/// OpenAI's models stop at `xhigh`.
pub(super) fn at_most_xhigh(word: &str) -> &str {
    if word == "max" { "xhigh" } else { word }
}

/// Anthropic's words begin at `low`.
pub(super) fn at_least_low(word: &str) -> &str {
    if word == "minimal" { "low" } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_and_words() {
        assert_eq!(word(&Reasoning::Budget(1024)), Some("low"));
        assert_eq!(word(&Reasoning::Budget(10_000)), Some("high"));
        assert_eq!(word(&Reasoning::Budget(500_000)), Some("max"));
        assert_eq!(budget(&Reasoning::Effort("medium".into())), Some(8192));
        assert_eq!(budget(&Reasoning::Auto), None);
    }
}
