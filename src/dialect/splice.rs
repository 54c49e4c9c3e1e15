//! Replaces the model in a request's own bytes, so that nothing else of it changes.
use thiserror::Error;

/// Why a model could not be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpliceError {
    /// The bytes are not a JSON object; the offset says where that shows.
    #[error("not a JSON object at byte {0}")]
    Malformed(usize),
    /// There is no top-level `model` that is a string.
    #[error("the request names no model")]
    NoModel,
}

/// Replaces the value of the top-level `"model"` string; every other byte stays as it is.
///
/// A key that is repeated is replaced each time, because parsers disagree about which one counts.
///
/// # Errors
/// [`SpliceError`] when the bytes are not an object or name no model.
pub fn splice_model(raw: &[u8], new: &str) -> Result<Vec<u8>, SpliceError> {
    let mut scan = Scan { raw, at: 0 };
    let spans = scan.model_values()?;
    let value = serde_json::to_vec(new).map_err(|_| SpliceError::NoModel)?;
    let mut out = Vec::with_capacity(raw.len() + value.len());
    let mut from = 0;
    for (start, end) in spans {
        out.extend_from_slice(&raw[from..start]);
        out.extend_from_slice(&value);
        from = end;
    }
    out.extend_from_slice(&raw[from..]);
    Ok(out)
}

/// The model that the top level names, without reading more of the request than where its parts begin and end. Of
/// several the last counts, as it does for most parsers.
///
/// Whether what the parts hold is well formed is not looked at.
///
/// # Errors
/// [`SpliceError`] when the bytes are not an object or name no model.
pub fn named_model(raw: &[u8]) -> Result<String, SpliceError> {
    let spans = Scan { raw, at: 0 }.model_values()?;
    let (start, end) = *spans.last().ok_or(SpliceError::NoModel)?;
    serde_json::from_slice(&raw[start..end]).map_err(|_| SpliceError::Malformed(start))
}

/// Takes the top-level fields of these names out; every other byte stays as it is, but for the commas between fields.
///
/// # Errors
/// [`SpliceError::Malformed`] when the bytes are not an object.
pub fn strip_fields(raw: &[u8], names: &[String]) -> Result<Vec<u8>, SpliceError> {
    let mut scan = Scan { raw, at: 0 };
    let fields = scan.fields()?;
    let denied = |key: &Span| {
        let key = serde_json::from_slice::<String>(&raw[key.0..key.1]);
        key.is_ok_and(|key| names.contains(&key))
    };
    if !fields.iter().any(|(key, _)| denied(key)) {
        return Ok(raw.to_vec());
    }
    let mut out = Vec::with_capacity(raw.len());
    out.push(b'{');
    for (key, value) in fields.iter().filter(|(key, _)| !denied(key)) {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&raw[key.0..value.1]);
    }
    out.push(b'}');
    Ok(out)
}

/// Where something begins and where it has ended.
type Span = (usize, usize);

struct Scan<'a> {
    raw: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.raw.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|b| b" \t\r\n".contains(&b)) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), SpliceError> {
        self.space();
        if self.peek() != Some(byte) {
            return Err(SpliceError::Malformed(self.at));
        }
        self.at += 1;
        Ok(())
    }

    /// The spans of the strings that top-level `model` keys hold.
    fn model_values(&mut self) -> Result<Vec<Span>, SpliceError> {
        let fields = self.fields()?;
        let holds =
            |(key, value): &(Span, Span)| is_model(&self.raw[key.0..key.1]) && self.raw[value.0] == b'"';
        let found: Vec<Span> = fields.into_iter().filter(holds).map(|(_, value)| value).collect();
        if found.is_empty() { Err(SpliceError::NoModel) } else { Ok(found) }
    }

    /// The spans of the top level's keys, quotes included, and of their values.
    fn fields(&mut self) -> Result<Vec<(Span, Span)>, SpliceError> {
        let mut found = Vec::new();
        self.expect(b'{')?;
        self.space();
        if self.peek() == Some(b'}') {
            return Ok(found);
        }
        loop {
            self.space();
            let key = self.string()?;
            self.expect(b':')?;
            self.space();
            let value = self.value()?;
            found.push((key, value));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(SpliceError::Malformed(self.at)),
            }
        }
        Ok(found)
    }

    /// Steps over a string; the span includes its quotes.
    fn string(&mut self) -> Result<(usize, usize), SpliceError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(SpliceError::Malformed(self.at));
        }
        self.at += 1;
        loop {
            let rest = self.raw.get(self.at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(SpliceError::Malformed(self.raw.len()));
            };
            self.at += found;
            match self.peek() {
                Some(b'"') => break,
                _ => self.at += 2,
            }
        }
        self.at += 1;
        Ok((start, self.at))
    }

    /// Steps over any value without recursion, so that depth costs nothing.
    fn value(&mut self) -> Result<(usize, usize), SpliceError> {
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':' | b' ' | b'\t' | b'\r' | b'\n') if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(b) if b.is_ascii_alphanumeric() || b"+-.".contains(&b) => {
                    while self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
                        self.at += 1;
                    }
                }
                _ => return Err(SpliceError::Malformed(self.at)),
            }
            if depth == 0 {
                return Ok((start, self.at));
            }
        }
    }
}

