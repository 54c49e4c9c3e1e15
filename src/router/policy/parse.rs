//! Reading `policy.toml` and the table `[policy]` of a workspace: every line is understood, or closes what it names.
use super::{ExecutorPolicy, Layer, Origin, Policy, Preset, Rule};
use crate::router::{AuthMode, Catalogue, ExecutorId, Problem, Span, nearest, position};
use std::{collections::BTreeMap, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A file with more broken lines than this is not a policy; reading it over and over helps nobody.
const MAX_BROKEN_LINES: usize = 8;

/// Keys of an executor's table, and of the top level where they hold for every executor.
const RULES: [&str; 4] = ["enabled", "auth_method", "disabled_models", "budgets"];
const TOP: [&str; 4] = ["preset", "disabled_models", "budgets", "executors"];

/// The reference's spellings.
fn canonical(key: &str) -> &str {
    match key {
        "authMethod" => "auth_method",
        "disabledModels" => "disabled_models",
        other => other,
    }
}

impl Policy {
    /// Reads one layer's file. `origin` names it in problems and refusals.
    ///
    /// A broken line never opens a door: what it names stays closed until it is corrected, and the problem says so.
    pub fn parse(text: &str, origin: &str, layer: Layer) -> (Self, Vec<Problem>) {
        let mut reader = Reader::new(text, origin, layer, "");
        let mut readable = text.to_owned();
        for _ in 0..MAX_BROKEN_LINES {
            match DeTable::parse(&readable) {
                Ok(root) => {
                    reader.top(root.get_ref());
                    return (reader.policy, reader.problems);
                }
                Err(error) => match reader.broken_syntax(&error, &readable) {
                    Some(line) => blank(&mut readable, line),
                    None => return (reader.policy, reader.problems),
                },
            }
        }
        reader.shut(&Closes::Everything, &(0..0), "too many lines are not TOML".into());
        (reader.policy, reader.problems)
    }

    /// Reads one layer from a table of a file that holds more: `above` is what stands before its keys, as `policy.`.
    pub fn of_table(
        table: &DeTable<'_>,
        above: &str,
        (text, origin): (&str, &str),
        layer: Layer,
    ) -> (Self, Vec<Problem>) {
        let mut reader = Reader::new(text, origin, layer, above);
        reader.top(table);
        (reader.policy, reader.problems)
    }
}

/// Overwrites a line with blanks, so that every other offset keeps its place.
fn blank(text: &mut String, line: Range<usize>) {
    text.replace_range(line.clone(), &" ".repeat(line.len()));
}

/// What a broken line closes.
enum Closes {
    Everything,
    Executor(ExecutorId),
}

struct Reader<'t> {
    text: &'t str,
    origin: &'t str,
    layer: Layer,
    above: &'t str,
    policy: Policy,
    problems: Vec<Problem>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, origin: &'t str, layer: Layer, above: &'t str) -> Self {
        Self { text, origin, layer, above, policy: Policy::default(), problems: Vec::new() }
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        let line = position(self.text, span.start).0;
        Origin { layer: self.layer, file: self.origin.to_owned(), line }
    }

    fn rule<T>(&self, value: T, span: &Range<usize>) -> Rule<T> {
        Rule { value, origin: self.origin(span) }
    }

    fn report(&mut self, span: &Range<usize>, key: &str, message: String, nearest: Option<&str>) {
        let (line, column) = position(self.text, span.start);
        self.problems.push(Problem {
            file: self.origin.to_owned(),
            line,
            column,
            key: format!("{}{key}", self.above),
            message,
            nearest: nearest.map(str::to_owned),
        });
    }

    /// Reports a line that cannot be understood and closes what it names.
    fn close(&mut self, closes: &Closes, span: &Range<usize>, key: &str, fault: &str, nearest: Option<&str>) {
        let what = match closes {
            Closes::Everything => "every executor stays off".to_owned(),
            Closes::Executor(id) => format!("{id} stays off"),
        };
        self.report(span, key, format!("{fault}; {what} until this line is corrected"), nearest);
        self.shut(closes, span, if key.is_empty() { fault.to_owned() } else { format!("{key}: {fault}") });
    }

    fn shut(&mut self, closes: &Closes, span: &Range<usize>, fault: String) {
        let rule = self.rule(fault, span);
        let policy = match closes {
            Closes::Everything => &mut self.policy.all,
            Closes::Executor(id) => self.policy.executors.entry(id.clone()).or_default(),
        };
        policy.broken.get_or_insert(rule);
    }

    fn top(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let (name, span) = (key.get_ref().as_ref(), key.span());
            match canonical(name) {
                "preset" => self.preset(value),
                "disabled_models" => {
                    let closes = Closes::Everything;
                    let globs = self.globs(value, name, &closes);
                    self.policy.all.disabled_models.extend(globs);
                }
                "budgets" => {
                    let budgets = self.budgets(value, name, &Closes::Everything);
                    self.policy.all.budgets.extend(budgets);
                }
                "executors" => match value.get_ref().as_table() {
                    Some(executors) => {
                        for (id, value) in executors {
                            self.executor(id, value, "executors.");
                        }
                    }
                    None => {
                        let fault = format!("wants a table for each executor, not {}", kind(value));
                        self.close(&Closes::Everything, &span, name, &fault, None);
                    }
                },
                _ if value.get_ref().is_table() && known_executor(name) => self.executor(key, value, ""),
                _ => self.unknown_top(name, &span, value),
            }
        }
    }

    /// A key that means nothing at the top level closes the executors that its table names, or else all of them.
    fn unknown_top(&mut self, name: &str, span: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        let near = nearest(name, TOP);
        let named: Vec<ExecutorId> = value
            .get_ref()
            .as_table()
            .into_iter()
            .flat_map(|table| table.keys())
            .filter(|key| known_executor(key.get_ref()))
            .map(|key| ExecutorId::from(key.get_ref().as_ref()))
            .collect();
        if !named.is_empty() {
            for id in named {
                self.close(&Closes::Executor(id), span, name, "unknown key", near);
            }
        } else if near == Some("preset") {
            // The strictest preset is the default, so only a lower layer could be let in: nail it down.
            self.policy.preset = Some(self.rule(Preset::AgentComputer, span));
            self.report(span, name, "unknown key; preset agent-computer holds".into(), near);
        } else if let Some(id) = nearest(name, executor_names()).filter(|_| value.get_ref().is_table()) {
            self.close(&Closes::Executor(ExecutorId::from(id)), span, name, "unknown executor", Some(id));
        } else {
            self.close(&Closes::Everything, span, name, "unknown key", near.or(nearest(name, RULES)));
        }
    }

    fn preset(&mut self, value: &Spanned<DeValue<'_>>) {
        let span = value.span();
        let known = [Preset::AgentComputer, Preset::Open];
        let preset = value.get_ref().as_str().and_then(|name| known.into_iter().find(|p| p.as_str() == name));
        if preset.is_none() {
            let near = value.get_ref().as_str().and_then(|name| nearest(name, known.map(Preset::as_str)));
            let fault = format!("{} is no preset; agent-computer holds", shown(value));
            self.report(&span, "preset", fault, near);
        }
        self.policy.preset = Some(self.rule(preset.unwrap_or_default(), &span));
    }

    fn executor(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        above: &str,
    ) {
        let (name, span) = (key.get_ref().as_ref(), key.span());
        let path = format!("{above}{name}");
        let id = ExecutorId::from(name);
        if !known_executor(name) {
            // Whoever meant a known executor by this wanted it ruled; it stays off rather than unruled.
            match nearest(name, executor_names()) {
                Some(near) => {
                    let closes = Closes::Executor(ExecutorId::from(near));
                    self.close(&closes, &span, &path, "unknown executor", Some(near));
                }
                None => {
                    let words = "no executor of inspan's own; the table holds for one of this name that settings declare";
                    self.report(&span, &path, words.into(), None);
                }
            }
            if nearest(name, executor_names()).is_some() {
                return;
            }
        }
        let closes = Closes::Executor(id.clone());
        let Some(table) = value.get_ref().as_table() else {
            let fault = format!("wants a table, not {}", kind(value));
            return self.close(&closes, &span, &path, &fault, None);
        };
        let mut read = ExecutorPolicy::default();
        for (key, value) in table {
            let (name, span) = (key.get_ref().as_ref(), value.span());
            let path = format!("{path}.{name}");
            match canonical(name) {
                "enabled" => match value.get_ref().as_bool() {
                    Some(true) => read.enabled = Some(self.origin(&value.span())),
                    Some(false) => read.disabled = Some(self.rule(true, &span)),
                    None => {
                        let fault = format!("wants true or false, not {}", shown(value));
                        self.close(&closes, &span, &path, &fault, None);
                    }
                },
                "auth_method" => match value.get_ref().as_str().map(str::parse::<AuthMode>) {
                    Some(Ok(mode)) => read.auth_method = Some(self.rule(mode, &span)),
                    _ => {
                        let fault = format!("wants \"login\", \"byok\" or \"credits\", not {}", shown(value));
                        let names = AuthMode::ALL.map(AuthMode::as_str).into_iter().chain(["api_key"]);
                        let near = value.get_ref().as_str().and_then(|written| nearest(written, names));
                        self.close(&closes, &span, &path, &fault, near);
                    }
                },
                "disabled_models" => read.disabled_models = self.globs(value, &path, &closes),
                "budgets" => read.budgets = self.budgets(value, &path, &closes),
                _ => self.close(&closes, &key.span(), &path, "unknown key", nearest(name, RULES)),
            }
        }
        let slot = self.policy.executors.entry(id).or_default();
        slot.disabled = slot.disabled.take().or(read.disabled);
        slot.enabled = slot.enabled.take().or(read.enabled);
        slot.disabled_models.extend(read.disabled_models);
        slot.budgets.extend(read.budgets);
        match (&slot.auth_method, read.auth_method) {
            (Some(first), Some(second)) if first.value != second.value => {
                let fault = format!("says {} where {} says {}", second.value, first.origin, first.value);
                self.close(&closes, &span, &path, &fault, None);
            }
            (None, second) => slot.auth_method = second,
            _ => {}
        }
    }

    fn budgets(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        path: &str,
        closes: &Closes,
    ) -> BTreeMap<Span, Rule<f64>> {
        let mut budgets = BTreeMap::new();
        let Some(table) = value.get_ref().as_table() else {
            let fault = format!("wants a table of pane, session and day, not {}", kind(value));
            self.close(closes, &value.span(), path, &fault, None);
            return budgets;
        };
        for (key, value) in table {
            let (name, path) = (key.get_ref().as_ref(), format!("{path}.{}", key.get_ref()));
            let Some(span) = Span::ALL.into_iter().find(|span| span.as_str() == name) else {
                let near = nearest(name, Span::ALL.map(Span::as_str));
                self.close(closes, &key.span(), &path, "unknown key", near);
                continue;
            };
            let usd: Option<f64> = match value.get_ref() {
                DeValue::Integer(number) => number.to_string().replace('_', "").parse().ok(),
                DeValue::Float(number) => number.to_string().replace('_', "").parse().ok(),
                _ => None,
            };
            match usd.filter(|usd| usd.is_finite() && *usd >= 0.0) {
                Some(usd) => {
                    budgets.insert(span, self.rule(usd, &value.span()));
                }
                None => {
                    let fault = format!("wants US dollars, such as 5.00, not {}", shown(value));
                    self.close(closes, &value.span(), &path, &fault, None);
                }
            }
        }
        budgets
    }

    fn globs(&mut self, value: &Spanned<DeValue<'_>>, path: &str, closes: &Closes) -> Vec<Rule<String>> {
        let mut globs = Vec::new();
        let Some(items) = value.get_ref().as_array() else {
            let fault = format!("wants a list of model names, not {}", shown(value));
            self.close(closes, &value.span(), path, &fault, None);
            return globs;
        };
        for item in items.iter() {
            match item.get_ref().as_str().map(str::trim).filter(|name| !name.is_empty()) {
                Some(name) => {
                    let catalogue = Catalogue::builtin();
                    let plain = !name.contains(['*', '?']);
                    // A name of the catalogue stands for all of that model's spellings.
                    let rule = catalogue.model(name).map_or(name, |m| m.id.as_str()).to_owned();
                    if let Err(unknown) = catalogue.model(name)
                        && plain
                    {
                        let message =
                            "no model of the catalogue has this name; the rule holds for the name as written";
                        self.report(&item.span(), path, message.into(), unknown.nearest.as_deref());
                    }
                    globs.push(self.rule(rule, &item.span()));
                }
                None => {
                    let fault = format!("wants model names, not {}", shown(item));
                    self.close(closes, &item.span(), path, &fault, None);
                }
            }
        }
        globs
    }

    /// A line that is no TOML closes the executor in whose table it stands, or else all of them. Returns the line to
    /// leave out, so that the rest can still be read; `None` when leaving it out would change what the rest means.
    fn broken_syntax(&mut self, error: &toml::de::Error, readable: &str) -> Option<Range<usize>> {
        let span = error.span().unwrap_or(0..0);
        let fault = format!("not TOML: {}", error.message().lines().next().unwrap_or("unreadable"));
        let line = line_at(readable, span.start);
        // Only a line that tries to say a rule belongs to the table above it for sure; any other may be a header.
        let key = readable[line.clone()].trim().split(|c: char| c == '=' || c.is_whitespace()).next();
        let says_a_rule = key.is_some_and(|key| nearest(canonical(key), RULES).is_some());
        let closes = match enclosing_executor(readable, line.start) {
            Some(name) if says_a_rule => Closes::Executor(ExecutorId::from(name)),
            _ => Closes::Everything,
        };
        self.close(&closes, &span, "", &fault, None);
        matches!(closes, Closes::Executor(_)).then_some(line)
    }
}

