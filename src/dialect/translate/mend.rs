//! Repairs JSON arguments that were cut, and unwraps free text from them while they stream.
use serde_json::{Map, Value, json};

/// Arguments as an object. What is cut is closed; what cannot be read at all is kept as text under `input`.
pub(super) fn mended(text: &str) -> Value {
    let text = text.trim();
    if text.is_empty() {
        return Value::Object(Map::new());
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => return Value::Object(object),
        Ok(Value::Null) => return Value::Object(Map::new()),
        // Some models write their arguments as a string that holds JSON.
        Ok(Value::String(inner)) => {
            return match serde_json::from_str::<Value>(&inner) {
                Ok(Value::Object(object)) => Value::Object(object),
                _ => json!({"input": inner}),
            };
        }
        Ok(other) => return json!({"input": other}),
        Err(_) => {}
    }
    closed(text).unwrap_or_else(|| json!({"input": text}))
}

/// Closes what is open at the end of cut JSON, dropping a last member that has no value yet.
fn closed(text: &str) -> Option<Value> {
    let mut stack = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    // Ends of whole members: where the text may be cut, with what closes it there.
    let mut cuts: Vec<(usize, String)> = Vec::new();
    let closers = |stack: &[char]| stack.iter().rev().collect::<String>();
    for (at, c) in text.char_indices() {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match c {
            '"' => in_string = true,
            '{' => stack.push('}'),
            '[' => stack.push(']'),
            '}' | ']' => {
                stack.pop();
            }
            ',' => cuts.push((at, closers(&stack))),
            _ => {}
        }
        if matches!(c, '{' | '[') {
            cuts.push((at + 1, closers(&stack)));
        }
    }
    let mut whole = text.to_owned();
    if in_string {
        if escaped {
            whole.pop();
        }
        whole.push('"');
    }
    whole.push_str(&closers(&stack));
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    parse(&whole).or_else(|| {
        // The last few ends are enough: what is cut is cut at the very end.
        cuts.iter().rev().take(2).find_map(|(at, closers)| parse(&format!("{}{closers}", &text[..*at])))
    })
}

/// The prefix and the suffix between which free text travels as a function's arguments.
pub(super) const WRAP: (&str, &str) = ("{\"input\":\"", "\"}");

/// Free text as the inside of a JSON string.
pub(super) fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Takes `{"input": "…"}` in pieces and gives the text inside as it comes.
#[derive(Debug, Default)]
pub(super) struct Unwrap {
    state: Inside,
    /// What has not been understood yet: the beginning, or an escape sequence that was split.
    held: String,
    /// Everything, for arguments of another shape.
    all: String,
}

#[derive(Debug, Default, PartialEq)]
enum Inside {
    #[default]
    Before,
    Text,
    After,
}

impl Unwrap {
    /// Takes a piece of JSON; returns the text that it completes.
    pub(super) fn feed(&mut self, piece: &str) -> String {
        self.all.push_str(piece);
        let mut text = String::new();
        if self.state == Inside::After {
            return text;
        }
        self.held.push_str(piece);
        if self.state == Inside::Before {
            let Some(begin) = opening(&self.held) else { return text };
            self.held.drain(..begin);
            self.state = Inside::Text;
        }
        let mut done = 0;
        let bytes = self.held.as_bytes();
        while done < bytes.len() {
            match bytes[done] {
                b'"' => {
                    self.state = Inside::After;
                    break;
                }
                b'\\' => match escape(&self.held[done..]) {
                    Some((c, length)) => {
                        text.push(c);
                        done += length;
                    }
                    None => break,
                },
                _ => {
                    let rest = &self.held[done..];
                    let end = rest.find(['"', '\\']).unwrap_or(rest.len());
                    text.push_str(&rest[..end]);
                    done += end;
                }
            }
        }
        self.held.drain(..done);
        text
    }

    /// The arguments are complete: what was not given out yet, if they had another shape.
    pub(super) fn finish(&self) -> String {
        if self.state != Inside::Before {
            return String::new();
        }
        let value = mended(&self.all);
        match &value["input"] {
            Value::String(text) => text.clone(),
            _ if value.as_object().is_some_and(Map::is_empty) => String::new(),
            _ => self.all.clone(),
        }
    }
}

/// Where the text begins, if all of its key has come.
fn opening(held: &str) -> Option<usize> {
    let mut rest = held;
    for word in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_start().strip_prefix(word)?;
    }
    Some(held.len() - rest.len())
}

/// An escape sequence at the beginning of this text and its length; `None` while it is not complete.
fn escape(text: &str) -> Option<(char, usize)> {
    let plain = match text.as_bytes().get(1)? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => {
            let unit =
                |at: usize| text.get(at..at + 4).map(|hex| u32::from_str_radix(hex, 16).unwrap_or(0xfffd));
            let first = unit(2)?;
            if (0xd800..0xdc00).contains(&first) {
                let follows = text.get(6..8)?;
                if follows == "\\u" {
                    let second = unit(8)?;
                    let joined = 0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff);
                    return Some((char::from_u32(joined).unwrap_or('\u{fffd}'), 12));
                }
            }
            return Some((char::from_u32(first).unwrap_or('\u{fffd}'), 6));
        }
        other => char::from(*other),
    };
    Some((plain, 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cut_arguments_are_closed() {
        for (cut, whole) in [
            ("", json!({})),
            (r#"{"a": "b"#, json!({"a": "b"})),
            (r#"{"a": {"b": [1, 2"#, json!({"a": {"b": [1, 2]}})),
            (r#"{"a": 1, "b"#, json!({"a": 1})),
            (r#"{"a": 1, "b": "#, json!({"a": 1})),
            (r#"{"a": "x\"#, json!({"a": "x"})),
            (r#""{\"a\":1}""#, json!({"a": 1})),
            ("nonsense", json!({"input": "nonsense"})),
        ] {
            assert_eq!(mended(cut), whole, "{cut}");
        }
    }

    proptest! {
        #[test]
        fn free_text_comes_out_as_it_went_in(text in "(\\PC|[\"\\\\\n\t\u{1}😀]){0,40}", cuts in prop::collection::vec(0usize..200, 0..8)) {
            let json = format!("{}{}{}", WRAP.0, escaped(&text), WRAP.1);
            let mut unwrap = Unwrap::default();
            let mut out = String::new();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|at| json.is_char_boundary(*at)).collect();
            cuts.push(json.len());
            cuts.sort_unstable();
            let mut from = 0;
            for cut in cuts {
                if cut >= from && cut <= json.len() {
                    out.push_str(&unwrap.feed(&json[from..cut]));
                    from = cut;
                }
            }
            out.push_str(&unwrap.finish());
            prop_assert_eq!(out, text);
        }
    }

    #[test]
    fn other_shapes_are_given_whole() {
        let mut unwrap = Unwrap::default();
        assert_eq!(unwrap.feed(r#"{"patch": "x"}"#), "");
        assert_eq!(unwrap.finish(), r#"{"patch": "x"}"#);
        let mut spaced = Unwrap::default();
        assert_eq!(spaced.feed("{ \"input\" : \"\\u00e9\\ud83d\\ude00\"}"), "é😀");
        assert_eq!(spaced.finish(), "");
    }
}
