//! Owns tmux's formats: `#{pane_id}`, `#{?cond,yes,no}`, `#{==:a,b}`, `#{=10:name}`, loops, and the letters `#S`.
//!
//! Must not know: which names there are or what they are worth; [`Values`] answers for that.
use regex::{Regex, RegexBuilder};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Formats inside formats deeper than this go round in circles.
const MAX_DEPTH: usize = 50;

/// Longest result in bytes: what nobody reads and what must not fill the memory.
const MAX_RESULT: usize = 256 * 1024;

/// Largest pattern of `m/r` and `s` once compiled, in bytes: a person's pattern is far below it.
const MAX_PATTERN: usize = 256 * 1024;

/// What a loop goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// `#{S:…}`: every session.
    Sessions,
    /// `#{W:…}`: every window of the session.
    Windows,
    /// `#{P:…}`: every pane of the window.
    Panes,
}

/// What the names in a format are worth.
pub trait Values {
    /// The value of a name; `None` when there is no such name.
    fn value(&self, name: &str) -> Option<String>;

    /// The values for each turn of a loop, and whether that one is the current one.
    fn each(&self, over: Over) -> Vec<(Box<dyn Values + '_>, bool)> {
        let _ = over;
        Vec::new()
    }

    /// A time of day from seconds of unix time; a format as in strftime, else a usual one.
    fn time(&self, unix: i64, format: Option<&str>) -> String {
        let _ = format;
        unix.to_string()
    }

    /// The first line, from 1, of the pane's text that has this; 0 for none.
    fn search(&self, text: &str) -> usize {
        let _ = text;
        0
    }
}

/// Expands a format. Unknown names are empty, as in tmux; a result is cut where it is too long.
pub fn expand(format: &str, values: &dyn Values) -> String {
    Expander { values, depth: 0 }.text(format)
}

/// Whether a value counts as true: not empty and not `0`.
pub fn is_true(value: &str) -> bool {
    !value.is_empty() && value != "0"
}

/// The names behind the single letters.
const LETTERS: [(char, &str); 9] = [
    ('D', "pane_id"),
    ('F', "window_flags"),
    ('H', "host"),
    ('h', "host_short"),
    ('I', "window_index"),
    ('P', "pane_index"),
    ('S', "session_name"),
    ('T', "pane_title"),
    ('W', "window_name"),
];

#[derive(Clone, Copy)]
struct Expander<'a> {
    values: &'a dyn Values,
    depth: usize,
}

/// One thing to be done with a value, and its arguments.
struct Modifier {
    name: String,
    args: Vec<String>,
}

