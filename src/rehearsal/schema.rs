//! Makes a valid instance of a JSON schema.
use serde_json::{Map, Value, json};

/// How deep an instance goes before optional parts are left out: schemas may contain themselves.
const DEPTH: usize = 6;
/// How deep it goes at all.
const DEEPEST: usize = 24;
/// Elements of an array that asks for many.
const MOST_ITEMS: u64 = 64;

/// An instance of `schema`; `words` fill its strings where nothing else is asked.
pub(super) fn instance(schema: &Value, words: &str) -> Value {
    build(schema, schema, words, 0)
}

fn build(root: &Value, schema: &Value, words: &str, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"].as_str() {
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |schema| build(root, schema, words, depth + 1));
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(value) = schema["enum"].as_array().and_then(|all| all.iter().find(|v| !v.is_null())) {
        return value.clone();
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[key].as_array() {
            let choice = choices.iter().find(|choice| kind(choice) != "null").or(choices.first());
            return choice.map_or(Value::Null, |choice| build(root, choice, words, depth + 1));
        }
    }
    if let Some(all) = schema["allOf"].as_array() {
        let mut merged = Map::new();
        for part in all {
            match build(root, part, words, depth + 1) {
                Value::Object(fields) => merged.extend(fields),
                other => return other,
            }
        }
        return Value::Object(merged);
    }
    match kind(schema).as_str() {
        "object" => object(root, schema, words, depth),
        "array" => {
            let wanted = schema["minItems"].as_u64().unwrap_or(0).min(MOST_ITEMS);
            (0..wanted).map(|_| build(root, &schema["items"], words, depth + 1)).collect()
        }
        "integer" => Value::from(number(schema).ceil() as i64),
        "number" => json!(number(schema)),
        "boolean" => Value::Bool(false),
        "null" => Value::Null,
        _ => Value::String(string(schema, words)),
    }
}

/// The first type that is not null, in lower case as Gemini's upper-case names need it.
fn kind(schema: &Value) -> String {
    let named = match &schema["type"] {
        Value::String(name) => Some(name.as_str()),
        Value::Array(names) => {
            let mut names = names.iter().filter_map(Value::as_str);
            names.clone().find(|name| *name != "null").or_else(|| names.next())
        }
        _ => None,
    };
    match named {
        Some(name) => name.to_lowercase(),
        None if schema["properties"].is_object() => "object".to_owned(),
        None if schema["items"].is_object() => "array".to_owned(),
        None => "string".to_owned(),
    }
}

fn object(root: &Value, schema: &Value, words: &str, depth: usize) -> Value {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out = Map::new();
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        if depth < DEPTH || required.contains(&name.as_str()) {
            out.insert(name.clone(), build(root, part, words, depth + 1));
        }
    }
    for name in required {
        if !out.contains_key(name) {
            out.insert(name.to_owned(), Value::String(words.to_owned()));
        }
    }
    Value::Object(out)
}

fn number(schema: &Value) -> f64 {
    let get = |key: &str| schema[key].as_f64().or_else(|| schema[key].as_str().and_then(|s| s.parse().ok()));
    let step = get("multipleOf").filter(|step| *step > 0.0);
    let low = get("minimum").or(get("exclusiveMinimum").map(|low| low + step.unwrap_or(1.0)));
    let high = get("maximum").or(get("exclusiveMaximum").map(|high| high - step.unwrap_or(1.0)));
    let value = match (low, high) {
        (Some(low), _) => low,
        (None, Some(high)) => high.min(1.0),
        (None, None) => 1.0,
    };
    match step {
        Some(step) => (value / step).ceil() * step,
        None => value,
    }
}

fn string(schema: &Value, words: &str) -> String {
    let fixed = match schema["format"].as_str() {
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("date") => "2026-01-01",
        Some("time") => "00:00:00Z",
        Some("email") => "someone@example.org",
        Some("uri" | "url") => "https://example.org/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "",
    };
    let mut text = if fixed.is_empty() { words.to_owned() } else { fixed.to_owned() };
    let least = schema["minLength"].as_u64().unwrap_or(0).min(4096) as usize;
    while text.chars().count() < least {
        text.push('.');
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        text = text.chars().take(usize::try_from(most).unwrap_or(usize::MAX)).collect();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_s_question() {
        let schema = json!({"type": "OBJECT", "required": ["complexity_reasoning", "complexity_score"], "properties": {
            "complexity_reasoning": {"type": "STRING"},
            "complexity_score": {"type": "INTEGER", "minimum": 1, "maximum": 100}}});
        assert_eq!(instance(&schema, "why"), json!({"complexity_reasoning": "why", "complexity_score": 1}));
    }

    #[test]
    fn enums_references_choices_and_bounds() {
        let schema = json!({
            "$defs": {"kind": {"enum": ["bug", "idea"]}, "node": {"type": "object", "required": ["next"],
                "properties": {"next": {"$ref": "#/$defs/node"}}}},
            "type": "object", "required": ["id", "free"], "properties": {
                "id": {"type": ["null", "integer"], "exclusiveMinimum": 10, "multipleOf": 5},
                "kind": {"$ref": "#/$defs/kind"},
                "either": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 3}]},
                "list": {"type": "array", "minItems": 2, "items": {"const": 7}},
                "all": {"allOf": [{"properties": {"a": {"type": "boolean"}}}, {"properties": {"b": {"type": "number"}}}]},
                "when": {"type": "string", "format": "date"}}});
        assert_eq!(
            instance(&schema, "words"),
            json!({"id": 15, "kind": "bug", "either": "wor", "list": [7, 7], "all": {"a": false, "b": 1.0},
                   "when": "2026-01-01", "free": "words"})
        );
        let endless =
            json!({"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"n": {"$ref": "#/$defs/n"}}}}});
        assert!(instance(&endless, "x").is_object());
        assert!(instance(&schema["$defs"]["node"], "x").is_object());
    }
}
