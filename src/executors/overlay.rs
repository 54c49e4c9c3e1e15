//! Reading a user's home for an overlay: bounded, tolerant, and never a login file.
//!
//! Must not know: any one CLI's file names.
use super::{GeneratedLink, LaunchPlan};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};
use toml::Table;

/// Settings files are a few kilobytes; one beyond this is not a settings file.
const MAX_SETTINGS_BYTES: u64 = 4 * 1024 * 1024;
/// A directory of skills or prompts has tens of entries; more than this would make a launch slow.
const MAX_LINKED_ENTRIES: usize = 2_000;

/// The directory that a CLI would use, from its own variable or below HOME.
pub(super) fn user_dir(env: &BTreeMap<String, String>, variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = |name: &str| env.get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set(variable).or_else(|| set("HOME").map(|home| home.join(below_home))).filter(|dir| dir.is_absolute())
}

/// A text file of the user's, or `None` when it is missing, too large or not UTF-8.
pub(super) fn read_text(path: &Path) -> Option<String> {
    let file = fs::File::open(path).ok()?;
    let mut text = String::new();
    let read = file.take(MAX_SETTINGS_BYTES + 1).read_to_string(&mut text).ok()? as u64;
    (read <= MAX_SETTINGS_BYTES).then_some(text)
}

/// A JSON object of the user's with comments and trailing commas allowed; an unreadable one is left out with a note.
pub(super) fn read_json(path: &Path, plan: &mut LaunchPlan) -> Value {
    let empty = || Value::Object(serde_json::Map::new());
    let Some(text) = read_text(path) else { return empty() };
    match serde_json::from_str(&plain_json(&text)) {
        Ok(value @ Value::Object(_)) => value,
        Ok(_) => empty(),
        Err(error) => {
            plan.notes.push(format!("{} was left out: {error}", path.display()));
            empty()
        }
    }
}

/// The user's TOML config without what the route decides, which is named under `title`; an unreadable one is left out
/// with a note.
pub(super) fn read_toml(path: &Path, overruled: &[&str], title: &str, plan: &mut LaunchPlan) -> Table {
    let text = read_text(path).unwrap_or_default();
    let mut config: Table = match text.parse() {
        Ok(config) => config,
        Err(error) => {
            let why = toml::de::Error::message(&error);
            plan.notes.push(format!("{} was left out: {why}", path.display()));
            Table::new()
        }
    };
    let gone: Vec<&str> = overruled.iter().copied().filter(|key| config.remove(*key).is_some()).collect();
    if !gone.is_empty() {
        plan.notes.push(format!("the route wins over your {title} config: {}", gone.join(", ")));
    }
    config
}

/// Works on the table of that name, made when missing or not a table.
pub(super) fn within(config: &mut Table, name: &str, work: impl FnOnce(&mut Table)) {
    let mut inner = match config.remove(name) {
        Some(toml::Value::Table(table)) => table,
        _ => Table::new(),
    };
    work(&mut inner);
    config.insert(name.to_owned(), toml::Value::Table(inner));
}

/// Sets a key of a table.
pub(super) fn put_in(table: &mut Table, key: &str, value: toml::Value) {
    table.insert(key.to_owned(), value);
}