impl Expander<'_> {
    fn deeper(&self) -> Option<Self> {
        (self.depth < MAX_DEPTH).then_some(Self { values: self.values, depth: self.depth + 1 })
    }

    fn text(&self, format: &str) -> String {
        let mut out = String::with_capacity(format.len());
        let mut rest = format;
        while let Some(at) = rest.find('#') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            match rest.chars().next() {
                Some('{') => match matching(&rest[1..], &['}']) {
                    Some(end) => {
                        out.push_str(&self.deeper().map(|e| e.braces(&rest[1..1 + end])).unwrap_or_default());
                        rest = &rest[end + 2..];
                    }
                    None => return cut(out),
                },
                Some(c @ ('#' | ',' | '}')) => {
                    out.push(c);
                    rest = &rest[1..];
                }
                Some(c) => match LETTERS.iter().find(|(letter, _)| *letter == c) {
                    Some((_, name)) => {
                        out.push_str(&self.values.value(name).unwrap_or_default());
                        rest = &rest[1..];
                    }
                    None => out.push('#'),
                },
                None => out.push('#'),
            }
            if out.len() > MAX_RESULT {
                return cut(out);
            }
        }
        cut(out + rest)
    }

    /// What stands between the braces of `#{…}`.
    fn braces(&self, inside: &str) -> String {
        let (modifiers, rest) = modifiers(inside);
        let has = |name: &str| modifiers.iter().any(|m| m.name == name);
        let find = |name: &str| modifiers.iter().find(|m| m.name == name);
        if has("l") {
            return rest.to_owned();
        }
        if has("a") {
            let code = self.text(rest).parse().ok().filter(|code: &u8| (32..127).contains(code));
            return code.map(|code| char::from(code).to_string()).unwrap_or_default();
        }
        for (name, over) in [("S", Over::Sessions), ("W", Over::Windows), ("P", Over::Panes)] {
            if has(name) {
                return self.each(over, rest);
            }
        }
        let value = if has("C") {
            self.values.search(&self.text(rest)).to_string()
        } else if let Some(compare) = modifiers.iter().find(|m| COMPARE.contains(&m.name.as_str())) {
            self.compare(compare, rest)
        } else if let Some(sum) = find("e") {
            self.arithmetic(sum, rest)
        } else if let Some(condition) = rest.strip_prefix('?') {
            self.condition(condition)
        } else if rest.contains("#{") || rest.contains("#[") {
            self.text(rest)
        } else {
            self.named(rest, &modifiers)
        };
        self.finish(value, &modifiers)
    }

    /// The value of a name, and what is only done with values of names.
    fn named(&self, name: &str, modifiers: &[Modifier]) -> String {
        let mut value = self.values.value(name).unwrap_or_default();
        for modifier in modifiers {
            match modifier.name.as_str() {
                "t" => {
                    let Ok(unix) = value.parse() else { return String::new() };
                    let format = modifier.args.iter().find_map(|arg| arg.strip_prefix('f'));
                    let format = format.or_else(|| modifier.args.get(1).map(String::as_str));
                    value = self.values.time(unix, format);
                }
                "b" => value = value.rsplit('/').next().unwrap_or_default().to_owned(),
                "d" => {
                    value = match value.rsplit_once('/') {
                        Some(("", _)) => "/".into(),
                        Some((dir, _)) => dir.to_owned(),
                        None => ".".into(),
                    }
                }
                "q" if modifier.args.iter().any(|arg| matches!(arg.as_str(), "e" | "h")) => {
                    value = value.replace('#', "##");
                }
                "q" => {
                    let special = |c: char| "|&;<>()$`\\\"'*?[# =%".contains(c);
                    value = value.chars().fold(String::new(), |mut text, c| {
                        if special(c) {
                            text.push('\\');
                        }
                        text.push(c);
                        text
                    });
                }
                _ => {}
            }
        }
        value
    }

    /// What is done with any value at the end.
    fn finish(&self, mut value: String, modifiers: &[Modifier]) -> String {
        for modifier in modifiers {
            match modifier.name.as_str() {
                "E" | "T" => value = self.deeper().map(|e| e.text(&value)).unwrap_or_default(),
                "s" => {
                    if let [pattern, with, flags @ ..] = modifier.args.as_slice() {
                        let flags = flags.first().map_or("", String::as_str);
                        value = substitute(&value, &self.text(pattern), &self.text(with), flags);
                    }
                }
                _ => {}
            }
        }
        for modifier in modifiers {
            let number = || modifier.args.first().and_then(|n| self.text(n).parse::<i32>().ok());
            match modifier.name.as_str() {
                "=" => {
                    if let Some(limit) = number() {
                        let mark = modifier.args.get(1).map(|mark| self.text(mark)).unwrap_or_default();
                        value = trim(&value, limit, &mark);
                    }
                }
                "p" => {
                    if let Some(width) = number() {
                        value = pad(value, width);
                    }
                }
                "n" => value = value.len().to_string(),
                "w" => value = value.width().to_string(),
                _ => {}
            }
        }
        value
    }

    fn condition(&self, text: &str) -> String {
        let Some(at) = matching(text, &[',']) else { return String::new() };
        let (condition, rest) = (&text[..at], &text[at + 1..]);
        let held = match self.values.value(condition) {
            Some(value) => is_true(&value),
            // A name that nobody knows is false; anything else is a format.
            None if condition.contains('#') => is_true(&self.text(condition)),
            None => false,
        };
        let (yes, no) = match matching(rest, &[',']) {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, ""),
        };
        self.deeper().map(|e| e.text(if held { yes } else { no })).unwrap_or_default()
    }

    fn two(&self, rest: &str) -> Option<(String, String)> {
        let at = matching(rest, &[','])?;
        Some((self.text(&rest[..at]), self.text(&rest[at + 1..])))
    }

    fn compare(&self, modifier: &Modifier, rest: &str) -> String {
        let Some((left, right)) = self.two(rest) else { return String::new() };
        let held = match modifier.name.as_str() {
            "==" => left == right,
            "!=" => left != right,
            "<" => left < right,
            ">" => left > right,
            "<=" => left <= right,
            ">=" => left >= right,
            "||" => is_true(&left) || is_true(&right),
            "&&" => is_true(&left) && is_true(&right),
            _ => {
                let flags = modifier.args.first().map_or("", String::as_str);
                matches_pattern(&left, &right, flags)
            }
        };
        u8::from(held).to_string()
    }

    /// `#{e|op|f|places:a,b}`.
    fn arithmetic(&self, modifier: &Modifier, rest: &str) -> String {
        let Some((left, right)) = self.two(rest) else { return String::new() };
        let [operator, options @ ..] = modifier.args.as_slice() else { return String::new() };
        let float = options.first().is_some_and(|flags| flags.contains('f'));
        let places = match options.get(1).map(|places| places.parse::<usize>()) {
            Some(Ok(places)) => places.min(20),
            Some(Err(_)) => return String::new(),
            None => {
                if float {
                    2
                } else {
                    0
                }
            }
        };
        let (Ok(mut left), Ok(mut right)) = (left.trim().parse::<f64>(), right.trim().parse::<f64>()) else {
            return String::new();
        };
        if !float {
            (left, right) = (left.trunc(), right.trunc());
        }
        let truth = |held: bool| f64::from(u8::from(held));
        let mut result = match operator.as_str() {
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            "/" => left / right,
            "m" | "%" | "%%" => left % right,
            "==" => truth((left - right).abs() < 1e-9),
            "!=" => truth((left - right).abs() > 1e-9),
            "<" => truth(left < right),
            ">" => truth(left > right),
            "<=" => truth(left <= right),
            ">=" => truth(left >= right),
            _ => return String::new(),
        };
        if !float {
            result = result.trunc();
        }
        // Neither a division by nothing nor a negative zero is worth a word.
        if !result.is_finite() {
            return String::new();
        }
        format!("{:.places$}", if result == 0.0 { 0.0 } else { result })
    }

    fn each(&self, over: Over, rest: &str) -> String {
        let (every, current) = match matching(rest, &[',']) {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, rest),
        };
        let mut out = String::new();
        for (values, is_current) in self.values.each(over) {
            let inner = Expander { values: &*values, depth: self.depth + 1 };
            if inner.depth >= MAX_DEPTH || out.len() > MAX_RESULT {
                break;
            }
            out.push_str(&inner.text(if is_current { current } else { every }));
        }
        out
    }
}

