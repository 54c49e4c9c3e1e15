//! What can be read out of a conversation beside its words: files that tools wrote, decisions, open points.
use super::{
    Conversation,
    unfold::{Exchange, unfold},
};

/// Files that are named; more are counted.
const FILES: usize = 30;
/// Lines of decisions and open points.
const POINTS: usize = 12;
/// Characters of one such line.
const POINT_CHARS: usize = 200;

/// Parts of a tool's name that say that it writes files.
const WRITERS: &[&str] = &["edit", "write", "replace", "patch", "create", "insert", "notebook"];

/// Arguments that hold the path of a file.
const PATHS: &[&str] =
    &["file_path", "filePath", "path", "filename", "target_file", "notebook_path", "absolute_path"];

/// The headers of a patch in the form that several CLIs use.
const PATCH: &[&str] = &["*** Update File: ", "*** Add File: ", "*** Delete File: "];

/// How an answer announces a decision or something that is left to do, in small letters.
const POINTERS: &[&str] = &[
    "decision",
    "decided",
    "we agreed",
    "agreed:",
    "todo",
    "to do:",
    "next:",
    "next step",
    "open question",
    "open point",
    "open:",
    "remaining",
    "still missing",
    "not done",
    "left to do",
    "known issue",
    "blocked",
];

/// Files that tools wrote, oldest first, each once; below `workspace` they are relative to it. How many more there are is
/// the second value.
pub(super) fn written(exchanges: &[Exchange], workspace: &str) -> (Vec<String>, usize) {
    let mut all: Vec<String> = Vec::new();
    let mut add = |path: &str| {
        let path = path.strip_prefix(workspace).map_or(path, |rest| rest.trim_start_matches('/'));
        if !path.is_empty() && !path.contains('\n') && !all.iter().any(|known| known == path) {
            all.push(path.to_owned());
        }
    };
    // A step that another handoff carried holds many lines.
    for line in exchanges.iter().flat_map(|e| &e.work).flat_map(|step| step.lines()) {
        for header in PATCH {
            for (at, _) in line.match_indices(header) {
                let rest = &line[at + header.len()..];
                // Inside of JSON the line's end is written as two characters.
                add(rest.split(['\\', '"']).next().unwrap_or_default().trim());
            }
        }
        let Some((tool, arguments)) = line.split_once(": ") else { continue };
        let tool = tool.to_lowercase();
        let writes = !tool.contains(' ') && WRITERS.iter().any(|word| tool.contains(word));
        if writes
            && arguments.starts_with('{')
            && let Some(path) = PATHS.iter().find_map(|key| argument(arguments, key))
        {
            add(path);
        }
    }
    let more = all.len().saturating_sub(FILES);
    all.drain(..more);
    (all, more)
}

/// The files that tools wrote since the newest request, relative to `workspace` where they lie below it.
pub fn files_of_turn(conversation: &Conversation, workspace: &str) -> Vec<String> {
    unfold(conversation)
        .last()
        .map(|turn| written(std::slice::from_ref(turn), workspace).0)
        .unwrap_or_default()
}

/// The value of a text argument, read from the words: what is kept of a call may be cut, and is no JSON then.
fn argument<'a>(arguments: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = arguments.split_once(&format!("\"{key}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    rest.split_once('"').map(|(value, _)| value).filter(|value| !value.contains('\\'))
}

/// Lines of answers that state a decision or an open point, the newest kept.
pub(super) fn stated(exchanges: &[Exchange]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for exchange in exchanges {
        for line in exchange.answer.lines() {
            let words =
                line.trim_start_matches(|c: char| c.is_whitespace() || "-*#>•0123456789.[]".contains(c));
            let small = words.to_lowercase();
            if POINTERS.iter().any(|start| small.starts_with(start)) && words.len() > 8 {
                let point: String = words.replace("**", "").chars().take(POINT_CHARS).collect();
                let point = format!("{} (request {})", point.trim(), exchange.number);
                if !all.contains(&point) {
                    all.push(point);
                }
            }
        }
    }
    all.drain(..all.len().saturating_sub(POINTS));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(work: &[&str], answer: &str) -> Exchange {
        Exchange {
            number: 1,
            request: "r".into(),
            work: work.iter().map(|s| (*s).to_owned()).collect(),
            answer: answer.into(),
        }
    }

    #[test]
    fn written_files_are_found_in_every_vendors_way_of_writing() {
        let work = [
            r#"Edit: {"file_path":"/home/me/shop/src/cart.rs","old_string":"a"}"#,
            r#"Read: {"file_path":"/home/me/shop/only/read.rs"}"#,
            r#"apply_patch: {"input":"*** Begin Patch\n*** Update File: src/totals.rs\n@@\n*** Add File: new.rs\n"}"#,
            r#"write_file: {"content":"x","file_path":"/etc/hosts"}"#,
            r#"replace: {"file_path":"src/cart.rs"}"#,
            "I wrote: {nothing}",
        ];
        let (files, more) = written(&[exchange(&work, "")], "/home/me/shop");
        assert_eq!(files, ["src/cart.rs", "src/totals.rs", "new.rs", "/etc/hosts"]);
        assert_eq!(more, 0);
    }

    #[test]
    fn many_files_are_counted() {
        let work: Vec<String> = (0..40).map(|n| format!(r#"Write: {{"file_path":"f{n}"}}"#)).collect();
        let work: Vec<&str> = work.iter().map(String::as_str).collect();
        let (files, more) = written(&[exchange(&work, "")], "/w");
        assert_eq!((files.len(), more), (FILES, 10));
        assert_eq!(files.last().unwrap(), "f39");
    }

    #[test]
    fn decisions_and_open_points_are_lines_that_say_so() {
        let answer = "Done.\n- **Decision:** sums are in cents\n## Next steps: add taxes\nThis is decidedly fine.\n1. \
                      TODO rounding of halves";
        assert_eq!(
            stated(&[exchange(&[], answer)]),
            [
                "Decision: sums are in cents (request 1)",
                "Next steps: add taxes (request 1)",
                "TODO rounding of halves (request 1)"
            ]
        );
    }
}
