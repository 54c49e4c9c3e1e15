//! What every executor of the registry must fulfil, whatever its CLI is like.
use super::{furnished::Furnished, *};
use crate::{router::Catalogue, state::Permission};
use std::{collections::BTreeSet, path::Path};

const PERMISSIONS: [Permission; 5] =
    [Permission::Ask, Permission::Edits, Permission::Plan, Permission::Full, Permission::Readonly];

/// Homes in which an executor can run.
fn homes(executor: &dyn Executor) -> Vec<Home> {
    let entry = Catalogue::builtin().executor(&executor.id()).unwrap();
    let overlays = [Home::Empty, Home::Overlay { inherit_user: true }, Home::Overlay { inherit_user: false }];
    overlays.into_iter().chain(entry.login.then_some(Home::Users)).collect()
}

#[test]
fn each_is_in_the_catalogue_once_and_says_who_it_is() {
    let mut seen = BTreeSet::new();
    for executor in registry() {
        let id = executor.id();
        assert!(Catalogue::builtin().executor(&id).is_ok(), "{id} is not in the catalogue");
        assert!(seen.insert(id.clone()), "{id} is registered twice");
        assert!(!executor.title().is_empty() && !executor.program().is_empty(), "{id}");
        assert!(!executor.program().contains('/'), "{id}: a program is looked up by its name");
        if let Some(package) = executor.package() {
            assert!(package.version.split('.').count() >= 3 && package.size_mb > 0, "{id}");
            assert!(
                !package.binaries.is_empty() && package.binaries.iter().all(|b| !b.starts_with('/')),
                "{id}"
            );
        }
        let (overlay, names) = executor.records();
        assert!(Path::new(overlay).is_relative() && names.iter().all(|n| Path::new(n).is_relative()), "{id}");
    }
    for entry in &Catalogue::builtin().executors {
        assert!(seen.contains(&entry.id), "{} cannot be started", entry.id);
    }
}

#[test]
fn each_launches_in_every_home_inside_the_panes_directory_alone() {
    for executor in registry() {
        let id = executor.id();
        for home in homes(*executor) {
            let furnished = Furnished::new();
            let plan = furnished.plan(id.as_str(), home, true);
            assert!(Path::new(&plan.argv[0]).is_absolute(), "{id}");
            let files = plan.files.iter().map(|f| String::from_utf8_lossy(&f.contents).into_owned());
            let words = plan.argv.iter().chain(plan.env_set.values()).cloned().chain(files);
            let runs = words.into_iter().any(|word| word.contains("/bin/cli"));
            assert!(runs, "{id}: the binary that was found is not the one that runs");
            assert!(!plan.config_home.as_os_str().is_empty(), "{id} {home:?}");
            let forbidden = |name: &str| name == "HOME" || name.starts_with("XDG_");
            assert!(!plan.env_set.keys().chain(&plan.env_remove).any(|n| forbidden(n)), "{id} {home:?}");
            for file in plan.files.iter() {
                assert_eq!(file.mode & 0o077, 0, "{id}: {} is open to others", file.path.display());
            }
            apply(&plan, &furnished.pane).unwrap_or_else(|why| panic!("{id} {home:?}: {why}"));
            let joined = plan.argv.join(" ");
            assert!(!joined.contains("pane-token"), "{id}: the token is an argument");
            let again = || furnished.plan(id.as_str(), home, false);
            assert!(again() == again(), "{id} {home:?}: a plan is a value");
        }
    }
}

#[test]
fn each_word_of_the_permissions_changes_the_launch_or_is_explained() {
    for executor in registry() {
        let id = executor.id();
        let furnished = Furnished::new();
        let plan = |permission| {
            furnished
                .plan_with(id.as_str(), Home::Empty, true, None, |request| request.permission = permission)
        };
        let mut told = Vec::new();
        for permission in PERMISSIONS {
            let plan = plan(permission);
            let said = format!("{:?} {:?}", plan.argv, plan.env_set);
            let alike = told.iter().any(|(before, _): &(String, Permission)| *before == said);
            let files: Vec<_> = plan.files.iter().map(|f| (f.path.clone(), f.contents.clone())).collect();
            let explained = plan
                .notes
                .iter()
                .any(|note| note.to_lowercase().contains(&format!("{permission:?}").to_lowercase()));
            assert!(
                !alike || explained || !files.is_empty(),
                "{id}: {permission:?} does the same as another, unsaid"
            );
            told.push((said, permission));
        }
        let (ask, full) = (plan(Permission::Ask), plan(Permission::Full));
        assert!(ask != full, "{id}: full is no more than ask");
    }
}