/// The modifiers that compare two values.
const COMPARE: [&str; 9] = ["==", "!=", "<", ">", "<=", ">=", "||", "&&", "m"];

/// Takes the modifiers off the front: `t;=5:name` has two. Without a colon behind them there are none.
fn modifiers(inside: &str) -> (Vec<Modifier>, &str) {
    let mut found = Vec::new();
    let mut rest = inside;
    loop {
        let Some(first) = rest.chars().next() else { return (Vec::new(), inside) };
        if first == ':' {
            return if found.is_empty() { (found, inside) } else { (found, &rest[1..]) };
        }
        if first == ';' {
            rest = &rest[1..];
            continue;
        }
        let ends = |text: &str| text.starts_with([':', ';']);
        if let Some(name) = rest.get(..2).filter(|name| COMPARE.contains(name) && ends(&rest[2..])) {
            found.push(Modifier { name: name.to_owned(), args: Vec::new() });
            rest = &rest[2..];
            continue;
        }
        if "labcdnwETSWPL<>".contains(first) && ends(&rest[1..]) {
            found.push(Modifier { name: first.to_string(), args: Vec::new() });
            rest = &rest[1..];
            continue;
        }
        if !"mCNst=peq".contains(first) {
            return (Vec::new(), inside);
        }
        let name = first.to_string();
        rest = &rest[1..];
        let Some(next) = rest.chars().next() else { return (Vec::new(), inside) };
        if matches!(next, ':' | ';') {
            found.push(Modifier { name, args: Vec::new() });
            continue;
        }
        if !next.is_ascii_punctuation() || next == '-' {
            let Some(end) = matching(rest, &[':', ';']) else { return (Vec::new(), inside) };
            found.push(Modifier { name, args: vec![rest[..end].to_owned()] });
            rest = &rest[end..];
            continue;
        }
        // Arguments between a mark of one's choice: `s/a/b/`.
        let mut args = Vec::new();
        rest = &rest[1..];
        loop {
            let Some(end) = matching(rest, &[next, ';', ':']) else { return (Vec::new(), inside) };
            args.push(rest[..end].to_owned());
            rest = &rest[end..];
            match rest.strip_prefix(next) {
                Some(after) if ends(after) => {
                    rest = after;
                    break;
                }
                Some(after) => rest = after,
                None => break,
            }
        }
        found.push(Modifier { name, args });
    }
}

