//! JSON Schemas of tools, cleaned for those who read them. Only schemas: the same words are argument names elsewhere.
use serde_json::{Map, Value, json};

/// Depth to which a schema is followed; real ones stay below twenty.
const DEPTH_MAX: usize = 64;

/// A schema as every provider of the OpenAI shape and Anthropic take it: an object with properties, without `$schema`.
pub(super) fn plain(schema: &Value) -> Value {
    let mut schema = without_vendor_keys(schema, 0);
    if !schema.is_object() {
        schema = json!({});
    }
    if schema.get("type").is_none_or(Value::is_null) {
        schema["type"] = "object".into();
    }
    if schema["type"] == "object" && !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    schema
}

/// A schema for Gemini's `parametersJsonSchema`, which reads a part of JSON Schema: what it does not know is said in
/// the description instead, so that the model still reads it.
pub(super) fn for_gemini(schema: &Value) -> Value {
    known_to_gemini(&plain(schema), 0)
}

/// Limits that Gemini does not check.
const LIMITS: &[&str] =
    &["exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "minContains", "maxContains"];

/// What a description cannot say either.
const UNKNOWN: &[&str] = &[
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "dependentSchemas",
    "dependentRequired",
    "dependencies",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contentEncoding",
    "contentMediaType",
    "contains",
    "additionalItems",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$anchor",
];

fn known_to_gemini(schema: &Value, depth: usize) -> Value {
    let Value::Object(object) = schema else { return schema.clone() };
    if depth > DEPTH_MAX {
        return json!({});
    }
    let mut object = map_inner(object, depth, known_to_gemini);
    if let Some(value) = object.remove("const") {
        object.insert("enum".to_owned(), json!([value]));
    }
    let limits: Vec<String> =
        LIMITS.iter().filter_map(|key| object.remove(*key).map(|value| format!("{key}: {value}"))).collect();
    if !limits.is_empty() {
        let before = object.get("description").and_then(Value::as_str).unwrap_or_default();
        let description = format!("{before} ({})", limits.join(", ")).trim().to_owned();
        object.insert("description".to_owned(), description.into());
    }
    object.retain(|key, _| !UNKNOWN.contains(&key.as_str()));
    // What is demanded must be described.
    if let Some(Value::Object(properties)) = object.get("properties") {
        let names: Vec<String> = properties.keys().cloned().collect();
        if let Some(Value::Array(required)) = object.get_mut("required") {
            required.retain(|name| name.as_str().is_some_and(|name| names.iter().any(|known| known == name)));
        }
    }
    object.into()
}

/// A Gemini `Schema` (upper-case types, `nullable`, numbers as text) as JSON Schema.
pub(super) fn from_gemini(schema: &Value) -> Value {
    lowered(schema, 0)
}

fn is_vendor_key(key: &str) -> bool {
    matches!(key, "$schema" | "$id" | "$comment" | "cache_control") || key.starts_with("x-")
}

/// Applies a function to the schemas inside a schema, and to nothing else.
fn map_inner(object: &Map<String, Value>, depth: usize, f: fn(&Value, usize) -> Value) -> Map<String, Value> {
    let each = |value: &Value| match value {
        Value::Array(all) => all.iter().map(|inner| f(inner, depth + 1)).collect(),
        value => f(value, depth + 1),
    };
    object
        .iter()
        .map(|(key, value)| {
            let value = match key.as_str() {
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
                    match value {
                        Value::Object(named) => {
                            named.iter().map(|(name, inner)| (name.clone(), f(inner, depth + 1))).collect()
                        }
                        value => value.clone(),
                    }
                }
                "items"
                | "prefixItems"
                | "anyOf"
                | "oneOf"
                | "allOf"
                | "not"
                | "if"
                | "then"
                | "else"
                | "additionalProperties"
                | "additionalItems"
                | "contains"
                | "propertyNames" => each(value),
                _ => value.clone(),
            };
            (key.clone(), value)
        })
        .collect()
}

fn without_vendor_keys(schema: &Value, depth: usize) -> Value {
    let Value::Object(object) = schema else { return schema.clone() };
    if depth > DEPTH_MAX {
        return json!({});
    }
    let mut object = map_inner(object, depth, without_vendor_keys);
    object.retain(|key, _| !is_vendor_key(key));
    object.into()
}

fn lowered(schema: &Value, depth: usize) -> Value {
    let Value::Object(object) = schema else { return schema.clone() };
    if depth > DEPTH_MAX {
        return json!({});
    }
    let mut object = map_inner(object, depth, lowered);
    if let Some(Value::String(kind)) = object.get("type") {
        let kind = kind.to_ascii_lowercase();
        let nullable = object.get("nullable").and_then(Value::as_bool).unwrap_or(false);
        let kind = match kind.as_str() {
            "type_unspecified" => None,
            _ if nullable => Some(json!([kind, "null"])),
            _ => Some(kind.into()),
        };
        match kind {
            Some(kind) => object.insert("type".to_owned(), kind),
            None => object.remove("type"),
        };
    }
    for key in ["nullable", "propertyOrdering", "example"] {
        object.remove(key);
    }
    for key in ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"] {
        if let Some(number) =
            object.get(key).and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok())
        {
            object.insert(key.to_owned(), number.into());
        }
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_schemas_are_cleaned() {
        let schema = json!({
            "$schema": "s", "type": "object",
            "properties": {"$schema": {"type": "string", "x-order": 1}, "format": {"type": "string", "const": "a"}},
            "required": ["$schema"],
        });
        let clean = plain(&schema);
        assert_eq!(
            clean["properties"]["$schema"],
            json!({"type": "string"}),
            "an argument of that name stays"
        );
        assert_eq!(clean["properties"]["format"]["const"], "a");
        assert!(clean.get("$schema").is_none());
        assert_eq!(plain(&json!({"type": "object"})), json!({"type": "object", "properties": {}}));
        assert_eq!(plain(&Value::Null), json!({"type": "object", "properties": {}}));
    }

    #[test]
    fn what_gemini_does_not_check_is_said() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["n", "gone"],
            "properties": {
                "n": {"type": ["integer", "null"], "exclusiveMinimum": 0, "description": "A count."},
                "kind": {"const": "a"}, "not": {"type": "string", "not": {"enum": ["x"]}},
            },
        });
        assert_eq!(
            for_gemini(&schema),
            json!({"type": "object", "additionalProperties": false, "required": ["n"], "properties": {
                "n": {"type": ["integer", "null"], "description": "A count. (exclusiveMinimum: 0)"},
                "kind": {"enum": ["a"]}, "not": {"type": "string"}}})
        );
    }

    #[test]
    fn geminis_own_schemas_become_json_schema() {
        let schema = json!({
            "type": "OBJECT", "propertyOrdering": ["a"],
            "properties": {"a": {"type": "ARRAY", "minItems": "1", "items": {"type": "STRING", "nullable": true}}},
        });
        assert_eq!(
            from_gemini(&schema),
            json!({"type": "object", "properties": {
                "a": {"type": "array", "minItems": 1, "items": {"type": ["string", "null"]}}}})
        );
    }
}
