//! What the documents say is so: keys, verbs, settings, rooms, bounds, dependencies; and what no file may contain.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
use inspan::{
    commands,
    config::{self, Settings},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Lines of code, comments and blank lines left out, that a module may have; beyond it nobody finds anything.
const MODULE_LINES: usize = 700;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The part of a document under the heading of that name, up to the next heading of the same or a higher level.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let rest = &text[start + heading.len() + 2..];
    let level = heading.chars().take_while(|c| *c == '#').count();
    let next = (1..=level).filter_map(|n| rest.find(&format!("\n{} ", "#".repeat(n)))).min();
    &rest[..next.unwrap_or(rest.len())]
}

/// The cells of each row of the tables in a text, headers and rulers left out.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_row = |line: &str| line.starts_with('|');
    let is_ruler = |line: &str| is_row(line) && line.chars().all(|c| "|-: ".contains(c));
    lines
        .iter()
        .enumerate()
        .filter(|(at, line)| {
            let header = lines.get(at + 1).is_some_and(|next| is_ruler(next));
            is_row(line) && !is_ruler(line) && !header
        })
        .map(|(_, line)| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// What stands between backticks; fenced blocks are no spans.
fn spans(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    let mut prose: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.push(line);
        }
    }
    for line in prose {
        found.extend(line.split('`').skip(1).step_by(2));
    }
    found
}

/// The contents of the fenced blocks in one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(named) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
        if named == language {
            found.push(body.join("\n") + "\n");
        }
    }
    found
}

/// Spans of a cell, with `a` … `z` written out for one running digit.
fn listed(cell: &str) -> Vec<String> {
    let names = spans(cell);
    match (cell.contains('…'), names.as_slice()) {
        (true, [first, last]) => {
            let (head, from) = first.split_at(first.len() - 1);
            let to = &last[head.len()..];
            let (from, to): (u32, u32) = (from.parse().unwrap(), to.parse().unwrap());
            (from..=to).map(|n| format!("{head}{n}")).collect()
        }
        _ => names.into_iter().map(str::to_owned).collect(),
    }
}

#[test]
fn the_readme_lists_every_key() {
    let readme = read("README.md");
    let mut told = BTreeMap::new();
    for row in rows(section(&readme, "## Keys")) {
        let (keys, commands) = (listed(row[0]), listed(row[1]));
        assert_eq!(keys.len(), commands.len(), "{row:?}");
        for (key, command) in keys.into_iter().zip(commands) {
            assert!(told.insert(key.clone(), command).is_none(), "{key} stands there twice");
        }
    }
    assert_eq!(told, Settings::default().keys);
    let prefix = Settings::default().prefix;
    assert!(section(&readme, "## Keys").contains(&format!("`{prefix}`")), "the prefix is {prefix}");
}

#[test]
fn the_reference_is_what_the_table_says() {
    let text = inspan::cli::reference::markdown();
    assert_eq!(read("docs/reference.md"), text, "write it anew: inspan reference >docs/reference.md");
    for row in commands::rows() {
        assert!(text.contains(&format!("\n### {}\n", row.name)), "{} is missing", row.name);
    }
}

/// A command line of ours, tried as the program tries it; `None` when it is none. A line in prose may leave the arguments
/// away (`inspan install`), one that is to be copied may not.
fn parsed(line: &str, prose: bool) -> Option<Result<(), String>> {
    let line = line.split("  #").next().unwrap_or(line).trim();
    let line = line.rsplit("&& ").next().unwrap_or(line);
    let words = line
        .strip_prefix("inspan")
        .or_else(|| line.strip_prefix("cargo run --release --"))
        .filter(|rest| rest.is_empty() || rest.starts_with(' '))?;
    let words = commands::split_words(words).unwrap();
    if words.is_empty() {
        return Some(Ok(()));
    }
    let result = commands::parse(&words).map(drop);
    Some(result.or_else(|error| match error.kind() {
        clap::error::ErrorKind::MissingRequiredArgument if prose => Ok(()),
        _ => Err(format!("{line}: {error}")),
    }))
}