/// A key may be spelled with escapes.
fn is_model(quoted: &[u8]) -> bool {
    quoted == br#""model""# || serde_json::from_slice::<String>(quoted).is_ok_and(|key| key == "model")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn spliced(raw: &str, new: &str) -> Result<String, SpliceError> {
        splice_model(raw.as_bytes(), new).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn only_the_top_level_model_changes() {
        let raw = "{ \"a\" : {\"model\":\"x\"},\t\"m\":[\"\\\"model\\\":\"], \"model\" :\n \"old\\\"\" , \"z\":1.50e+2 }\n";
        assert_eq!(
            spliced(raw, "n\"w").unwrap(),
            "{ \"a\" : {\"model\":\"x\"},\t\"m\":[\"\\\"model\\\":\"], \"model\" :\n \"n\\\"w\" , \"z\":1.50e+2 }\n"
        );
        assert_eq!(spliced(r#"{"mod\u0065l":"a"}"#, "b").unwrap(), r#"{"mod\u0065l":"b"}"#);
        assert_eq!(spliced(r#"{"model":"a","model":"b"}"#, "c").unwrap(), r#"{"model":"c","model":"c"}"#);
    }

    #[test]
    fn what_names_no_model_is_an_error() {
        assert_eq!(spliced("{}", "x"), Err(SpliceError::NoModel));
        assert_eq!(spliced(r#"{"model":null,"a":{"model":"x"}}"#, "x"), Err(SpliceError::NoModel));
        for broken in ["", "[]", "{\"model\"", "{\"model\":\"a\\", "{\"a\":}", "{\"model\":\"a\"", "{,}"] {
            assert!(matches!(spliced(broken, "x"), Err(SpliceError::Malformed(_))), "{broken}");
        }
        let deep = format!("{{\"a\":{}{},\"model\":\"x\"}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(spliced(&deep, "y").unwrap().ends_with("\"model\":\"y\"}"));
    }

    #[test]
    fn denied_fields_leave_and_every_other_byte_stays() {
        let strip = |text: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            strip_fields(text.as_bytes(), &names).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        let text = r#"{ "a" : 1, "store": true ,"b": {"store": [1, 2]}, "st\u006fre": 0 }"#;
        assert_eq!(strip(text, &["store"]).unwrap(), r#"{"a" : 1,"b": {"store": [1, 2]}}"#);
        assert_eq!(strip(text, &["other"]).unwrap(), text);
        assert_eq!(strip(r#"{"store":1}"#, &["store"]).unwrap(), "{}");
        assert_eq!(strip("{}", &["store"]).unwrap(), "{}");
        assert!(strip("[1]", &["store"]).is_err());
    }

    #[test]
    fn a_model_is_found_without_reading_what_is_beside_it() {
        let named = |raw: &str| named_model(raw.as_bytes()).ok();
        assert_eq!(named(r#"{"a":{"model":"x"},"mod\u0065l":"b\"\u00e9"}"#).as_deref(), Some("b\"é"));
        assert_eq!(named(r#"{"model":"a","model":"b"}"#).as_deref(), Some("b"));
        for none in ["", "model", "[]", "{}", r#"{"model":7}"#, r#"{"model":"a""#, r#"{"model":"a","b":"c}"#]
        {
            assert_eq!(named(none), None, "{none}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "(\\PC|[\"\\\\{}\\[\\]:,]){0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key(), inner), 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![Just("model".to_owned()), "(\\PC|[\"\\\\]){0,8}"]
    }

    proptest! {
        #[test]
        fn bytes_before_and_after_are_identical(
            fields in prop::collection::vec((key(), json()), 0..5),
            old in "\\PC{0,12}", new in "\\PC{0,12}", at in 0usize..5,
            gap in prop::collection::vec("[ \t\r\n]{0,3}", 1..4),
        ) {
            let mut fields: Vec<_> = fields.into_iter().filter(|(k, _)| k != "model").collect();
            let at = at.min(fields.len());
            fields.insert(at, ("model".into(), Value::Null));
            // The request is written twice, once with each model, with white space that no serialiser would choose.
            let write = |model: &str| {
                let members: Vec<String> = fields.iter().enumerate().map(|(i, (k, v))| {
                    let (g, h) = (&gap[i % gap.len()], &gap[(i + 1) % gap.len()]);
                    let key = Value::from(k.as_str()).to_string();
                    let value = if i == at {
                        Value::from(model).to_string()
                    } else {
                        serde_json::to_string_pretty(v).unwrap()
                    };
                    format!("{g}{key}{h}:{g}{value}{h}")
                }).collect();
                format!("{}{{{}}}{}", gap[0], members.join(","), gap[0])
            };
            let (raw, expected) = (write(&old), write(&new));
            prop_assert_eq!(spliced(&raw, &new).unwrap(), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(raw in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = splice_model(&raw, "x");
        }
    }
}
