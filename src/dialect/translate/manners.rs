//! What a provider and its model take and refuse, beyond what their dialect says.
use super::carrier::Origin;

/// The provider's name and the model decide; a gateway that the user declared is taken to be strict.
#[derive(Clone, Debug)]
pub(super) struct Manners {
    /// Whose reasoning this upstream can read.
    pub origin: Origin,
    /// Chat: OpenAI's own, with `developer` turns, `max_completion_tokens` and a cache key.
    pub openai: bool,
    pub openrouter: bool,
    /// An OpenAI model that thinks: it takes no sampling and no stop sequences.
    pub fixed_sampling: bool,
    /// Instructions may stand in the middle of a conversation.
    pub middle_system: bool,
    /// Chat: assistant turns are sent back with their `reasoning_content`.
    pub replays_thoughts: bool,
    /// The same for turns without a call; an empty one is refused there.
    pub replays_always: bool,
    /// Chat: `cache_control` on content parts is understood.
    pub cache_marks: bool,
    /// The Claude model takes `thinking: adaptive` with an effort, not a budget.
    pub adaptive: bool,
    /// The Claude model takes no sampling other than its own.
    pub own_sampling: bool,
    /// The Gemini model takes a level, not a budget, and checks signatures of calls.
    pub gemini3: bool,
    /// The least that the Gemini model thinks.
    pub least_level: &'static str,
}

impl Manners {
    pub(super) fn of(provider: &str, model: &str) -> Self {
        let name = base_name(model);
        let family = family(&name);
        let openai = provider == "openai";
        let openrouter = provider == "openrouter";
        let gpt = family == "openai" && !name.starts_with("gpt-4") && !name.starts_with("gpt-3");
        Self {
            origin: Origin { provider: provider.to_owned(), family: reads(&name, family).to_owned() },
            openai,
            openrouter,
            fixed_sampling: gpt && !name.contains("chat") && !name.starts_with("gpt-oss"),
            middle_system: openai || openrouter || provider == "xai",
            replays_thoughts: matches!(family, "deepseek" | "kimi" | "glm" | "qwen" | "minimax" | "mimo"),
            replays_always: family == "kimi",
            cache_marks: openrouter && matches!(family, "claude" | "gemini" | "qwen"),
            adaptive: family == "claude" && claude_version(&name) >= (4, 6),
            own_sampling: family == "claude" && claude_version(&name) >= (4, 7),
            least_level: if name.contains("pro") { "LOW" } else { "MINIMAL" },
            gemini3: family == "gemini" && !["gemini-1", "gemini-2"].iter().any(|old| name.starts_with(old)),
        }
    }
}

/// A model's name without its maker and its date.
fn base_name(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let name = name.split_once(':').map_or(name.as_str(), |(name, _)| name);
    match name.rsplit_once('-') {
        Some((before, date)) if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) => {
            before.to_owned()
        }
        _ => name.to_owned(),
    }
}

fn family(name: &str) -> &'static str {
    const FAMILIES: [(&str, &str); 19] = [
        ("claude", "claude"),
        ("gpt", "openai"),
        ("codex", "openai"),
        ("chatgpt", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4", "openai"),
        ("gemini", "gemini"),
        ("deepseek", "deepseek"),
        ("kimi", "kimi"),
        ("moonshot", "kimi"),
        ("glm", "glm"),
        ("qwen", "qwen"),
        ("qwq", "qwen"),
        ("minimax", "minimax"),
        ("mimo", "mimo"),
        ("grok", "grok"),
        ("mistral", "mistral"),
        ("magistral", "mistral"),
    ];
    FAMILIES.iter().find(|(start, _)| name.starts_with(start)).map_or("other", |(_, family)| family)
}

/// Claude's signatures are bound to the model; the others' to the family.
fn reads<'a>(name: &'a str, family: &'a str) -> &'a str {
    if matches!(family, "claude" | "other") { name } else { family }
}

/// The version of a Claude model, whichever way its name has it: `claude-opus-4-6`, `claude-opus-4.6`.
fn claude_version(name: &str) -> (u32, u32) {
    let mut numbers = name.split(['-', '.']).filter_map(|word| word.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_family() {
        let family_of = |provider, model| Manners::of(provider, model).origin.family;
        assert_eq!(family_of("anthropic", "claude-opus-4-6-20260101"), "claude-opus-4-6");
        assert_eq!(family_of("openrouter", "moonshotai/kimi-k2.5:free"), "kimi");
        assert_eq!(family_of("openai", "gpt-5.4"), family_of("openai", "o3"));
        assert!(Manners::of("anthropic", "claude-opus-4.6").adaptive);
        assert!(!Manners::of("anthropic", "claude-haiku-4-5-20251001").adaptive);
        assert!(Manners::of("google", "gemini-3-flash-preview").gemini3);
        assert!(!Manners::of("google", "gemini-2.5-pro").gemini3);
        assert!(
            !Manners::of("openai", "gpt-4o").fixed_sampling
                && Manners::of("openai", "gpt-5.4").fixed_sampling
        );
        assert!(Manners::of("openrouter", "z-ai/glm-5").replays_thoughts);
    }
}
