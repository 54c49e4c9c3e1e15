//! Themes: roles to styles. Drawing names a role and never a colour.
use super::{Problem, load};
use crate::router::{ExecutorId, nearest, position};
use ratatui::style::{Color, Modifier, Style};
use std::{collections::BTreeMap, ops::Range, path::Path};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A longer chain of `inherits` is a circle.
const MAX_INHERITS: usize = 8;

/// The embedded themes, the default one first.
pub const BUILTIN: [(&str, &str); 11] = [
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("catppuccin", include_str!("../../themes/catppuccin.toml")),
    ("dracula", include_str!("../../themes/dracula.toml")),
    ("gruvbox", include_str!("../../themes/gruvbox.toml")),
    ("gruvbox-light", include_str!("../../themes/gruvbox-light.toml")),
    ("nord", include_str!("../../themes/nord.toml")),
    ("solarized-dark", include_str!("../../themes/solarized-dark.toml")),
    ("solarized-light", include_str!("../../themes/solarized-light.toml")),
    ("tokyo-night", include_str!("../../themes/tokyo-night.toml")),
];

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Ordinary words.
    Text,
    /// Words that may be overlooked.
    Dim,
    /// What the eye should find first.
    Accent,
    /// Good news.
    Ok,
    /// What wants attention.
    Warn,
    /// What went wrong.
    Err,
    /// Frames.
    Border,
    /// The frame of what has the keys.
    BorderFocus,
    /// The chosen row.
    Selection,
    /// The accent of `claude`.
    Claude,
    /// The accent of `codex`.
    Codex,
    /// The accent of `gemini`.
    Gemini,
    /// The accent of `opencode`.
    Opencode,
    /// The accent of `grok`.
    Grok,
    /// The accent of `openai-agents`.
    OpenaiAgents,
}

impl Role {
    /// The roles of `[roles]`.
    const ROLES: [(Self, &'static str); 9] = [
        (Self::Text, "text"),
        (Self::Dim, "dim"),
        (Self::Accent, "accent"),
        (Self::Ok, "ok"),
        (Self::Warn, "warn"),
        (Self::Err, "err"),
        (Self::Border, "border"),
        (Self::BorderFocus, "border_focus"),
        (Self::Selection, "selection"),
    ];

    /// The accents of `[executors]`.
    const EXECUTORS: [(Self, &'static str); 6] = [
        (Self::Claude, "claude"),
        (Self::Codex, "codex"),
        (Self::Gemini, "gemini"),
        (Self::Opencode, "opencode"),
        (Self::Grok, "grok"),
        (Self::OpenaiAgents, "openai-agents"),
    ];

    /// Every role with the name that theme files give it.
    pub fn all() -> impl Iterator<Item = (Self, &'static str)> {
        Self::ROLES.into_iter().chain(Self::EXECUTORS)
    }

    /// The accent of an executor; the common accent for one that has none of its own.
    pub fn of(executor: &ExecutorId) -> Self {
        let own = Self::EXECUTORS.into_iter().find(|(_, name)| *name == executor.as_str());
        own.map_or(Self::Accent, |(role, _)| role)
    }
}

/// Roles to styles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    styles: BTreeMap<Role, Style>,
}

impl Default for Theme {
    /// The terminal's own sixteen colours.
    fn default() -> Self {
        Self::resolve(BUILTIN[0].0, &|_| Ok(None)).0
    }
}

/// Finds the text of a theme that is not built in: its file and text, nothing, or why it cannot be read.
type Find<'a> = &'a dyn Fn(&str) -> Result<Option<(String, String)>, Problem>;

impl Theme {
    /// How to draw what has that meaning.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }

    /// The accent of an executor.
    pub fn executor(&self, executor: &ExecutorId) -> Style {
        self.style(Role::of(executor))
    }