/// A table of these entries.
pub(super) fn table<const N: usize>(entries: [(&str, toml::Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// JSON without the comments and trailing commas that the CLIs' own readers accept.
pub(super) fn plain_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim_start_matches('\u{feff}').chars().peekable();
    let mut quoted = false;
    while let Some(c) = rest.next() {
        match (quoted, c) {
            (true, '\\') => {
                out.push(c);
                out.extend(rest.next());
            }
            (_, '"') => {
                quoted = !quoted;
                out.push(c);
            }
            (false, '/') if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            (false, '/') if rest.peek() == Some(&'*') => {
                rest.next();
                let mut before = ' ';
                for c in rest.by_ref() {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            (false, '}' | ']') => {
                let end = out.trim_end().len();
                if out[..end].ends_with(',') {
                    out.truncate(end - 1);
                }
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Links `name` of the user's directory into the overlay when it exists there.
pub(super) fn link(plan: &mut LaunchPlan, from: &Path, overlay: &Path, name: &str) {
    let target = from.join(name);
    if target.exists() {
        plan.links.push(GeneratedLink { path: overlay.join(name), target });
    }
}

/// Shares a directory of sessions. Where an earlier launch, before the user's own existed, left records in a real
/// directory of the overlay, that directory stays.
pub(super) fn share(plan: &mut LaunchPlan, from: &Path, overlay: &Path, name: &str) {
    let kept = fs::symlink_metadata(overlay.join(name)).is_ok_and(|m| m.is_dir())
        && fs::read_dir(overlay.join(name)).is_ok_and(|mut entries| entries.next().is_some());
    if !kept {
        link(plan, from, overlay, name);
    }
}

/// Whether a pane's directory holds what a person may want to resume and what lies nowhere else: sessions in an overlay
/// that did not share the user's own. What cannot be read counts as wanted.
pub fn holds_records(pane_dir: &Path) -> bool {
    let full = |path: PathBuf| match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_dir() => fs::read_dir(&path).map_or(true, |mut entries| entries.next().is_some()),
        Ok(meta) => meta.is_file() && meta.len() > 0,
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    super::registry().iter().any(|executor| {
        let (overlay, names) = executor.records();
        names.iter().any(|name| full(pane_dir.join(overlay).join(name)))
    })
}

/// Links each entry of the user's directory `name`, so that the CLI can add its own beside them without writing
/// into the user's home. Hidden entries stay out.
pub(super) fn link_entries(plan: &mut LaunchPlan, from: &Path, overlay: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(from.join(name)) else { return };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    plan.dirs.push(overlay.join(name));
    for target in found.into_iter().take(MAX_LINKED_ENTRIES) {
        let Some(entry) = target.file_name().and_then(|n| n.to_str()) else { continue };
        if !entry.starts_with('.') {
            plan.links.push(GeneratedLink { path: overlay.join(name).join(entry), target });
        }
    }
}

/// Shows each of the skills that were laid out for this launch in another directory of ours.
pub(super) fn link_laid(plan: &mut LaunchPlan, laid: &Path, into: &Path) {
    let of_skill = |path: &Path| {
        path.strip_prefix(laid).ok()?.components().next().map(|name| PathBuf::from(name.as_os_str()))
    };
    let links = plan.links.iter().map(|link| link.path.as_path());
    let names: Vec<PathBuf> =
        links.chain(plan.files.iter().map(|file| file.path.as_path())).filter_map(of_skill).collect();
    plan.dirs.push(into.to_owned());
    for name in names {
        let path = into.join(&name);
        plan.links.retain(|known| known.path != path);
        let sources: Vec<String> = plan
            .sources
            .iter()
            .filter(|(of, _)| *of == laid.join(&name))
            .map(|(_, source)| source.clone())
            .collect();
        plan.sources.extend(sources.into_iter().map(|source| (path.clone(), source)));
        plan.links.push(GeneratedLink { path, target: laid.join(&name) });
    }
}

/// Sets `value` at a path of keys, making objects on the way and replacing what is not one.
pub(super) fn set(root: &mut Value, keys: &[&str], value: Value) {
    let mut at = root;
    for key in keys {
        if !at.is_object() {
            *at = Value::Object(serde_json::Map::new());
        }
        at = &mut at[*key];
    }
    *at = value;
}

/// Removes the value at a path of keys.
pub(super) fn unset(root: &mut Value, keys: &[&str]) {
    let Some((last, parents)) = keys.split_last() else { return };
    let mut at = root;
    for key in parents {
        let Some(next) = at.get_mut(*key) else { return };
        at = next;
    }
    if let Some(object) = at.as_object_mut() {
        object.shift_remove(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_taken_as_the_clis_take_them() {
        let text = "{ // c\n \"a\": \"x // \\\" /* y\", /* z */ \"b\": [1, 2, ],\n}";
        let value: Value = serde_json::from_str(&plain_json(text)).unwrap();
        assert_eq!(value["a"], "x // \" /* y");
        assert_eq!(value["b"], serde_json::json!([1, 2]));
    }

    #[test]
    fn a_broken_settings_file_is_left_out_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.json");
        fs::write(&path, "{\"a\": ").unwrap();
        let mut plan = LaunchPlan::default();
        assert_eq!(read_json(&path, &mut plan), serde_json::json!({}));
        assert!(plan.notes[0].contains("settings.json was left out"), "{:?}", plan.notes);
        assert_eq!(read_json(&dir.path().join("none"), &mut plan), serde_json::json!({}));
        assert_eq!(plan.notes.len(), 1);
    }

    #[test]
    fn sessions_that_lie_in_the_pane_alone_are_records_and_shared_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let (pane, home) = (dir.path().join("pane"), dir.path().join("home"));
        fs::create_dir_all(home.join("projects")).unwrap();
        fs::write(home.join("projects/past.jsonl"), "past").unwrap();
        fs::create_dir_all(pane.join("claude/cache")).unwrap();
        std::os::unix::fs::symlink(home.join("projects"), pane.join("claude/projects")).unwrap();
        fs::create_dir_all(pane.join("codex/sessions")).unwrap();
        assert!(!holds_records(&pane));
        assert!(!holds_records(&dir.path().join("none")));
        fs::write(pane.join("codex/sessions/rollout.jsonl"), "past").unwrap();
        assert!(holds_records(&pane));
    }

    #[test]
    fn set_and_unset_reach_through_what_is_not_an_object() {
        let mut value = serde_json::json!({"a": 1, "b": {"c": 2, "d": 3}});
        set(&mut value, &["a", "x"], true.into());
        unset(&mut value, &["b", "c"]);
        unset(&mut value, &["none", "c"]);
        assert_eq!(value, serde_json::json!({"a": {"x": true}, "b": {"d": 3}}));
    }
}