#[test]
fn every_command_in_the_documents_parses() {
    let mut seen = 0;
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let text = read(name);
        let shell = blocks(&text, "sh").join("");
        let lines =
            shell.lines().map(|line| (line, false)).chain(spans(&text).into_iter().map(|s| (s, true)));
        for (line, prose) in lines {
            let Some(result) = parsed(line, prose) else { continue };
            result.unwrap_or_else(|error| panic!("{name}: {error}"));
            seen += 1;
        }
    }
    assert!(seen > 25, "only {seen} commands were found");
    for wrong in ["inspan frobnicate", "inspan install", "inspan plan --no-such-option"] {
        assert!(parsed(wrong, false).is_some_and(|result| result.is_err()), "{wrong}");
    }
}

#[test]
fn what_the_readme_misses_is_really_missing() {
    let readme = read("README.md");
    let verbs: BTreeSet<String> = commands::rows().into_iter().map(|row| row.name).collect();
    let missing = spans(section(&readme, "## Not there yet"));
    assert!(!missing.is_empty(), "the section has verbs");
    // What the section names as the way that works is there; a verb that it says is missing is not.
    for word in missing.iter().filter(|word| !["capture-pane", "events"].contains(word)) {
        assert!(!verbs.contains(*word), "`{word}` exists now: say so in the README");
    }
}

#[test]
fn the_settings_in_the_documents_are_understood() {
    let readme = read("README.md");
    let directory = tempfile::tempdir().unwrap();
    let mut kinds = BTreeMap::new();
    for block in blocks(&readme, "toml") {
        let kind = block.lines().next().unwrap().trim_start_matches("# ").to_owned();
        let problems = match kind.as_str() {
            "config.toml" => Settings::parse(&[("README.md", &block)]).1,
            "policy.toml" => {
                let file = directory.path().join("policy.toml");
                fs::write(&file, &block).unwrap();
                drop(file);
                config::PolicyFiles::new(directory.path(), None).load().1
            }
            ".inspan.toml" => {
                config::workspace::WorkspaceFile::parse(Path::new(".inspan.toml"), block.clone()).problems
            }
            other => panic!("a block of settings begins with its file's name, not with {other:?}"),
        };
        assert!(problems.is_empty(), "{problems:?} in\n{block}");
        *kinds.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(kinds.len(), 3, "every file is shown: {kinds:?}");
}

#[test]
fn the_example_settings_are_the_defaults() {
    let example = read("config.example.toml");
    assert_eq!(example, config::EXAMPLE, "the embedded text is this file");
    let (mut settings, problems) = Settings::parse(&[("config.example.toml", &example)]);
    assert!(problems.is_empty(), "{problems:?}");
    settings.origins.clear();
    assert_eq!(settings, Settings::default());
}

/// A room as the table in `ARCHITECTURE.md` has it.
struct Room {
    name: String,
    pure: bool,
}

/// The rooms, from the top of the house down.
fn rooms() -> Vec<Room> {
    let text = read("ARCHITECTURE.md");
    rows(section(&text, "## Rooms"))
        .iter()
        .map(|row| Room {
            name: row[0].trim_matches('`').trim_end_matches('/').into(),
            pure: row[1] == "pure",
        })
        .collect()
}

#[test]
fn the_rooms_are_the_directories() {
    let told: Vec<String> = rooms().into_iter().map(|room| room.name).collect();
    let there: BTreeSet<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), there);
    assert_eq!(told.len(), there.len(), "a room stands there twice: {told:?}");
    for name in &there {
        let first = read(&format!("src/{name}/mod.rs"));
        assert!(first.starts_with("//! Owns "), "src/{name}/mod.rs begins with what it owns");
        let head: String = first.lines().take_while(|line| line.starts_with("//!")).collect();
        let bounded = head.contains("Must not know") || ["server", "commands"].contains(&name.as_str());
        assert!(bounded, "src/{name}/mod.rs says what it must not know");
    }
}

