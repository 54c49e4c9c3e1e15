//! What every launch plan shares: variables that leave the environment, arguments that are safe to pass, and
//! `apply`, which writes a plan's files below the pane's own directory and nowhere else.
use super::{GeneratedFile, LaunchPlan, LaunchRequest};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

/// The longest prompt that travels as one argument. Linux refuses an argument of 128 KiB; half of that leaves
/// room for multi-byte text that a wrapper script may quote again.
pub const MAX_PROMPT_ARG: usize = 64 * 1024;

/// Variables that would send a harness's requests elsewhere or charge someone else; removed for every harness pane.
pub const PROVIDER_VARS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_BEDROCK_BASE_URL",
    "ANTHROPIC_VERTEX_BASE_URL",
    "ANTHROPIC_VERTEX_PROJECT_ID",
    "ANTHROPIC_FOUNDRY_API_KEY",
    "ANTHROPIC_FOUNDRY_BASE_URL",
    "ANTHROPIC_FOUNDRY_RESOURCE",
    "AWS_BEARER_TOKEN_BEDROCK",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_VERTEX",
    "OPENAI_API_KEY",
    "OPENAI_API_BASE",
    "OPENAI_BASE_URL",
    "OPENAI_ORGANIZATION",
    "CODEX_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GEMINI_API_KEY_AUTH_MECHANISM",
    "GEMINI_CLI_CUSTOM_HEADERS",
    "GOOGLE_API_KEY",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_GENAI_API_VERSION",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_VERTEX_BASE_URL",
    "OPENROUTER_API_KEY",
    "OPENROUTER_BASE_URL",
    "XAI_API_KEY",
    "GROK_CODE_XAI_API_KEY",
    "GROK_MODELS_BASE_URL",
    "GROK_XAI_API_BASE_URL",
    "GROK_CLI_CHAT_PROXY_BASE_URL",
];

/// Variables that choose or carry a CLI's own login: they stay under `login` and leave otherwise.
pub const LOGIN_VARS: &[&str] = &[
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_REFRESH_TOKEN",
    "CODEX_ACCESS_TOKEN",
    "GOOGLE_GENAI_USE_GCA",
    "CODE_ASSIST_ENDPOINT",
    "OPENCODE_API_KEY",
    "OPENCODE_AUTH_CONTENT",
    "OPENCODE_CONSOLE_TOKEN",
];

/// Is this a variable, in the process or in a CLI's own settings, that would compete with our route?
pub(super) fn competes(name: &str) -> bool {
    PROVIDER_VARS.contains(&name) || LOGIN_VARS.contains(&name)
}

/// Marks provider variables for removal and says which were present.
pub(super) fn scrub(plan: &mut LaunchPlan, env: &BTreeMap<String, String>, keep_login: bool) {
    plan.env_remove.extend(PROVIDER_VARS.iter().map(|v| (*v).to_owned()));
    if !keep_login {
        plan.env_remove.extend(LOGIN_VARS.iter().map(|v| (*v).to_owned()));
    }
    let present: Vec<&str> =
        plan.env_remove.iter().filter(|v| env.contains_key(*v)).map(String::as_str).collect();
    if !present.is_empty() {
        let note = format!("not passed on from your environment: {}", present.join(", "));
        plan.notes.push(note);
    }
}

/// Keeps the loopback gateway out of reach of a proxy that the user's environment names.
pub(super) fn bypass_proxy(plan: &mut LaunchPlan, env: &BTreeMap<String, String>) {
    const PROXIES: &[&str] =
        &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    if !PROXIES.iter().any(|v| env.contains_key(*v)) {
        return;
    }
    let mut hosts: Vec<&str> = Vec::new();
    for name in ["NO_PROXY", "no_proxy"] {
        let listed = env.get(name).map(String::as_str).unwrap_or_default();
        hosts.extend(listed.split(',').map(str::trim).filter(|h| !h.is_empty()));
    }
    hosts.extend(["127.0.0.1", "localhost"]);
    hosts.dedup();
    let joined = hosts.join(",");
    plan.env_set.insert("NO_PROXY".into(), joined.clone());
    plan.env_set.insert("no_proxy".into(), joined);
}

/// The prompt, when it can travel as an argument.
pub(super) fn prompt_arg<'a>(request: &LaunchRequest<'a>, plan: &mut LaunchPlan) -> Option<&'a str> {
    let prompt = request.prompt.filter(|p| !p.trim().is_empty())?;
    if prompt.len() > MAX_PROMPT_ARG || prompt.contains('\0') {
        plan.notes
            .push("the first prompt is too long for an argument: it is typed once the CLI is idle".into());
        return None;
    }
    Some(prompt)
}

/// Refuses ids that a CLI could take for an option.
pub(super) fn plain_word<'a>(what: &str, word: &'a str) -> Result<&'a str, String> {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    if word.is_empty() || word.starts_with('-') || word.chars().any(odd) {
        return Err(format!("{word:?} cannot be a {what}: it must be one word and not begin with a dash"));
    }
    Ok(word)
}

