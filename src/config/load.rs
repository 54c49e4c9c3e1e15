//! Reading a person's settings.
use super::{Problem, Settings};
use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

/// A longer file is not something that a person wrote; reading on would only cost memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads settings from files, later ones winning. A file that does not exist says nothing.
pub fn load<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> (Settings, Vec<Problem>) {
    load_over(files, &[])
}

/// The same, with texts over the files: a name to report them by, and the text.
pub fn load_over<P: AsRef<Path>>(
    files: impl IntoIterator<Item = P>,
    over: &[(&str, &str)],
) -> (Settings, Vec<Problem>) {
    let mut texts = Vec::new();
    let mut unread = Vec::new();
    for file in files {
        let name = file.as_ref().display().to_string();
        match read(file.as_ref()) {
            Ok(text) => texts.extend(text.map(|text| (name, text))),
            Err(fault) => unread.push(whole(name, format!("{fault}; nothing of it holds"))),
        }
    }
    let files = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let texts: Vec<(&str, &str)> = files.chain(over.iter().copied()).collect();
    let (settings, problems) = Settings::parse(&texts);
    (settings, unread.into_iter().chain(problems).collect())
}

pub(super) fn whole(file: String, message: String) -> Problem {
    Problem { file, line: 0, column: 0, key: String::new(), message, nearest: None }
}

/// The text of a file; `None` when it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    let text = |file: File| -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = match File::open(path).and_then(text) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("is larger than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn file(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn missing_files_say_nothing_and_later_ones_win() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing.toml");
        assert_eq!(load([&missing]), (Settings::default(), vec![]));
        let (first, second) = (
            file(&dir, "a.toml", b"history = 5\nmouse = false"),
            file(&dir, "b.toml", "\u{feff}history = 7".as_bytes()),
        );
        let (settings, problems) = load([first, second]);
        assert_eq!(problems, []);
        assert_eq!((settings.history, settings.mouse), (7, false));
    }

    #[test]
    fn an_unreadable_file_is_said_and_the_others_hold() {
        let dir = tempfile::tempdir().unwrap();
        let good = file(&dir, "good.toml", b"history = 5");
        let bad = file(&dir, "bad.toml", b"history = 6 # \xff");
        let huge = file(&dir, "huge.toml", &vec![b'#'; MAX_BYTES as usize + 1]);
        let (settings, problems) = load([good, bad, huge, dir.path().to_owned()]);
        assert_eq!(settings.history, 5);
        let said: Vec<bool> = ["not UTF-8", "larger than", "cannot be read"]
            .iter()
            .zip(&problems)
            .map(|(words, problem)| problem.message.contains(words))
            .collect();
        assert_eq!((said, problems.len()), (vec![true; 3], 3), "{problems:?}");
    }
}