/// Where one of these stands outside of inner `#{…}`.
fn matching(text: &str, ends: &[char]) -> Option<usize> {
    let mut depth = 0usize;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '#'
            && let Some((_, next)) = chars.peek().copied()
        {
            if next == '{' {
                depth += 1;
            }
            if ",#{}:".contains(next) {
                chars.next();
                continue;
            }
        }
        if depth == 0 && ends.contains(&c) {
            return Some(at);
        }
        if c == '}' {
            depth = depth.saturating_sub(1);
        }
    }
    None
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_RESULT {
        let end = (0..=MAX_RESULT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// So many columns from the left, or with a negative number from the right; the mark shows that some are missing.
fn trim(text: &str, limit: i32, mark: &str) -> String {
    let room = usize::try_from(limit.unsigned_abs()).unwrap_or(usize::MAX);
    if text.width() <= room {
        return text.to_owned();
    }
    let mut used = 0;
    let mut fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= room
    };
    if limit >= 0 {
        let kept: String = text.chars().take_while(&mut fits).collect();
        kept + mark
    } else {
        let kept: Vec<char> = text.chars().rev().take_while(fits).collect();
        mark.chars().chain(kept.into_iter().rev()).collect()
    }
}

fn pad(text: String, width: i32) -> String {
    let wanted = usize::try_from(width.unsigned_abs()).unwrap_or(0).min(MAX_RESULT);
    let missing = " ".repeat(wanted.saturating_sub(text.width()));
    if width >= 0 { text + &missing } else { missing + &text }
}

fn pattern(text: &str, flags: &str) -> Option<Regex> {
    RegexBuilder::new(text).case_insensitive(flags.contains('i')).size_limit(MAX_PATTERN).build().ok()
}

/// `#{m:pattern,text}`: a shell pattern, with `r` an expression, with `i` whatever the case.
fn matches_pattern(wanted: &str, text: &str, flags: &str) -> bool {
    if flags.contains('r') {
        return pattern(wanted, flags).is_some_and(|regex| regex.is_match(text));
    }
    glob(wanted, flags).is_some_and(|regex| regex.is_match(text))
}

fn glob(wanted: &str, flags: &str) -> Option<Regex> {
    let mut regex = String::from("(?s)^");
    let mut chars = wanted.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                let mut class = String::from("[");
                if let Some('!' | '^') = chars.peek() {
                    chars.next();
                    class.push('^');
                }
                for c in chars.by_ref() {
                    if c == ']' && class.len() > 1 {
                        break;
                    }
                    if matches!(c, '\\' | '[' | '&' | '~') {
                        class.push('\\');
                    }
                    class.push(c);
                }
                regex.push_str(&class);
                regex.push(']');
            }
            '\\' => regex.push_str(&regex::escape(&chars.next().unwrap_or('\\').to_string())),
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    regex.push('$');
    pattern(&regex, flags)
}