/// Text as a bracketed paste followed by `after`, in one piece. Marks of the paste itself inside the text would end
/// it early and type the rest as keys, so every escape leaves.
pub(super) fn pasted(text: &str, after: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x1b[200~".to_vec();
    bytes.extend(text.bytes().filter(|b| *b != 0x1b));
    bytes.extend_from_slice(b"\x1b[201~");
    bytes.extend_from_slice(after);
    bytes
}

/// The repository root that contains `cwd`, or `cwd` itself: CLIs key their trust by one or the other.
pub(super) fn git_root(cwd: &Path) -> &Path {
    cwd.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(cwd)
}

/// Adds a private file to a plan.
pub(super) fn put(plan: &mut LaunchPlan, path: PathBuf, contents: impl Into<Vec<u8>>) {
    plan.files.push(GeneratedFile { path, contents: contents.into(), mode: 0o600 });
}

/// Why a launch plan was not written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The plan names a path that is not below the pane's own directory.
    #[error("refusing to write {0}: it is outside the pane's own directory")]
    Outside(PathBuf),
    /// There is no room.
    #[error(
        "cannot write {0}: the disk is full or your quota used up; free some space there, then try again"
    )]
    Full(PathBuf),
    /// The file system refused.
    #[error("cannot write {path}: {source}")]
    Io {
        /// What was being written.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The list of what the previous launch generated, so that this one can take back what is no longer wanted.
const MANIFEST: &str = "generated.list";

/// Writes a plan's directories (0700), files and links below `pane_dir`, and removes what an earlier plan generated
/// there and this one does not. A link never replaces a directory with contents: those are the CLI's own records.
///
/// # Errors
/// Nothing is written when any path lies outside `pane_dir`; a failing file system call names its path.
pub fn apply(plan: &LaunchPlan, pane_dir: &Path) -> Result<(), ApplyError> {
    let generated: BTreeSet<&Path> = plan
        .files
        .iter()
        .map(|f| f.path.as_path())
        .chain(plan.links.iter().map(|l| l.path.as_path()))
        .collect();
    for path in plan.dirs.iter().map(PathBuf::as_path).chain(generated.iter().copied()) {
        inside(path, pane_dir)?;
    }
    private_dir(pane_dir)?;
    retract(pane_dir, &generated)?;
    for dir in &plan.dirs {
        own_dirs(pane_dir, dir)?;
    }
    for file in &plan.files {
        own_dirs(pane_dir, file.path.parent().unwrap_or(pane_dir))?;
        write_private(&file.path, &file.contents, file.mode)?;
    }
    for link in &plan.links {
        own_dirs(pane_dir, link.path.parent().unwrap_or(pane_dir))?;
        make_link(&link.path, &link.target)?;
    }
    let listed: String = generated
        .iter()
        .filter_map(|path| path.strip_prefix(pane_dir).ok()?.to_str())
        .map(|path| format!("{path}\n"))
        .collect();
    write_private(&pane_dir.join(MANIFEST), listed.as_bytes(), 0o600)
}

fn inside(path: &Path, pane_dir: &Path) -> Result<(), ApplyError> {
    let below = path.strip_prefix(pane_dir).is_ok_and(|rest| {
        rest.components().next().is_some() && rest.components().all(|c| matches!(c, Component::Normal(_)))
    });
    if below { Ok(()) } else { Err(ApplyError::Outside(path.to_owned())) }
}

/// Whether a write failed for want of room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> ApplyError + '_ {
    move |source| match is_full(&source) {
        true => ApplyError::Full(path.to_owned()),
        false => ApplyError::Io { path: path.to_owned(), source },
    }
}

fn private_dir(path: &Path) -> Result<(), ApplyError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_at(path))
}

/// Makes every directory between `pane_dir` and `dir` a real one, so that no write follows a link into a home.
fn own_dirs(pane_dir: &Path, dir: &Path) -> Result<(), ApplyError> {
    let Ok(rest) = dir.strip_prefix(pane_dir) else { return Err(ApplyError::Outside(dir.to_owned())) };
    let mut at = pane_dir.to_owned();
    for part in rest.components() {
        at.push(part);
        if fs::symlink_metadata(&at).is_ok_and(|m| !m.is_dir()) {
            fs::remove_file(&at).map_err(io_at(&at))?;
        }
        private_dir(&at)?;
    }
    Ok(())
}

/// Replaces whatever is at `path`, a link included, by a file of that mode.
fn write_private(path: &Path, contents: &[u8], mode: u32) -> Result<(), ApplyError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let write = || -> io::Result<()> {
        match fs::remove_file(&fresh) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(contents)?;
        fs::rename(&fresh, path)
    };
    write().map_err(io_at(path))
}