#[test]
fn each_types_a_prompt_and_ends_it_with_enter() {
    for executor in registry() {
        let id = executor.id();
        for text in [
            "say this",
            "first line\nsecond line",
            "/compact",
            "\u{1b}[201~ and \u{1b}c more",
            &"long ".repeat(4_000),
        ] {
            let mut written = Vec::new();
            for step in executor.submit(text) {
                if let SubmitStep::Write(bytes) = step {
                    written.extend(bytes);
                }
            }
            assert!(written.ends_with(b"\r") || written.ends_with(b"\n"), "{id}: {text:?} is not submitted");
            let pasted = String::from_utf8_lossy(&written).into_owned();
            assert!(pasted.matches("\u{1b}[201~").count() <= 1, "{id}: the text ends its own paste");
            assert!(!pasted.contains("\u{1b}c"), "{id}: an escape of the text reaches the CLI");
        }
    }
}

#[test]
fn each_says_nothing_of_an_empty_screen_and_never_needs_you_without_evidence() {
    let prose = [
        "     He asked whether it was done.",
        "     The limit of the road is near; it retries nothing.",
        "  > ",
    ];
    let prose: Vec<String> = prose.iter().map(|line| (*line).to_owned()).collect();
    for executor in registry() {
        let id = executor.id();
        assert_eq!(executor.watch(&Signals::default()), None, "{id}");
        let seen = executor.watch(&Signals { bottom: &prose, ..Signals::default() });
        let status = seen.map(|report| report.status);
        assert_ne!(status, Some(crate::state::Status::NeedsYou), "{id}");
        assert_ne!(status, Some(crate::state::Status::Limited), "{id}");
    }
}

/// A screen as it was kept: `name: value` lines, then the live bottom of it behind `screen:`.
fn kept(text: &str) -> (std::collections::BTreeMap<&str, &str>, Vec<String>) {
    let (head, screen) = text.split_once("screen:\n").unwrap();
    let head = head.lines().filter_map(|line| line.split_once(": ")).collect();
    (head, screen.lines().map(str::to_owned).collect())
}

#[test]
fn each_recorded_screen_is_read_as_it_was_meant() {
    for executor in registry() {
        let id = executor.id();
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/executors");
        let dir = dir.join(id.as_str().replace('-', "_")).join("screens");
        let mut seen = BTreeSet::new();
        for file in std::fs::read_dir(&dir).unwrap_or_else(|_| panic!("{id} has no screens")).flatten() {
            let text = std::fs::read_to_string(file.path()).unwrap();
            let (head, bottom) = kept(&text);
            let said = executor.watch(&Signals {
                title: head.get("title").copied().unwrap_or_default(),
                osc7501: head.get("osc7501").copied(),
                bottom: &bottom,
                ..Signals::default()
            });
            let said = said.unwrap_or_else(|| panic!("{}: nothing is read", file.path().display()));
            assert_eq!(said.status.as_str(), head["status"], "{}", file.path().display());
            assert_eq!(
                said.detail,
                head.get("detail").copied().unwrap_or_default(),
                "{}",
                file.path().display()
            );
            seen.insert(head["status"].to_owned());
        }
        for status in ["idle", "needs-you", "working"] {
            assert!(seen.contains(status), "{id} has no screen of {status}: {seen:?}");
        }
    }
}

#[test]
fn each_has_an_empty_history_where_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let cwd = Path::new("/srv/nowhere");
    for executor in registry() {
        let id = executor.id();
        assert_eq!(executor.sessions(dir.path(), cwd), [], "{id}");
        for session in ["none", "../../etc/passwd", ""] {
            assert_eq!(executor.transcript(dir.path(), cwd, session), None, "{id}: {session:?}");
        }
        let look = Running {
            pid: None,
            config_home: dir.path(),
            cwd,
            since: std::time::SystemTime::now(),
            taken: &[],
        };
        assert_eq!(executor.running_session(&look), None, "{id}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{id}: looking left something behind");
    }
}

#[test]
fn each_resumes_what_it_is_told_and_refuses_what_could_be_a_flag() {
    for executor in registry() {
        let id = executor.id();
        for home in homes(*executor) {
            let furnished = Furnished::new();
            let mut resumed = None;
            let mut refused = None;
            furnished.plan_with(id.as_str(), home, true, None, |request| {
                let fresh =
                    std::mem::replace(&mut request.session, SessionChoice::Resume("ses_1a-2b".into()));
                resumed = executor.launch(request).ok();
                request.session = SessionChoice::Resume("--yes".into());
                refused = executor.launch(request).err();
                request.session = fresh;
            });
            let plan = resumed.unwrap_or_else(|| panic!("{id} {home:?} does not resume"));
            let told = plan.argv.iter().any(|a| a.contains("ses_1a-2b"))
                || plan.session.as_deref() == Some("ses_1a-2b");
            assert!(told, "{id} {home:?}: {:?}", plan.argv);
            assert!(refused.is_some(), "{id} {home:?} takes a flag for a session");
        }
    }
}
