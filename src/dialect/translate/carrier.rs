//! Carries one provider's opaque reasoning through another dialect's opaque field, marked with where it is from.
//!
//! `ins1:<provider>:<family>:<kind>:<payload>`. What carries the mark of its own provider and family is unwrapped on
//! the way back, everything else is left out: a foreign signature is refused with a 400 that ends the conversation.
use super::hub::{Thinking, str_of};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

const MARK: &str = "ins1:";

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A signature of text that travels beside it, or encrypted reasoning.
    Signature,
    /// Anthropic's redacted thinking.
    Redacted,
    /// Reasoning text, where the client's field for it is not sent back.
    Text,
    /// Text and its signature, where the signature alone is worth nothing.
    Both,
    /// OpenRouter's `reasoning_details`, as JSON text.
    Details,
    /// Nothing but the mark.
    Nothing,
}

impl Kind {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Signature, "sig"),
        (Self::Redacted, "red"),
        (Self::Text, "text"),
        (Self::Both, "both"),
        (Self::Details, "more"),
        (Self::Nothing, "none"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("none", |(_, word)| word)
    }
}

/// Whose reasoning it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub provider: String,
    /// Models that read each other's reasoning.
    pub family: String,
}

/// Opaque reasoning of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blob {
    /// `None` for what a client's own provider made: its native field without a mark.
    pub origin: Option<Origin>,
    pub kind: Kind,
    pub payload: String,
}

impl Blob {
    pub(super) fn new(origin: &Origin, kind: Kind, payload: impl Into<String>) -> Self {
        Self { origin: Some(origin.clone()), kind, payload: payload.into() }
    }

    /// Reads an opaque field of a client; one without a mark is its own provider's, of this kind.
    pub(super) fn read(field: &str, native: Kind) -> Self {
        Self::marked(field).unwrap_or_else(|| Self { origin: None, kind: native, payload: field.to_owned() })
    }

    fn marked(field: &str) -> Option<Self> {
        let decoded;
        let text = if field.starts_with(MARK) {
            field
        } else {
            // Gemini's field is bytes, so that the mark is inside base64 there.
            if !field.starts_with("aW5zMT") {
                return None;
            }
            decoded = String::from_utf8(STANDARD.decode(field).ok()?).ok()?;
            &decoded
        };
        let mut parts = text.strip_prefix(MARK)?.splitn(4, ':');
        let (provider, family, word, payload) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (kind, _) = Kind::ALL.iter().find(|(_, known)| *known == word)?;
        let payload = match kind {
            Kind::Text | Kind::Both | Kind::Details => {
                String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?
            }
            _ => payload.to_owned(),
        };
        let origin = Origin { provider: provider.to_owned(), family: family.to_owned() };
        Some(Self { origin: Some(origin), kind: *kind, payload })
    }

    /// The text for a client's opaque field.
    pub(super) fn write(&self) -> String {
        let Some(origin) = &self.origin else { return self.payload.clone() };
        let payload = match self.kind {
            Kind::Text | Kind::Both | Kind::Details => URL_SAFE_NO_PAD.encode(&self.payload),
            _ => self.payload.clone(),
        };
        let clean = |word: &str| word.replace(':', "_");
        let (provider, family) = (clean(&origin.provider), clean(&origin.family));
        format!("{MARK}{provider}:{family}:{}:{payload}", self.kind.word())
    }

    /// The same for a field of bytes.
    pub(super) fn write_bytes(&self) -> String {
        if self.origin.is_none() { self.payload.clone() } else { STANDARD.encode(self.write()) }
    }

    /// What a client that keeps nothing but its opaque field must be given, so that a thought can be sent back.
    pub(super) fn carry(blob: Option<&Self>, text: &str, origin: &Origin, needs_text: bool) -> Self {
        match blob {
            Some(blob) if blob.kind == Kind::Signature && needs_text && !text.is_empty() => {
                let both = json!({"text": text, "signature": blob.payload});
                Self { origin: blob.origin.clone(), kind: Kind::Both, payload: both.to_string() }
            }
            Some(blob) => blob.clone(),
            None if text.is_empty() => Self::new(origin, Kind::Nothing, ""),
            None => Self::new(origin, Kind::Text, text),
        }
    }

    /// A thought as it was before it was carried.
    pub(super) fn unpack(self, text: &str) -> Thinking {
        let (text, kind, payload) = match self.kind {
            Kind::Text => (self.payload, Kind::Nothing, String::new()),
            Kind::Both => {
                let both: Value = serde_json::from_str(&self.payload).unwrap_or_default();
                (str_of(&both, "text").to_owned(), Kind::Signature, str_of(&both, "signature").to_owned())
            }
            kind => (text.to_owned(), kind, self.payload),
        };
        Thinking { text, blob: Some(Self { origin: self.origin, kind, payload }) }
    }

    /// The payload, if this provider's models of this family made it.
    pub(super) fn for_target(&self, target: &Origin) -> Option<&str> {
        let origin = self.origin.as_ref()?;
        let clean = |word: &str| word.replace(':', "_");
        (origin.provider == clean(&target.provider) && origin.family == clean(&target.family))
            .then_some(self.payload.as_str())
    }

    /// Whether a text field holds a mark of ours.
    pub(super) fn is_marked(field: &str) -> bool {
        Self::marked(field).is_some()
    }
}

/// Whether any field of these bytes may hold a mark.
pub(super) fn may_hold_mark(raw: &[u8]) -> bool {
    memchr::memmem::find(raw, b"\"ins1:").is_some() || memchr::memmem::find(raw, b"\"aW5zMT").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_comes_back_for_its_own_family_alone() {
        let origin = Origin { provider: "openrouter".into(), family: "kimi:x".into() };
        for (kind, _) in Kind::ALL {
            let blob = Blob::new(&origin, kind, "gAAA:é\n\"x\"");
            for field in [blob.write(), blob.write_bytes()] {
                let back = Blob::read(&field, Kind::Signature);
                assert_eq!((back.kind, back.for_target(&origin)), (kind, Some("gAAA:é\n\"x\"")));
                assert_eq!(back.for_target(&Origin::default()), None);
                assert!(may_hold_mark(format!("{{\"signature\":\"{field}\"}}").as_bytes()));
            }
        }
        let signed = Blob::new(&origin, Kind::Signature, "Eq");
        let carried = Blob::carry(Some(&signed), "hm", &origin, true).write();
        let back = Blob::read(&carried, Kind::Signature).unpack("");
        assert_eq!((back.text.as_str(), back.blob.unwrap().for_target(&origin)), ("hm", Some("Eq")));
        let text = Blob::carry(None, "only text", &origin, true);
        assert_eq!(text.unpack("").text, "only text");
        assert_eq!(Blob::read("EqQB", Kind::Signature).origin, None);
        assert!(!Blob::is_marked("ins1:broken"));
    }
}