fn make_link(path: &Path, target: &Path) -> Result<(), ApplyError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            if fs::remove_dir(path).is_err() {
                return Ok(());
            }
        }
        Ok(_) => fs::remove_file(path).map_err(io_at(path))?,
        Err(_) => {}
    }
    symlink(target, path).map_err(io_at(path))
}

/// Removes what the previous launch generated and this one does not want.
fn retract(pane_dir: &Path, wanted: &BTreeSet<&Path>) -> Result<(), ApplyError> {
    let Ok(listed) = fs::read_to_string(pane_dir.join(MANIFEST)) else { return Ok(()) };
    for line in listed.lines() {
        let path = pane_dir.join(line);
        if wanted.contains(path.as_path()) || inside(&path, pane_dir).is_err() {
            continue;
        }
        // A parent that is a link now leads into somebody's home: nothing there is ours to remove.
        let parents_are_ours = path
            .ancestors()
            .skip(1)
            .take_while(|dir| *dir != pane_dir)
            .all(|dir| fs::symlink_metadata(dir).is_ok_and(|m| m.is_dir()));
        let is_file = fs::symlink_metadata(&path).is_ok_and(|m| !m.is_dir());
        if parents_are_ours && is_file {
            fs::remove_file(&path).map_err(io_at(&path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::GeneratedLink;

    fn plan_with(file: &Path) -> LaunchPlan {
        let mut plan = LaunchPlan::default();
        put(&mut plan, file.to_owned(), "x");
        plan
    }

    #[test]
    fn nothing_is_written_outside_the_pane() {
        let dir = tempfile::tempdir().unwrap();
        let pane = dir.path().join("pane");
        for path in [dir.path().join("elsewhere"), pane.join("../elsewhere"), pane.clone()] {
            let refused = apply(&plan_with(&path), &pane);
            assert!(matches!(refused, Err(ApplyError::Outside(_))), "{path:?}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_write_never_follows_a_link_into_a_home() {
        let dir = tempfile::tempdir().unwrap();
        let (pane, home) = (dir.path().join("pane"), dir.path().join("home"));
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("settings.json"), "theirs").unwrap();
        let mut first = LaunchPlan::default();
        first.links.push(GeneratedLink { path: pane.join("conf"), target: home.clone() });
        first.links.push(GeneratedLink { path: pane.join("file"), target: home.join("settings.json") });
        apply(&first, &pane).unwrap();
        let mut second = plan_with(&pane.join("conf/settings.json"));
        put(&mut second, pane.join("file"), "ours");
        apply(&second, &pane).unwrap();
        assert_eq!(fs::read_to_string(home.join("settings.json")).unwrap(), "theirs");
        assert_eq!(fs::read_to_string(pane.join("file")).unwrap(), "ours");
        assert_eq!(fs::metadata(pane.join("file")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(pane.join("conf")).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_is_no_longer_generated_goes_and_the_clis_own_records_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (pane, home) = (dir.path().join("pane"), dir.path().join("home"));
        fs::create_dir_all(&home).unwrap();
        let mut first = plan_with(&pane.join("conf/settings.json"));
        first.links.push(GeneratedLink { path: pane.join("conf/skills"), target: home.clone() });
        apply(&first, &pane).unwrap();
        fs::create_dir(pane.join("conf/projects")).unwrap();
        fs::write(pane.join("conf/projects/history"), "h").unwrap();
        let mut second = LaunchPlan::default();
        second.links.push(GeneratedLink { path: pane.join("conf/projects"), target: home.clone() });
        apply(&second, &pane).unwrap();
        assert!(fs::symlink_metadata(pane.join("conf/skills")).is_err());
        assert!(fs::symlink_metadata(pane.join("conf/settings.json")).is_err());
        assert_eq!(fs::read_to_string(pane.join("conf/projects/history")).unwrap(), "h");
        assert!(home.exists());
    }

    #[test]
    fn a_full_disk_is_told_with_its_remedy() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let said = io_at(Path::new("/srv/pane/x"))(io::Error::from(kind)).to_string();
            assert!(
                said.contains("/srv/pane/x: the disk is full") && said.contains("free some space"),
                "{said}"
            );
        }
        let said = io_at(Path::new("/srv/x"))(io::Error::from(io::ErrorKind::PermissionDenied)).to_string();
        assert!(!said.contains("full"), "{said}");
    }

    #[test]
    fn removed_variables_are_named_only_when_present() {
        let env = BTreeMap::from([("OPENAI_API_KEY".to_owned(), "k".to_owned())]);
        let mut plan = LaunchPlan::default();
        scrub(&mut plan, &env, true);
        assert_eq!(plan.notes, ["not passed on from your environment: OPENAI_API_KEY"]);
        assert!(plan.env_remove.iter().any(|v| v == "ANTHROPIC_BASE_URL"));
        assert!(!plan.env_remove.iter().any(|v| v == "CLAUDE_CODE_OAUTH_TOKEN"));
    }
}
