//! The keys and what each takes as a JSON schema, for editors that check TOML by one.
use super::{
    BUDGETS, DECLARED, DIALECTS, EXECUTOR, GATEWAY, HOOK, PERMISSIONS, PROVIDER, TOP, Want, executors,
    providers, takes_byok, takes_each,
};
use crate::config::EXAMPLE;
use serde_json::{Map, Value, json};

/// A credential reference, as an expression.
const REFERENCE: &str = "^(env:[A-Za-z_][A-Za-z0-9_]*|file:(/|~/).*|cmd:.+|keyring:.+/.+|vault:.+)$";

/// Keys of ours and nothing else.
fn closed(properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// Names of a person's own.
fn open(of: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": of })
}

/// The keys of a table; the tables in it hold names of a person's own.
fn rows(rows: &[(&str, Want)]) -> Value {
    let schema = |(name, want): &(&str, Want)| {
        let schema = match *name {
            "headers" | "models" | "vars" => open(&json!({ "type": "string" })),
            _ => want.json(),
        };
        ((*name).to_owned(), schema)
    };
    closed(rows.iter().map(schema).collect())
}

/// The JSON schema of the settings; each key with the comment of the example.
pub fn json_schema() -> Value {
    let defaults: toml::Table = EXAMPLE.parse().unwrap_or_default();
    let named = |names: Vec<&'static str>, of: &dyn Fn(&str) -> Value| {
        closed(names.into_iter().map(|name| (name.to_owned(), of(name))).collect())
    };
    let mut properties = Map::new();
    for (name, want) in &TOP {
        let mut schema = match *name {
            "keys" | "root_keys" => open(&json!({ "type": "string" })),
            "budgets" => rows(&BUDGETS),
            "byok" => {
                let names = executors().filter(|name| takes_byok(name) || takes_each(name)).collect();
                named(names, &|name| match takes_each(name) {
                    true => named(providers().collect(), &|_| Want::Credential.json()),
                    false => Want::Credential.json(),
                })
            }
            "credits" => named(providers().collect(), &|_| Want::Payer.json()),
            "providers" => named(providers().collect(), &|_| rows(&PROVIDER)),
            "gateways" => open(&rows(&GATEWAY)),
            // A person may declare executors of their own.
            "executors" => open(&rows(&[&EXECUTOR[..], &DECLARED[..]].concat())),
            _ => want.json(),
        };
        if let Some(schema) = schema.as_object_mut() {
            if let Some(about) = comment(name) {
                schema.insert("description".into(), about.into());
            }
            if let Some(default) = defaults.get(*name).filter(|value| !value.is_table())
                && let Ok(default) = serde_json::to_value(default)
            {
                schema.insert("default".into(), default);
            }
        }
        properties.insert((*name).to_owned(), schema);
    }
    let mut schema = closed(properties);
    if let Some(top) = schema.as_object_mut() {
        top.insert("$schema".into(), "http://json-schema.org/draft-07/schema#".into());
        top.insert("title".into(), "inspan's config.toml".into());
    }
    schema
}

/// The comment that stands above a key in the example.
fn comment(key: &str) -> Option<String> {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let at = lines.iter().position(|line| {
        line.split_once(" = ").is_some_and(|(name, _)| name == key) || *line == format!("[{key}]")
    })?;
    let above =
        lines[..at].iter().rev().take_while(|line| line.starts_with("# ") && !line.starts_with("# ---"));
    let mut text: Vec<&str> = above.map(|line| line.trim_start_matches("# ")).collect();
    text.reverse();
    Some(text.join(" ")).filter(|text| !text.is_empty())
}