/// Every file below a directory, sorted; build output and version control left out.
fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        // A checkout may hold build output or a worktree under any name; cargo marks the former.
        let built = name == "target" || path.join("CACHEDIR.TAG").exists();
        if name == ".git" || built {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A room's modules that are built into the program, without comments and without their test modules.
fn code_of(room: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut tests: Vec<PathBuf> = Vec::new();
    for file in files(&root().join("src").join(room)) {
        if file.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        // Where `mod name;` of this file looks for its modules.
        let home = if file.ends_with("mod.rs") { file.with_file_name("") } else { file.with_extension("") };
        let mut code = String::new();
        let mut for_tests = false;
        let mut elsewhere = None;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            if line == "#[cfg(test)]" {
                for_tests = true;
            } else if for_tests && line.starts_with('#') {
                elsewhere = line.split('"').nth(1).map(|path| file.with_file_name(path));
            } else if let Some(module) = line.strip_prefix("mod ").filter(|_| for_tests) {
                let Some(name) = module.strip_suffix(';') else { break };
                let usual = [home.join(format!("{name}.rs")), home.join(name)];
                tests.extend(elsewhere.take().map_or_else(|| usual.to_vec(), |path| vec![path]));
                for_tests = false;
            } else {
                code.push_str(line);
                code.push('\n');
                for_tests = false;
            }
        }
        found.push((file, code));
    }
    found.retain(|(file, _)| !tests.iter().any(|test| file.starts_with(test)));
    found
}

