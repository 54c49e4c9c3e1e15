//! A value that prints as nothing.
use std::{fmt, hint::black_box};

/// A credential in memory; `Debug` and `Display` show `[redacted]`, and its bytes are zeroed when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps `value`; the caller's copy is the caller's to forget.
    pub fn new(value: &str) -> Self {
        Self(value.as_bytes().to_vec())
    }

    /// The first line of bytes that somebody handed over; the bytes are zeroed.
    ///
    /// # Errors
    /// They hold no credential, in words that continue a sentence about them.
    pub fn first_line(bytes: Vec<u8>) -> Result<Self, String> {
        super::fetch::secret(bytes)
    }

    /// The value itself, for the header of an upstream request and nothing else.
    pub fn expose(&self) -> &str {
        // Built from a `&str` and never changed, so the fallback is unreachable.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without an observer the compiler may leave out stores to memory that is about to be freed.
        black_box(&self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_redacted() {
        let secret = Secret::new("sk-canary");
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
        assert_eq!(secret.expose(), "sk-canary");
    }
}