impl Want {
    /// The JSON schema of a value.
    fn json(self) -> Value {
        match self {
            Self::Table => json!({ "type": "object" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Count(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Self::Amount => json!({ "type": "number", "minimum": 0 }),
            Self::Text | Self::Clock => json!({ "type": "string" }),
            Self::Header => json!({ "type": "string", "pattern": "^[^\\x00-\\x1f]+$" }),
            Self::Key => json!({ "type": "string", "pattern": "^\\S+$" }),
            Self::List => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Dialects => json!({ "type": "array", "items": { "type": "string", "enum": DIALECTS } }),
            Self::Permission => json!({ "type": "string", "enum": PERMISSIONS }),
            Self::Executor
            | Self::ModeKeys
            | Self::WindowSize
            | Self::PaneNotifications
            | Self::TerminalProgress
            | Self::Inject
            | Self::Dialect
            | Self::Submit
            | Self::Effort
            | Self::AutoInstall => {
                json!({ "type": "string", "enum": self.words() })
            }
            Self::Hooks => json!({
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": HOOK,
                    "properties": { "event": { "type": "string" }, "run": { "type": "string" } },
                },
            }),
            Self::Credential => json!({ "type": "string", "pattern": REFERENCE }),
            Self::Payer => {
                json!({ "type": "string", "pattern": format!("^none$|^gateway:.+$|{REFERENCE}") })
            }
            Self::Url => json!({ "type": "string", "pattern": "^https?://[^/\\s]\\S*$" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of JSON schema that the schema uses.
    fn fits(schema: &Value, value: &Value) -> bool {
        let kind = schema["type"].as_str().unwrap();
        let of_kind = match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            other => panic!("{other}"),
        };
        let words = schema["enum"].as_array().is_none_or(|words| words.contains(value));
        let number = value.as_i64().is_none_or(|n| {
            schema["minimum"].as_i64().is_none_or(|least| n >= least)
                && schema["maximum"].as_i64().is_none_or(|most| n <= most)
        });
        let pattern = schema["pattern"].as_str().zip(value.as_str());
        let pattern = pattern.is_none_or(|(p, text)| regex::Regex::new(p).unwrap().is_match(text));
        let items = value.as_array().into_iter().flatten().all(|item| fits(&schema["items"], item));
        let inside = value.as_object().into_iter().flatten().all(|(key, value)| {
            match (&schema["properties"][key], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(allowed)) => *allowed,
                (Value::Null, Value::Null) => true,
                (Value::Null, other) => fits(other, value),
                (own, _) => fits(own, value),
            }
        });
        of_kind && words && number && pattern && items && inside
    }

    #[test]
    fn the_json_schema_says_what_the_settings_take() {
        let schema = json_schema();
        let json = |text: &str| serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
        assert!(fits(&schema, &json(EXAMPLE)));
        for (name, _) in &TOP {
            let about = schema["properties"][*name]["description"].as_str().unwrap_or_default();
            let bare = ["providers", "executors", "gateways", "hooks", "keys", "budgets"].contains(name);
            assert!(bare || !about.is_empty(), "{name} is described");
        }
        for text in [
            "mouse = 1",
            "moose = true",
            "history = -1",
            "mode_keys = \"ed\"",
            "window_size = \"big\"",
            "pane_notifications = \"some\"",
            "terminal_progress = true",
            "prefix = \"C-a b\"",
            "[byok]\nclaude = \"sk-secret\"",
            "[byok]\nopencode = \"env:KEY\"",
            "[[hooks]]\nevent = 1\nrun = \"x\"",
            "[executors.claude]\npermission = \"root\"",
            "[providers.openai]\nbase_url = \"ftp://x\"",
        ] {
            let problems = crate::config::Settings::parse(&[("x", text)]).1;
            assert!(!problems.is_empty(), "{text} is wrong");
            assert!(!fits(&schema, &json(text)), "{text} is wrong by the schema, too");
        }
        for text in
            ["prefix2 = \"none\"", "[[hooks]]\nevent = \"pane-done\"\nrun = \"x\"", "[keys]\nx = \"\""]
        {
            assert!(fits(&schema, &json(text)), "{text}");
        }
    }
}