/// The rooms that a piece of code names after `crate::`.
fn used(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut first = true;
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => first = true,
                c if c.is_whitespace() => {}
                _ if first && depth == 0 => {
                    found.insert(word(&list[i..]));
                    first = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn no_room_uses_one_above_it() {
    let rooms = rooms();
    let place = |name: &str| rooms.iter().position(|room| room.name == name);
    let mut edges = 0;
    for (at, room) in rooms.iter().enumerate() {
        for (file, code) in code_of(&room.name) {
            for other in used(&code).iter().filter_map(|name| place(name)) {
                let name = &rooms[other].name;
                assert!(other >= at, "{} uses {name}, which is above it", file.display());
                edges += usize::from(other > at);
            }
        }
    }
    assert!(edges > 100, "only {edges} uses were found");
}

#[test]
fn pure_rooms_take_time_files_and_environment_as_arguments() {
    /// What makes a room depend on the machine that it runs on.
    const IMPURE: [&str; 7] =
        ["tokio::", "std::fs", "std::env", "std::net", "std::process", "SystemTime::now", "Instant::now"];
    let pure: Vec<Room> = rooms().into_iter().filter(|room| room.pure).collect();
    assert!(pure.len() > 5, "the table says which rooms are pure");
    for (file, code) in pure.iter().flat_map(|room| code_of(&room.name)) {
        // `env!` reads the build's environment, not the machine's.
        let code = code.replace("std::env!", "");
        for word in IMPURE {
            assert!(!code.contains(word), "{} uses {word}", file.display());
        }
    }
}

#[test]
fn the_bounds_in_the_table_exist() {
    let text = read("ARCHITECTURE.md");
    let bounds = rows(section(&text, "## Bounds"));
    assert!(bounds.len() > 20, "only {} bounds", bounds.len());
    for row in bounds {
        let (name, file) = (row[0].trim_matches('`'), row[2].trim_matches('`'));
        let code = read(&format!("src/{file}"));
        let defined = format!("const {name}: ");
        assert!(code.contains(&defined), "src/{file} has no {name}");
    }
}

#[test]
fn modules_stay_readable() {
    for file in files(&root().join("src")).into_iter().chain(files(&root().join("tests"))) {
        if file.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
            let lines = code.count();
            assert!(
                lines <= MODULE_LINES,
                "{} has {lines} lines of code; split it by concept",
                file.display()
            );
        }
    }
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    // Taken apart, so that this file does not contain them itself.
    let hosts =
        [["registry.", "npmjs"], ["npmjs.", "org"], ["index.crates", ".io"], ["static.crates", ".io"]];
    let mut forbidden: Vec<String> = hosts.iter().map(|parts| parts.concat()).collect();
    forbidden.push(root().display().to_string());
    let home = std::env::var("HOME").unwrap_or_default();
    if home.len() > 1 {
        forbidden.push(format!("{home}/.cargo"));
        forbidden.push(format!("{home}/.rustup"));
        // Short names such as /root stand in tests of paths; a person's home does not.
        if home.starts_with("/home/") || home.starts_with("/Users/") {
            forbidden.push(format!("{home}/"));
        }
    }
    for file in files(root()) {
        // Cargo writes its registry's name into the lock file by itself.
        if file.ends_with("Cargo.lock") || file.is_symlink() {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        for word in &forbidden {
            assert!(!text.contains(word.as_str()), "{} contains {word}", file.display());
        }
    }
}

/// What cargo knows of every package that is built for this machine, from the lock file and the local registry alone.
fn packages() -> serde_json::Value {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform"])
        .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_dependency_has_a_line_and_an_allowed_licence() {
    let metadata = packages();
    let packages: BTreeMap<&str, &serde_json::Value> =
        metadata["packages"].as_array().unwrap().iter().map(|p| (p["id"].as_str().unwrap(), p)).collect();
    let nodes: BTreeMap<&str, &serde_json::Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| (n["id"].as_str().unwrap(), n))
        .collect();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();

    let ours = metadata["resolve"]["root"].as_str().unwrap();
    let direct: BTreeMap<String, String> = packages[ours]["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|wanted| {
            let name = text(&wanted["name"]);
            let package = packages.values().find(|p| {
                let ids = nodes[ours]["dependencies"].as_array().unwrap();
                p["name"] == wanted["name"] && ids.contains(&p["id"])
            });
            let licence = package.map(|p| text(&p["license"])).unwrap_or_default();
            (name, licence.replace('/', " OR "))
        })
        .collect();
    let architecture = read("ARCHITECTURE.md");
    let told: BTreeMap<String, String> = rows(section(&architecture, "## Dependencies"))
        .iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].to_owned()))
        .collect();
    assert_eq!(told, direct, "left: ARCHITECTURE.md, right: Cargo.toml and what cargo knows");

    let deny: toml::Table = read("deny.toml").parse().unwrap();
    let allowed: BTreeSet<&str> =
        deny["licenses"]["allow"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    let mut reached = BTreeSet::new();
    let mut waiting = vec![ours];
    while let Some(id) = waiting.pop() {
        if !reached.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let built = dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev");
            if built {
                waiting.push(dependency["pkg"].as_str().unwrap());
            }
        }
    }
    assert!(reached.len() > 100, "only {} packages", reached.len());
    for id in reached {
        let licence = text(&packages[id]["license"]).replace('/', " OR ");
        let fits = may_use(&licence, &allowed);
        assert!(fits, "{} is under {licence:?}, which deny.toml does not allow", text(&packages[id]["name"]));
    }
}

/// Whether one of the choices that a licence expression leaves is allowed as a whole.
fn may_use(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    // Expressions in use are flat, or `(A OR B) AND C`.
    if let Some((group, rest)) = expression.strip_prefix('(').and_then(|e| e.split_once(") AND ")) {
        return may_use(group, allowed) && may_use(rest, allowed);
    }
    let all = |part: &str| part.split(" AND ").all(|one| allowed.contains(one.trim()));
    expression.split(" OR ").any(all)
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    let allowed = BTreeSet::from(["MIT", "ISC"]);
    for fits in ["MIT", "GPL-3.0 OR MIT", "MIT AND ISC", "(GPL-3.0 OR MIT) AND ISC"] {
        assert!(may_use(fits, &allowed), "{fits}");
    }
    for not in ["GPL-3.0", "", "MIT AND GPL-3.0", "(GPL-3.0 OR MIT) AND Zlib"] {
        assert!(!may_use(not, &allowed), "{not}");
    }
}
