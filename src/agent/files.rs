//! The tools that read and write files.
use super::tools::Outcome;
use std::{
    fs,
    io::{self, Read},
    path::Path,
};

/// What a model is given of a file at once.
const MAX_READ: usize = 64 * 1024;
/// A larger file is not looked into for a part of it or a replacement: it would be held in memory twice.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// Entries of a directory that are listed.
const MAX_ENTRIES: usize = 500;

fn io_words(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// A text file's contents.
fn text(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|e| io_words(path, &e))?;
    let meta = file.metadata().map_err(|e| io_words(path, &e))?;
    if !meta.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    if meta.len() > MAX_FILE {
        return Err(format!("{} has {} bytes: use the shell for a part of it", path.display(), meta.len()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(|e| io_words(path, &e))?;
    if bytes.contains(&0) {
        return Err(format!("{} is not text", path.display()));
    }
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))
}

/// Lines of a file.
///
/// # Errors
/// Why it cannot be read, for the model.
pub fn read(path: &Path, from: usize, lines: usize) -> Result<Outcome, String> {
    let text = text(path)?;
    let total = text.lines().count();
    let mut output = String::new();
    let mut given = 0;
    for line in text.split_inclusive('\n').skip(from - 1).take(lines) {
        if output.len() + line.len() > MAX_READ {
            break;
        }
        output.push_str(line);
        given += 1;
    }
    if given == 0 && total >= from {
        return Err(format!("line {from} of {} is longer than {MAX_READ} bytes", path.display()));
    }
    if from > 1 || given < total {
        let last = from + given - usize::from(given > 0);
        output.push_str(&format!("\n[lines {from} to {last} of {total}]"));
    }
    let remark = if given == total { format!("{total} lines") } else { format!("{given} of {total} lines") };
    Ok(Outcome { output, remark, shown: String::new(), well: true })
}

/// Writes a whole file, its directories made.
///
/// # Errors
/// Why it cannot be written, for the model.
pub fn write(path: &Path, content: &str) -> Result<Outcome, String> {
    let before = text(path).unwrap_or_default();
    let new = !path.exists();
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|e| io_words(dir, &e))?;
    }
    fs::write(path, content).map_err(|e| io_words(path, &e))?;
    let remark =
        if new { format!("new, {} lines", content.lines().count()) } else { counted(&before, content) };
    Ok(Outcome {
        output: format!("{} was written", path.display()),
        remark,
        shown: diff(&before, content),
        well: true,
    })
}

/// Replaces text in a file.
///
/// # Errors
/// Why nothing was replaced, for the model.
pub fn edit(path: &Path, old: &str, new: &str, all: bool) -> Result<Outcome, String> {
    let before = text(path)?;
    let found = if old.is_empty() { 0 } else { before.matches(old).count() };
    match found {
        0 => return Err(format!("the old text does not stand in {}: read the file again", path.display())),
        1 => {}
        more if !all => {
            return Err(format!(
                "the old text stands in {} {more} times: give more of what is around it",
                path.display()
            ));
        }
        _ => {}
    }
    let after = if all { before.replace(old, new) } else { before.replacen(old, new, 1) };
    fs::write(path, &after).map_err(|e| io_words(path, &e))?;
    let output = match found {
        1 => format!("{} was edited", path.display()),
        more => format!("{} was edited in {more} places", path.display()),
    };
    Ok(Outcome { output, remark: counted(&before, &after), shown: diff(&before, &after), well: true })
}

/// Lists a directory, directories with a slash.
///
/// # Errors
/// Why it cannot be read, for the model.
pub fn list(path: &Path) -> Result<Outcome, String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .map_err(|e| io_words(path, &e))?
        .flatten()
        .map(|entry| {
            let slash = if entry.file_type().is_ok_and(|kind| kind.is_dir()) { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort();
    let total = names.len();
    names.truncate(MAX_ENTRIES);
    let mut output = names.join("\n");
    if total > MAX_ENTRIES {
        output.push_str(&format!("\n[{} more]", total - MAX_ENTRIES));
    }
    Ok(Outcome { output, remark: format!("{total} entries"), shown: String::new(), well: true })
}

/// What changes between two texts: the lines before the first and behind the last difference are left out.
fn changed<'t>(before: &'t str, after: &'t str) -> (Vec<&'t str>, Vec<&'t str>) {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    (old[head..old.len() - tail].to_vec(), new[head..new.len() - tail].to_vec())
}

fn counted(before: &str, after: &str) -> String {
    let (old, new) = changed(before, after);
    format!("+{} -{}", new.len(), old.len())
}

/// The changed stretch of a text, removed lines marked with `-` and added ones with `+`.
pub fn diff(before: &str, after: &str) -> String {
    let (old, new) = changed(before, after);
    let lines = old.iter().map(|line| format!("- {line}")).chain(new.iter().map(|line| format!("+ {line}")));
    lines.collect::<Vec<_>>().join("\n")
}

/// What a write or an edit would change, before it is agreed to.
pub fn preview(path: &Path, intent: &super::intent::Intent) -> String {
    use super::intent::Intent;
    match intent {
        Intent::Write { content, .. } => diff(&text(path).unwrap_or_default(), content),
        Intent::Edit { old, new, .. } => diff(old, new),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_edited_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b.txt");
        let done = write(&file, "one\ntwo\nthree\n").unwrap();
        assert_eq!(done.remark, "new, 3 lines");
        let done = edit(&file, "two", "2", false).unwrap();
        assert_eq!((done.remark.as_str(), done.shown.as_str()), ("+1 -1", "- two\n+ 2"));
        assert_eq!(read(&file, 1, 10).unwrap().output, "one\n2\nthree\n");
        let part = read(&file, 2, 1).unwrap();
        assert_eq!(
            (part.output.as_str(), part.remark.as_str()),
            ("2\n\n[lines 2 to 2 of 3]", "1 of 3 lines")
        );
        assert_eq!(list(dir.path()).unwrap().output, "a/");
    }

    #[test]
    fn an_edit_that_is_not_clear_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "x x").unwrap();
        assert!(edit(&file, "x", "y", false).unwrap_err().contains("2 times"));
        assert!(edit(&file, "z", "y", false).unwrap_err().contains("does not stand"));
        assert!(edit(&file, "", "y", true).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "x x");
        assert_eq!(
            edit(&file, "x", "y", true).unwrap().output,
            format!("{} was edited in 2 places", file.display())
        );
    }

    #[test]
    fn what_is_no_text_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, b"a\0b").unwrap();
        assert!(read(&file, 1, 1).unwrap_err().contains("is not text"));
        assert!(read(dir.path(), 1, 1).unwrap_err().contains("is not a file"));
        let empty = dir.path().join("empty");
        fs::write(&empty, "").unwrap();
        assert_eq!(read(&empty, 1, 9).unwrap().output, "");
    }
}
