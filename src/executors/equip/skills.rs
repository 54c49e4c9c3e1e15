//! Skills: directories with a `SKILL.md`, from the workspace, from the person, from others, and inspan's own.
use super::super::overlay::read_text;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// inspan's own skill.
pub(super) const BUILT_IN: &str = include_str!("skill.md");

/// Below our data directory: skills of others, a directory for each commit.
pub const SKILLS_DIR: &str = "skills";

/// Skills of one directory; a harness lists each to its model.
const MAX_SKILLS: usize = 200;

/// Who a skill comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// inspan itself.
    BuiltIn,
    /// A public repository.
    Public,
    /// The person's settings.
    User,
    /// The workspace.
    Team,
}

/// A skill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skill {
    /// The directory's name, by which it is called.
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// Who it comes from.
    pub layer: Layer,
    /// Where it lies; `None` for the one that is built in.
    pub place: Option<PathBuf>,
    /// Where it was named, `config.toml:12`.
    pub source: String,
}

/// Where the skills of a source lie once they are fetched.
pub fn source_dir(data: &Path, name: &str, commit: &str) -> PathBuf {
    data.join(SKILLS_DIR).join(format!("{name}-{}", commit.get(..12).unwrap_or(commit)))
}

/// inspan's own.
pub(super) fn built_in() -> Skill {
    let description = front(BUILT_IN, "description").unwrap_or_default();
    Skill { name: "inspan".into(), description, layer: Layer::BuiltIn, place: None, source: "built in".into() }
}

/// The skills of a directory: one below each entry, or the directory itself. With `within` none may lead out of that.
pub(super) fn scan(dir: &Path, within: Option<&Path>, layer: Layer, source: &str) -> Result<Vec<Skill>, String> {
    let skill = |place: PathBuf| {
        let text = read_text(&place.join("SKILL.md"))?;
        let name = place.file_name()?.to_str().filter(|name| crate::router::is_name(name))?.to_owned();
        let description = front(&text, "description").unwrap_or_default();
        Some(Skill { name, description, layer, place: Some(place), source: source.to_owned() })
    };
    if dir.join("SKILL.md").is_file() {
        return Ok(skill(dir.to_owned()).into_iter().collect());
    }
    let entries = fs::read_dir(dir).map_err(|e| format!("skills in {} cannot be read: {e}", dir.display()))?;
    let mut places: Vec<PathBuf> = entries.flatten().take(MAX_SKILLS).map(|entry| entry.path()).collect();
    places.sort();
    let inside = |place: &PathBuf| {
        within.is_none_or(|root| {
            place.join("SKILL.md").canonicalize().is_ok_and(|real| root.canonicalize().is_ok_and(|r| real.starts_with(r)))
        })
    };
    Ok(places.into_iter().filter(inside).filter_map(skill).collect())
}

/// A line of the front matter, which is between two lines of dashes.
fn front(text: &str, key: &str) -> Option<String> {
    let mut lines = text.lines();
    (lines.next()?.trim_end() == "---").then_some(())?;
    let line = lines.take_while(|line| line.trim_end() != "---").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    })?;
    Some(line).filter(|line| !line.is_empty())
}
