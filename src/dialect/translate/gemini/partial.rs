//! Puts together a call's arguments that come as values at JSON paths.
use super::super::hub::{items, str_of};
use serde_json::{Map, Value};

/// Elements of an array that a path may reach beyond its end; a path is the upstream's word, not a demand for memory.
const GAP_MAX: usize = 1024;

/// One step of a path.
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Applies the `partialArgs` of a chunk.
pub(super) fn apply(arguments: &mut Value, partial: &Value) {
    for arg in items(partial) {
        let Some(slot) = reach(arguments, str_of(arg, "jsonPath")) else { continue };
        if let Some(text) = arg["stringValue"].as_str() {
            match slot {
                Value::String(so_far) => so_far.push_str(text),
                slot => *slot = text.into(),
            }
        } else if let Some(value) = ["numberValue", "boolValue"].iter().find_map(|key| arg.get(*key)) {
            *slot = whole_number(value);
        } else if arg.get("nullValue").is_some() {
            *slot = Value::Null;
        }
    }
}

/// `3.0` stands for 3 where a protocol knows one kind of number only.
fn whole_number(value: &Value) -> Value {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() < 9e15 => (number as i64).into(),
        _ => value.clone(),
    }
}

fn reach<'a>(root: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let mut slot = root;
    for step in steps(path)? {
        match step {
            Step::Key(key) => {
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                slot = slot.as_object_mut()?.entry(key).or_insert(Value::Null);
            }
            Step::Index(index) => {
                if !slot.is_array() {
                    *slot = Value::Array(Vec::new());
                }
                let all = slot.as_array_mut()?;
                if index > all.len() + GAP_MAX {
                    return None;
                }
                while all.len() <= index {
                    all.push(Value::Null);
                }
                slot = &mut all[index];
            }
        }
    }
    Some(slot)
}

/// The steps of `$.a[0].b` or `$['a']`.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            steps.push(Step::Key(&after[..end]));
            rest = &after[end..];
        } else {
            let inner = rest.strip_prefix('[')?;
            if let Some(quote) = inner.chars().next().filter(|c| matches!(c, '\'' | '"')) {
                let close = format!("{quote}]");
                let end = inner[1..].find(&close)? + 1;
                steps.push(Step::Key(&inner[1..end]));
                rest = &inner[end + 2..];
            } else {
                let end = inner.find(']')?;
                steps.push(Step::Index(inner[..end].parse().ok()?));
                rest = &inner[end + 1..];
            }
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_find_their_places() {
        let mut arguments = json!({});
        apply(
            &mut arguments,
            &json!([
                {"jsonPath": "$.r.list[1].name", "stringValue": "ba"},
                {"jsonPath": "$.r.list[1].name", "stringValue": "sil"},
                {"jsonPath": "$['odd key'].n", "numberValue": 3.0},
                {"jsonPath": "$.ok", "boolValue": false},
                {"jsonPath": "$.none", "nullValue": "NULL_VALUE"},
                {"jsonPath": "$.far[99999999]", "stringValue": "x"},
                {"jsonPath": "broken[", "stringValue": "x"},
            ]),
        );
        assert_eq!(
            arguments,
            json!({"r": {"list": [null, {"name": "basil"}]}, "odd key": {"n": 3}, "ok": false, "none": null, "far": []})
        );
    }
}