    /// The theme of that name: `NAME.toml` in the user's `dir`, or an embedded one. What cannot be understood is
    /// reported and stays as it is inherited.
    pub fn load(name: &str, dir: &Path) -> (Self, Vec<Problem>) {
        Self::resolve(name, &|name| {
            if name.contains(['/', '\0']) {
                return Ok(None);
            }
            let path = dir.join(format!("{name}.toml"));
            let file = path.display().to_string();
            match load::read(&path) {
                Ok(text) => Ok(text.map(|text| (file, text))),
                Err(message) => {
                    Err(Problem { file, line: 0, column: 0, key: String::new(), message, nearest: None })
                }
            }
        })
    }

    /// The same meanings without colours, for people who set `NO_COLOR`.
    pub fn without_colour() -> Self {
        let style = |role| match role {
            Role::Text | Role::Border => Style::new(),
            Role::Dim => Style::new().add_modifier(Modifier::DIM),
            Role::Selection => Style::new().add_modifier(Modifier::REVERSED),
            Role::Warn | Role::Err => Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            _ => Style::new().add_modifier(Modifier::BOLD),
        };
        Self { styles: Role::all().map(|(role, _)| (role, style(role))).collect() }
    }

    fn resolve(name: &str, find: Find<'_>) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut chain: Vec<(String, String)> = Vec::new();
        let mut next = Some(name.to_owned());
        while let Some(wanted) = next.take() {
            let user = find(&wanted).unwrap_or_else(|problem| {
                problems.push(problem);
                None
            });
            let builtin = BUILTIN.iter().find(|(known, _)| *known == wanted);
            let file = chain.last().map_or_else(|| "theme".to_owned(), |(file, _)| file.clone());
            let fault = |message: String, nearest: Option<&str>| Problem {
                file,
                line: 0,
                column: 0,
                key: if chain.is_empty() { String::new() } else { "inherits".into() },
                message,
                nearest: nearest.map(str::to_owned),
            };
            let found = match (user, builtin) {
                // A user's theme may carry a built-in one's name and still build on that one.
                (Some((file, _)), Some((known, text))) if chain.iter().any(|(seen, _)| *seen == file) => {
                    Some(((*known).to_owned(), (*text).to_owned()))
                }
                (Some(user), _) => Some(user),
                (None, builtin) => builtin.map(|(known, text)| ((*known).to_owned(), (*text).to_owned())),
            };
            let Some((file, text)) = found else {
                let near = nearest(&wanted, BUILTIN.iter().map(|(known, _)| *known));
                problems.push(fault(format!("there is no theme {wanted:?}; terminal holds"), near));
                break;
            };
            if chain.len() == MAX_INHERITS {
                problems.push(fault(
                    format!("themes inherit from each other in a circle by way of {wanted:?}"),
                    None,
                ));
                break;
            }
            next = inherits(&text);
            chain.push((file, text));
        }
        let mut theme = Self { styles: BTreeMap::new() };
        let mut palette = BTreeMap::new();
        // Whatever a theme leaves out is the terminal's; so the chain always ends there.
        let base = std::iter::once((BUILTIN[0].0.to_owned(), BUILTIN[0].1.to_owned()));
        for (file, text) in base.chain(chain.into_iter().rev()) {
            let mut reader = Reader { file: &file, text: &text, palette, problems: &mut problems };
            reader.read(&mut theme);
            palette = reader.palette;
        }
        (theme, problems)
    }
}

fn inherits(text: &str) -> Option<String> {
    let (root, _) = DeTable::parse_recoverable(text);
    root.get_ref().get("inherits")?.get_ref().as_str().map(str::to_owned)
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    palette: BTreeMap<String, Color>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn report(&mut self, span: &Range<usize>, key: &str, message: impl Into<String>, nearest: Option<&str>) {
        let (line, column) = position(self.text, span.start);
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            column,
            key: key.to_owned(),
            message: message.into(),
            nearest: nearest.map(str::to_owned),
        });
    }

    fn read(&mut self, theme: &mut Theme) {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        if let Some(error) = errors.first() {
            let fault = format!("not TOML: {}", error.message().lines().next().unwrap_or("unreadable"));
            self.report(&error.span().unwrap_or(0..0), "", fault, None);
        }
        let root = root.get_ref();
        // The palette is read first, wherever it stands, because the roles use it.
        if let Some(value) = root.get("palette") {
            self.palette(value);
        }
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "palette" => {}
                "inherits" if value.get_ref().is_str() => {}
                "inherits" => self.report(&value.span(), "inherits", "wants the name of a theme", None),
                "roles" => self.styles("roles", value, &Role::ROLES, theme),
                "executors" => self.styles("executors", value, &Role::EXECUTORS, theme),
                other => {
                    let near = nearest(other, ["inherits", "palette", "roles", "executors"]);
                    self.report(&key.span(), other, "unknown key; it has no effect", near);
                }
            }
        }
    }

    fn palette(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.report(&value.span(), "palette", "wants a table", None);
        };
        for (name, value) in table {
            match value.get_ref().as_str().and_then(|text| text.parse().ok()) {
                Some(colour) => {
                    self.palette.insert(name.get_ref().to_string(), colour);
                }
                None => {
                    self.report(&value.span(), &format!("palette.{}", name.get_ref()), "is no colour", None)
                }
            }
        }
    }

    fn styles(
        &mut self,
        above: &str,
        value: &Spanned<DeValue<'_>>,
        known: &[(Role, &'static str)],
        theme: &mut Theme,
    ) {
        let Some(table) = value.get_ref().as_table() else {
            return self.report(&value.span(), above, "wants a table", None);
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let path = format!("{above}.{name}");
            match known.iter().find(|(_, known)| *known == name) {
                Some((role, _)) => {
                    if let Some(style) = self.style(&path, value) {
                        theme.styles.insert(*role, style);
                    }
                }
                None => {
                    let near = nearest(name, known.iter().map(|(_, known)| *known));
                    self.report(&key.span(), &path, "unknown key; it has no effect", near);
                }
            }
        }
    }

    /// `None` when any part of it is wrong, so that a style is never half of what was meant.
    fn style(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Option<Style> {
        let Some(table) = value.get_ref().as_table() else {
            return Some(Style::new().fg(self.colour(path, value)?));
        };
        let mut style = Some(Style::new());
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let path = format!("{path}.{name}");
            let part = match name {
                "fg" => self.colour(&path, value).map(|colour| Style::new().fg(colour)),
                "bg" => self.colour(&path, value).map(|colour| Style::new().bg(colour)),
                "modifiers" => self.modifiers(&path, value).map(|set| Style::new().add_modifier(set)),
                _ => {
                    let near = nearest(name, ["fg", "bg", "modifiers"]);
                    self.report(&key.span(), &path, "unknown key; the style stays as it was", near);
                    None
                }
            };
            style = style.zip(part).map(|(style, part)| style.patch(part));
        }
        style
    }

    fn colour(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Option<Color> {
        let text = value.get_ref().as_str();
        let colour = text.and_then(|text| self.palette.get(text).copied().or_else(|| text.parse().ok()));
        if colour.is_none() {
            let near = text.and_then(|text| nearest(text, self.palette.keys().map(String::as_str)));
            let near = near.map(str::to_owned);
            self.report(&value.span(), path, "is no colour; the style stays as it was", near.as_deref());
        }
        colour
    }

    fn modifiers(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Option<Modifier> {
        const KNOWN: [(&str, Modifier); 5] = [
            ("bold", Modifier::BOLD),
            ("dim", Modifier::DIM),
            ("italic", Modifier::ITALIC),
            ("underlined", Modifier::UNDERLINED),
            ("reversed", Modifier::REVERSED),
        ];
        let Some(items) = value.get_ref().as_array() else {
            self.report(&value.span(), path, "wants a list; the style stays as it was", None);
            return None;
        };
        let mut set = Some(Modifier::empty());
        for item in items.iter() {
            let text = item.get_ref().as_str();
            let one =
                text.and_then(|text| KNOWN.iter().find(|(known, _)| *known == text)).map(|(_, one)| *one);
            if one.is_none() {
                let near = text.and_then(|text| nearest(text, KNOWN.map(|(known, _)| known)));
                self.report(&item.span(), path, "is no modifier; the style stays as it was", near);
            }
            set = set.zip(one).map(|(set, one)| set | one);
        }
        set
    }
}

#[cfg(test)]
mod tests;
