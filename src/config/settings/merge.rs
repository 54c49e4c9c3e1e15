//! Lays texts over the defaults: what is broken in them is named and left out, the rest holds.
use super::{Place, Problem, schema};
use crate::{
    config::lenient::readable,
    router::{nearest, position},
};
use std::{collections::BTreeMap, ops::Range};
use toml::{
    Spanned, Table,
    de::{DeTable, DeValue},
};

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
        let (readable, faults) = readable(text);
        for (span, fault) in faults {
            self.report(&source, &span, "", fault, None);
        }
        // What is readable was read once already.
        if let Some(Ok(root)) = readable.as_deref().map(DeTable::parse) {
            self.table(&source, &[], root.get_ref());
        }
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
