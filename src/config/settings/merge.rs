//! Lays texts over the defaults: what is broken in them is named and left out, the rest holds.
use super::{Place, Problem, schema};
use crate::router::{nearest, position};
use std::{collections::BTreeMap, ops::Range};
use toml::{
    Spanned, Table,
    de::{DeTable, DeValue},
};

/// A file with more broken lines than this is not a configuration; reading it over and over helps nobody.
pub(super) const MAX_BROKEN_LINES: usize = 16;

/// Texts being laid over the defaults.
#[derive(Default)]
pub(super) struct Merge {
    pub(super) table: Table,
    pub(super) problems: Vec<Problem>,
    pub(super) origins: BTreeMap<String, Place>,
}

/// The text being read.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Merge {
    pub(super) fn text(&mut self, file: &str, text: &str) {
        let source = Source { file, text };
        let mut readable = text.to_owned();
        for _ in 0..MAX_BROKEN_LINES {
            match DeTable::parse(&readable) {
                Ok(root) => return self.table(&source, &[], root.get_ref()),
                Err(error) => {
                    let span = error.span().unwrap_or(0..0);
                    let out = broken_part(&readable, span.start);
                    let fault =
                        format!("not TOML: {}", error.message().lines().next().unwrap_or("unreadable"));
                    self.report(&source, &span, "", fault, None);
                    if readable[out.clone()].trim().is_empty() {
                        break;
                    }
                    readable.replace_range(out.clone(), &blanks(&readable[out]));
                }
            }
        }
        self.report(&source, &(0..0), "", "cannot be read as TOML, so nothing of it holds".into(), None);
    }

    fn report(
        &mut self,
        source: &Source<'_>,
        span: &Range<usize>,
        key: &str,
        message: String,
        near: Option<&str>,
    ) {
        let (line, column) = position(source.text, span.start);
        let (file, nearest) = (source.file.to_owned(), near.map(str::to_owned));
        self.problems.push(Problem { file, line, column, key: key.to_owned(), message, nearest });
    }

    fn table(&mut self, source: &Source<'_>, above: &[&str], table: &DeTable<'_>) {
        for (key, value) in table {
            // tmux spells its options with dashes; both are understood where the names are ours.
            let written = key.get_ref().as_ref();
            let dashed = written.replace('-', "_");
            let name = if schema::free_names(above) { written } else { dashed.as_str() };
            let path = [above, &[name]].concat();
            let dotted = path.join(".");
            let declares = |inner: &DeTable<'_>| inner.keys().any(|key| key.get_ref() == "command");
            let stray = schema::is_stranger(&path) && !value.get_ref().as_table().is_some_and(declares);
            match (schema::want(&path).filter(|_| !stray), value.get_ref().as_table()) {
                (Some(schema::Want::Table), Some(inner)) => self.table(source, &path, inner),
                (Some(want), _) => match want.fault(value.get_ref()) {
                    None => self.set(source, &path, value),
                    Some(fault) => {
                        let near = value.get_ref().as_str().and_then(|text| nearest(text, want.words()));
                        self.report(
                            source,
                            &value.span(),
                            &dotted,
                            format!("{fault}; the default holds"),
                            near,
                        );
                    }
                },
                (None, _) => {
                    let near = nearest(name, schema::names(above));
                    let what = if schema::free_names(above) { "unknown name" } else { "unknown key" };
                    self.report(source, &key.span(), &dotted, format!("{what}; it has no effect"), near);
                }
            }
        }
    }

    fn set(&mut self, source: &Source<'_>, path: &[&str], value: &Spanned<DeValue<'_>>) {
        let (line, column) = position(source.text, value.span().start);
        let place = Place { file: source.file.to_owned(), line, column };
        self.origins.insert(path.join("."), place);
        let Some((last, tables)) = path.split_last() else { return };
        let mut table = &mut self.table;
        for name in tables {
            let entry = table.entry((*name).to_owned()).or_insert_with(|| Table::new().into());
            // The schema has no name that is both a table and a value.
            let Some(inner) = entry.as_table_mut() else { return };
            table = inner;
        }
        table.insert((*last).to_owned(), plain(value.get_ref()));
    }
}

/// The part to leave out when the text breaks at `offset`: the line, or the whole table when the line is its header.
fn broken_part(text: &str, offset: usize) -> Range<usize> {
    let offset = offset.min(text.len());
    let bytes = text.as_bytes();
    let start = bytes[..offset].iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    let mut end =
        bytes[offset..].iter().position(|b| *b == b'\n').map_or(text.len(), |newline| offset + newline);
    if text[start..end].trim_start().starts_with('[') {
        let after = text[end..].split_inclusive('\n');
        // The first of them is the header's own newline, which stays.
        let body = after.skip(1).take_while(|line| !line.trim_start().starts_with('['));
        end = (end + body.map(str::len).sum::<usize>() + 1).min(text.len());
    }
    start..end
}

/// As many blanks as the text has bytes, newlines kept, so that every other offset keeps its place.
fn blanks(text: &str) -> String {
    text.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect()
}

/// A checked value without its places. Only kinds that some [`schema::Want`] accepts come here.
fn plain(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::Boolean(yes) => (*yes).into(),
        DeValue::Integer(number) => schema::integer(number).unwrap_or_default().into(),
        DeValue::Table(table) => {
            let entries =
                table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())));
            toml::Value::Table(entries.collect())
        }
        DeValue::Float(_) => schema::amount(value).unwrap_or_default().into(),
        DeValue::Array(items) => items.iter().map(|item| plain(item.get_ref())).collect::<Vec<_>>().into(),
        other => other.as_str().unwrap_or_default().into(),
    }
}