/// `#{s/pattern/with/flags:…}`; `\1` in `with` is the first group.
fn substitute(text: &str, wanted: &str, with: &str, flags: &str) -> String {
    let Some(regex) = pattern(wanted, flags) else { return text.to_owned() };
    let mut template = String::new();
    let mut chars = with.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => template.push_str("$$"),
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => template.push_str(&format!("${{{digit}}}")),
                Some(other) => template.push(other),
                None => template.push('\\'),
            },
            c => template.push(c),
        }
    }
    regex.replace_all(text, template.as_str()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Known;

    impl Values for Known {
        fn value(&self, name: &str) -> Option<String> {
            let value = match name {
                "pane_id" => "%1",
                "pane_active" | "one" => "1",
                "zero" => "0",
                "empty" => "",
                "session_name" => "shop",
                "path" => "/usr/local/bin",
                "format" => "<#{session_name}>",
                "loop" => "#{E:loop}",
                "wide" => "日本語",
                _ => return None,
            };
            Some(value.to_owned())
        }
    }

    /// Each line was tried with tmux 3.3a, with these values as user options or by their own names.
    #[test]
    fn formats_expand_as_in_tmux() {
        for (format, wanted) in [
            ("#{pane_id} #{pane_active} x", "%1 1 x"),
            ("[#{nosuch}] ## #x #", "[] # #x #"),
            ("#S #D", "shop %1"),
            ("#{?pane_active,yes,no}", "yes"),
            ("#{?zero,yes,no}#{?empty,yes,no}#{?nosuch,yes,no}", "nonono"),
            ("#{?#{==:#{session_name},shop},in shop,elsewhere}", "in shop"),
            ("#{?one,#{?zero,a,b},c}", "b"),
            ("#{?one,a#,b,c}", "a,b"),
            ("#{==:a,a}#{!=:a,a}#{<:a,b}#{>:a,b}#{<=:b,b}#{>=:a,b}", "101010"),
            ("#{||:0,1}#{&&:1,0}#{&&:1,x}", "101"),
            ("#{m:*op,#{session_name}}#{m:sho,#{session_name}}", "10"),
            ("#{m/r:^s.op$,#{session_name}}#{m/ri:SHOP,#{session_name}}", "11"),
            ("#{=2:session_name}|#{=-2:session_name}|#{=/2/…:session_name}", "sh|op|sh…"),
            ("#{p6:session_name}|#{p-6:session_name}|", "shop  |  shop|"),
            ("#{=3;p5:session_name}|", "sho  |"),
            ("#{b:path} #{d:path}", "bin /usr/local"),
            ("#{n:session_name} #{w:wide} #{n:wide}", "4 6 9"),
            ("#{=4:wide}", "日本"),
            ("#{s/o/0/:session_name} #{s/(.)o/\\1x/:session_name}", "sh0p shxp"),
            ("#{s/O/0/i:session_name}", "sh0p"),
            ("#{E:format} #{format}", "<shop> <#{session_name}>"),
            ("#{l:#{pane_id}}#{l:a#,b}", "#{pane_id}a#,b"),
            ("#{e|+|:1,2} #{e|-|:1,2} #{e|*|:3,4} #{e|/|:9,2} #{e|m|:9,4}", "3 -1 12 4 1"),
            ("#{e|/|f|3:9,2} #{e|+|f:1,2} #{e|<|:1,2} #{e|==|:2,2}", "4.500 3.00 1 1"),
            ("#{a:65}", "A"),
            ("#{q:path}", "/usr/local/bin"),
            ("#{loop}", "#{E:loop}"),
            ("#{E:loop}", ""),
        ] {
            assert_eq!(expand(format, &Known), wanted, "{format}");
        }
    }

    proptest! {
        #[test]
        fn no_format_is_too_strange(format in "[#{}?,:;=pms/|el0-9a-z%\\[\\]日]{0,60}") {
            let _ = expand(&format, &Known);
        }
    }
}
