//! What tokens cost: public list prices, dated, embedded at build time by the crate `genai-prices`.
//!
//! An upstream's own figure is better than any list; this is for those that name none.
use super::{Catalogue, Provider};
use genai_prices::{Calculator, PriceRequest, Usage, UsageKey};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, UNIX_EPOCH},
};

/// Whether the price data was read.
static LOADED: AtomicBool = AtomicBool::new(false);

/// Rates are told for a request of this size: below every long-context step of a price list.
const SMALL_REQUEST: f64 = 1000.0;

/// Tokens of one request or of many; the four never overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Input without anything cached.
    pub input: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Input written to a cache.
    pub cache_write: u64,
    /// Output, reasoning included.
    pub output: u64,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Input that is not cached.
    pub input: f64,
    /// Output.
    pub output: f64,
}

/// The name of a provider in the price data; `None` for those that cost nothing.
fn listed(provider: Provider) -> Option<&'static str> {
    match provider {
        Provider::Xai => Some("x-ai"),
        Provider::Rehearsal => None,
        other => Some(other.as_str()),
    }
}

/// US dollars of `tokens` at the list price of `unix_ms`; `None` when no list names the model.
///
/// The first call reads the price data, which takes tens of milliseconds: [`load`] does that at a better time.
pub fn cost(provider: Provider, model: &str, tokens: Tokens, unix_ms: i64) -> Option<f64> {
    // A gateway in between is paid what its models' makers ask, as far as anyone here knows.
    let provider = match provider {
        Provider::Declared => Catalogue::builtin().model(model).ok()?.provider,
        other => other,
    };
    let Some(listed) = listed(provider) else { return Some(0.0) };
    let Tokens { input, cache_read, cache_write, output } = tokens;
    let whole = input.saturating_add(cache_read).saturating_add(cache_write);
    let mut usage = Usage::from([
        (UsageKey::INPUT_TOKENS, whole as f64),
        (UsageKey::OUTPUT_TOKENS, output as f64),
        (UsageKey::CACHE_READ_TOKENS, cache_read as f64),
    ]);
    // Some lists have no price of their own for writing to a cache: there it is input like any other.
    if cache_write > 0 {
        usage.insert(UsageKey::CACHE_WRITE_TOKENS, cache_write as f64);
    }
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(unix_ms).unwrap_or_default());
    let request = PriceRequest::new(model, &usage).with_provider_id(listed).with_timestamp(at);
    load();
    let price = Calculator::bundled().calculate(&request).ok()?;
    price.total_price.is_finite().then_some(price.total_price)
}

/// The list price of a model at `unix_ms`, for a request of ordinary size; `None` when no list names it.
pub fn rates(provider: Provider, model: &str, unix_ms: i64) -> Option<Rates> {
    let of = |tokens| Some(cost(provider, model, tokens, unix_ms)? * 1e6 / SMALL_REQUEST);
    let small = SMALL_REQUEST as u64;
    Some(Rates {
        input: of(Tokens { input: small, ..Tokens::default() })?,
        output: of(Tokens { output: small, ..Tokens::default() })?,
    })
}

/// Reads the price data, once. It stays, some twenty megabytes of it: only what needs a price should ask.
pub fn load() {
    let _ = Calculator::bundled();
    LOADED.store(true, Ordering::Release);
}

/// Whether [`load`] has been done, so that a price is a matter of microseconds.
pub fn are_loaded() -> bool {
    LOADED.load(Ordering::Acquire)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20; prices are dated, so that the test does not follow them.
    const DAY: i64 = 1_795_132_800_000;

    #[test]
    fn every_model_of_the_catalogue_has_a_price_but_those_that_are_none() {
        for model in &Catalogue::builtin().models {
            // `auto-…` is one CLI's own routing: what it served is priced, by the name that was served.
            let priced = rates(model.provider, &model.wire, DAY).is_some();
            assert_eq!(priced, model.only.is_none(), "{}", model.id);
        }
    }

    #[test]
    fn the_windows_of_the_catalogue_are_those_of_the_data() {
        let told = |model: &crate::router::catalogue::Model| {
            let provider = Calculator::bundled().find_provider(listed(model.provider), None).ok()??;
            provider.models().find(|known| known.id() == model.wire)?.context_window()
        };
        let mut compared = 0;
        for model in &Catalogue::builtin().models {
            let context = model.context.map(u64::from);
            if let Some(told) = told(model) {
                // A thousand or 1,024 to the k is the one difference; what claude takes more needs a header.
                let same = context.is_some_and(|own| own.abs_diff(told) * 20 < told);
                assert!(same || model.provider == Provider::Anthropic, "{}: {context:?} {told}", model.id);
                compared += 1;
            }
            assert!(model.max_output.is_none_or(|most| model.context.is_some_and(|all| most < all)));
        }
        assert!(compared >= 5, "{compared} windows are in the data");
    }

    #[test]
    fn the_four_kinds_are_priced_apart() {
        let sonnet = |tokens| cost(Provider::Anthropic, "claude-sonnet-4-6", tokens, DAY).unwrap();
        let million = |tokens: Tokens| (sonnet(tokens) * 100.0).round() / 100.0;
        assert_eq!(million(Tokens { input: 100_000, ..Tokens::default() }), 0.30);
        assert_eq!(million(Tokens { cache_read: 100_000, ..Tokens::default() }), 0.03);
        assert_eq!(sonnet(Tokens { cache_write: 100_000, ..Tokens::default() }), 0.375);
        assert_eq!(million(Tokens { output: 100_000, ..Tokens::default() }), 1.50);
        let rates = rates(Provider::Anthropic, "claude-sonnet-4-6", DAY).unwrap();
        assert!((rates.input - 3.0).abs() < 1e-9 && (rates.output - 15.0).abs() < 1e-9, "{rates:?}");
    }

    #[test]
    fn dated_names_are_priced_and_unknown_ones_are_unknown() {
        let tokens = Tokens { input: 1000, output: 10, ..Tokens::default() };
        assert!(cost(Provider::Anthropic, "claude-sonnet-4-6-20260217", tokens, DAY).is_some());
        assert!(cost(Provider::OpenRouter, "moonshotai/kimi-k2.5", tokens, DAY).is_some());
        assert_eq!(cost(Provider::OpenAi, "somebody-new", tokens, DAY), None);
        assert_eq!(cost(Provider::Rehearsal, "anything", tokens, DAY), Some(0.0));
        let own = cost(Provider::OpenAi, "gpt-5.4", tokens, DAY);
        assert_eq!((cost(Provider::Declared, "gpt-5.4", tokens, DAY), own.is_some()), (own, true));
        assert_eq!(cost(Provider::Declared, "team-model", tokens, DAY), None);
    }

    #[test]
    fn a_cache_that_no_list_prices_is_still_paid() {
        for (provider, model) in [
            (Provider::OpenAi, "gpt-5.4"),
            (Provider::Xai, "grok-4.6"),
            (Provider::Google, "gemini-3.1-pro-preview"),
        ] {
            let tokens = Tokens { input: 10, cache_read: 10, cache_write: 10, output: 10 };
            assert!(cost(provider, model, tokens, DAY).is_some_and(|cost| cost > 0.0), "{model}");
        }
    }
}
