//! The marks in a prompt that steer the scripted model.

/// The longest that one answer is spread over, in milliseconds: a mistyped number must not hold a pane for a day.
const SLOWEST_MS: f64 = 600_000.0;

/// One mark.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Directive {
    /// Call the shell tool with this.
    Run(String),
    /// The same, outside the sandbox that the shell tool would otherwise use, where its arguments can say so. A CLI
    /// that runs plain commands unasked asks the person for this one.
    Outside(String),
    /// Say this.
    Say(String),
    /// Spread the answer over so many milliseconds.
    Slow(u64),
    /// Fail with this status, so many times; always without a number.
    Fail(u16, Option<u32>),
    /// Drop the connection before the end, so many times; always without a number.
    Cut(Option<u32>),
    /// Repeat the earlier lines that contain this.
    Recall(String),
    /// A mark that names a directive but cannot be read; the whole mark.
    Unclear(String),
}

impl Directive {
    /// The command to call the shell with.
    pub(super) fn command(&self) -> Option<&str> {
        match self {
            Self::Run(command) | Self::Outside(command) => Some(command),
            _ => None,
        }
    }
}

/// Reads the marks of a prompt, in their order. Marks with other names are left alone.
pub(super) fn directives(prompt: &str) -> Vec<Directive> {
    let mut found = Vec::new();
    let mut rest = prompt;
    while let Some(start) = rest.find("[[") {
        let inner = &rest[start + 2..];
        let Some(end) = closing(inner) else { break };
        let mark = &inner[..end];
        match read(mark) {
            Some(directive) => {
                found.push(directive);
                rest = &inner[end + 2..];
            }
            None => rest = inner,
        }
    }
    found
}

/// A prompt without its marks, on one line.
pub(super) fn without_marks(prompt: &str) -> String {
    let mut out = String::new();
    let mut rest = prompt;
    while let Some(start) = rest.find("[[") {
        let inner = &rest[start + 2..];
        match closing(inner).filter(|end| read(&inner[..*end]).is_some()) {
            Some(end) => {
                out.push_str(&rest[..start]);
                rest = &inner[end + 2..];
            }
            None => {
                out.push_str(&rest[..start + 2]);
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line carries a mark that asks for lines: such a line is a question, not an answer to it.
pub(super) fn asks_to_recall(line: &str) -> bool {
    line.contains("[[recall:")
}

/// Where a mark ends. A shell's own `[[ test ]]` inside is stepped over, and of a run of brackets the last two close.
fn closing(inner: &str) -> Option<usize> {
    let mut depth = 0;
    let mut at = 0;
    while let Some(i) = inner[at..].find(['[', ']']).map(|i| at + i) {
        let here = &inner[i..];
        if here.starts_with("[[ ") {
            depth += 1;
            at = i + 2;
        } else if here.starts_with("]]") && depth > 0 {
            depth -= 1;
            at = i + 2;
        } else if here.starts_with("]]") {
            let run = here.bytes().take_while(|b| *b == b']').count();
            return Some(i + run - 2);
        } else {
            at = i + 1;
        }
    }
    None
}

fn read(mark: &str) -> Option<Directive> {
    let (name, argument) = mark.split_once(':').unwrap_or((mark, ""));
    // `[[cut x1]]` has its number without a colon.
    let (name, argument) = match name.trim().split_once(' ') {
        Some(("cut", number)) => ("cut", number),
        _ => (name.trim(), argument),
    };
    let argument = argument.trim();
    let unclear = || Directive::Unclear(format!("[[{mark}]]"));
    Some(match name {
        "run" if !argument.is_empty() => Directive::Run(argument.to_owned()),
        "outside" if !argument.is_empty() => Directive::Outside(argument.to_owned()),
        "say" => Directive::Say(argument.to_owned()),
        "recall" if !argument.is_empty() => Directive::Recall(argument.to_owned()),
        "slow" => match argument.parse::<f64>() {
            Ok(seconds) if seconds >= 0.0 && seconds.is_finite() => {
                Directive::Slow((seconds * 1000.0).min(SLOWEST_MS) as u64)
            }
            _ => unclear(),
        },
        "fail" => fail(argument).unwrap_or_else(unclear),
        "cut" if argument.is_empty() => Directive::Cut(None),
        "cut" => times(argument).map_or_else(unclear, |n| Directive::Cut(Some(n))),
        "run" | "outside" | "recall" => unclear(),
        _ => return None,
    })
}

/// `429`, `429 x2` or `429x2`.
fn fail(argument: &str) -> Option<Directive> {
    let (status, number) = match argument.split_once('x') {
        Some((status, number)) => (status, Some(number.trim().parse().ok()?)),
        None => (argument, None),
    };
    let status = status.trim().parse().ok().filter(|s| (400..=599).contains(s))?;
    Some(Directive::Fail(status, number))
}

fn times(argument: &str) -> Option<u32> {
    argument.strip_prefix('x')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Directive::*;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_directive_in_its_order() {
        let prompt = "do [[run: echo hi > a.txt]] then [[say: fine]] [[slow: 1.5]][[fail: 429 x2]] [[fail:500]] [[cut]] [[recall: Word]] [[cut x1]] [[note: x]] [[outside: ls /]]";
        assert_eq!(
            directives(prompt),
            [
                Run("echo hi > a.txt".into()),
                Say("fine".into()),
                Slow(1500),
                Fail(429, Some(2)),
                Fail(500, None),
                Cut(None),
                Recall("Word".into()),
                Cut(Some(1)),
                Outside("ls /".into()),
            ]
        );
        assert_eq!(without_marks(prompt), "do then [[note: x]]");
    }

    #[test]
    fn a_shell_s_own_brackets_belong_to_the_command() {
        for command in
            ["if [[ -f a ]]; then echo ${x[0]}; fi", "echo ${a[b[0]]", "echo a]", "printf '%s\n' x"]
        {
            assert_eq!(directives(&format!("[[run: {command}]]")), [Run(command.trim().into())]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for mark in
            ["[[slow: soon]]", "[[fail: 200]]", "[[fail: 429 xa]]", "[[run:]]", "[[cut x]]", "[[slow: -1]]"]
        {
            assert_eq!(directives(mark), [Unclear(mark.into())]);
        }
        assert_eq!(directives("[[slow: 1e300]]"), [Slow(600_000)]);
        assert_eq!(directives("[[run: never closed"), []);
        assert_eq!(directives("[[a]] [[ -f x ]]"), []);
    }

    proptest! {
        #[test]
        fn no_prompt_makes_it_panic(prompt in "(\\PC|\\[\\[|\\]\\]|\\[\\[run: |\\[\\[fail: 5|é){0,30}") {
            directives(&prompt);
            without_marks(&prompt);
        }
    }
}
