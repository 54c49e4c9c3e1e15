//! The ledger's row.

/// One model request, as the ledger keeps it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LedgerRow {
    /// Unix milliseconds at which it arrived.
    pub at_ms: i64,
    /// The pane's ULID.
    pub pane: String,
    /// The session's name, as it was.
    pub session: String,
    /// The session's id, `$3`, which is not given twice within one database.
    pub session_id: String,
    /// The executor's name.
    pub executor: String,
    /// `main`, `subagent`, `side`.
    pub class: String,
    /// The model that the harness named.
    pub model_asked: String,
    /// The model's id as it was sent upstream; empty when nothing was sent.
    pub model_sent: String,
    /// The model that the upstream says it served; empty when it did not say.
    pub model_served: String,
    /// The provider's name.
    pub provider: String,
    /// Who pays.
    pub payer: String,
    /// The name of the credential that the last attempt was made with; empty when none was.
    pub credential: String,
    /// The harness's dialect.
    pub dialect: String,
    /// The upstream's dialect.
    pub upstream_dialect: String,
    /// The HTTP status given to the harness; 499 when the harness went away.
    pub status: u16,
    /// Input tokens without cached ones.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cache_read: u64,
    /// Input tokens written to a cache.
    pub cache_write: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// US dollars; `None` when unknown.
    pub cost: Option<f64>,
    /// Where `cost` is from: `upstream`, `list` (list prices of its tokens), `free`, or empty when it is unknown.
    pub cost_source: String,
    /// Milliseconds to the first byte of the answer's body.
    pub first_byte_ms: u64,
    /// Milliseconds to its end.
    pub total_ms: u64,
    /// Attempts at the upstream.
    pub attempts: u32,
    /// What went wrong, in words; empty when nothing did.
    pub error: String,
    /// What the answer or the way to it was not as asked for: what translation left out, tokens nobody reported.
    pub notes: Vec<String>,
}
