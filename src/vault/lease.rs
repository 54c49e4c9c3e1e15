//! What the gateway asks for before each attempt at an upstream, and tells after it.
use super::{Secret, Vault, VaultError};
use std::time::Duration;

/// One credential, taken for one attempt.
#[derive(Clone, Debug)]
pub struct Lease {
    /// For the header of the request.
    pub secret: Secret,
    /// Its name, for ledger and journal; never the secret.
    pub label: String,
}

/// What became of an attempt, as far as it says something of its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was served.
    Served,
    /// Too many requests, or its quota is used up.
    Limited {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// The provider does not know it, or no longer.
    Rejected,
    /// The provider has too much to do.
    Overloaded {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
}

impl Vault {
    /// A credential behind `reference` for the next attempt of `session`, other than those in `tried` (by label).
    ///
    /// # Errors
    /// The reference does not resolve, or has no credential that was not tried.
    pub fn lease(&self, reference: &str, _session: &str, tried: &[String]) -> Result<Lease, VaultError> {
        if tried.iter().any(|label| label == reference) {
            return Err(VaultError::NoOther(reference.to_owned()));
        }
        Ok(Lease { secret: self.resolve(reference)?, label: reference.to_owned() })
    }

    /// Takes note of what became of an attempt.
    pub fn report(&self, _lease: &Lease, _verdict: Verdict) {}
}
