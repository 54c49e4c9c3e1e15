//! Fetching public skills: the person's own git, one commit, into our data directory, without the repository.
use crate::config::equipment::SkillSource;
use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::Path,
    process::{Command, Stdio},
};

/// Words of git that are quoted when it fails.
const QUOTED: usize = 400;

/// Fetches a source into `place`, which appears whole or not at all.
///
/// # Errors
/// What git said, or why the directory cannot be written.
pub fn fetch(source: &SkillSource, place: &Path) -> Result<(), String> {
    let cannot = |e: std::io::Error| format!("cannot write {}: {e}", place.display());
    let parent = place.parent().ok_or("there is no place for it")?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(cannot)?;
    let fresh = parent.join(format!(".{}-{}", source.name, std::process::id()));
    let _ = fs::remove_dir_all(&fresh);
    fs::DirBuilder::new().mode(0o700).create(&fresh).map_err(cannot)?;
    let done = checked_out(source, &fresh).and_then(|()| {
        fs::remove_dir_all(fresh.join(".git")).map_err(cannot)?;
        fs::rename(&fresh, place).map_err(cannot)
    });
    if done.is_err() {
        let _ = fs::remove_dir_all(&fresh);
    }
    done
}

fn checked_out(source: &SkillSource, dir: &Path) -> Result<(), String> {
    git(dir, &["init", "-q"])?;
    // Many servers give out a commit by its name; from the others everything is fetched.
    if git(dir, &["fetch", "-q", "--depth", "1", &source.git, &source.commit]).is_err() {
        git(
            dir,
            &["fetch", "-q", &source.git, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"],
        )?;
    }
    git(dir, &["-c", "advice.detachedHead=false", "checkout", "-q", &source.commit])?;
    let head = git(dir, &["rev-parse", "HEAD"])?;
    if head.trim() == source.commit {
        Ok(())
    } else {
        Err(format!("git checked out {} instead", head.trim()))
    }
}

fn git(dir: &Path, words: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        // What was fetched runs nothing, here or through a helper.
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "protocol.ext.allow=never",
            "-c",
            "core.fsmonitor=false",
        ])
        .args(words)
        .current_dir(dir)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot run git: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(QUOTED).collect();
    Err(format!("git {} failed: {said}", words.iter().find(|word| !word.starts_with('-')).unwrap_or(&"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Place;

    #[test]
    fn one_commit_is_fetched_without_its_repository_and_another_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let far = dir.path().join("far");
        fs::create_dir_all(far.join("skills/ring")).unwrap();
        let run = |words: &[&str]| git(&far, words).unwrap();
        run(&["init", "-q", "-b", "main"]);
        fs::write(far.join("skills/ring/SKILL.md"), "---\nname: ring\ndescription: d\n---\n").unwrap();
        run(&["add", "."]);
        run(&["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "one"]);
        let first = run(&["rev-parse", "HEAD"]).trim().to_owned();
        fs::write(far.join("skills/ring/SKILL.md"), "changed since").unwrap();
        run(&["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam", "two"]);
        let mut source = SkillSource {
            name: "far".into(),
            git: far.display().to_string(),
            commit: first,
            path: "skills".into(),
            origin: Place { file: "/c/config.toml".into(), line: 1, column: 1 },
        };
        let place = super::super::source_dir(&dir.path().join("data"), &source.name, &source.commit);
        fetch(&source, &place).unwrap();
        assert!(fs::read_to_string(place.join("skills/ring/SKILL.md")).unwrap().contains("name: ring"));
        assert!(!place.join(".git").exists());
        source.commit = "0".repeat(40);
        let elsewhere = dir.path().join("data/skills/none");
        assert!(fetch(&source, &elsewhere).unwrap_err().contains("failed"));
        let left: Vec<_> = fs::read_dir(dir.path().join("data/skills")).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