/// The line around a byte offset, without its newline.
fn line_at(text: &str, offset: usize) -> Range<usize> {
    let offset = offset.min(text.len());
    let bytes = text.as_bytes();
    let start = bytes[..offset].iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    let end = bytes[offset..].iter().position(|b| *b == b'\n').map_or(text.len(), |newline| offset + newline);
    start..end
}

/// The known executor whose `[executors.NAME]` header is the last one before the line that starts at `line_start`.
fn enclosing_executor(text: &str, line_start: usize) -> Option<&'static str> {
    let header = text[..line_start].lines().rev().map(str::trim).find(|line| line.starts_with('['))?;
    let inside = header.strip_prefix('[')?.split_once(']')?.0.trim();
    let name = inside.strip_prefix("executors.").unwrap_or(inside).trim().trim_matches('"');
    executor_names().find(|known| *known == name)
}

fn executor_names() -> impl Iterator<Item = &'static str> {
    Catalogue::builtin().executors.iter().map(|e| e.id.as_str())
}

fn known_executor(name: &str) -> bool {
    executor_names().any(|known| known == name)
}

/// The value as a person would say it: scalars in TOML, tables and lists by kind.
fn shown(value: &Spanned<DeValue<'_>>) -> String {
    match value.get_ref() {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(when) => when.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => kind(value).to_owned(),
    }
}

fn kind(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
        DeValue::String(_) => "text",
        _ => "a value",
    }
}
