//! Stand-in until config::theme is there.
use ratatui::style::{Color, Modifier, Style};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Text,
    Dim,
    Accent,
    Ok,
    Warn,
    Err,
    Border,
    BorderFocus,
    Selection,
    Claude,
    Codex,
    Gemini,
    Opencode,
    Grok,
    OpenaiAgents,
}

#[derive(Default)]
pub struct Theme {}

impl Theme {
    pub fn style(&self, role: Role) -> Style {
        match role {
            Role::Dim | Role::Border => Style::new().fg(Color::DarkGray),
            Role::Selection => Style::new().add_modifier(Modifier::REVERSED),
            _ => Style::new(),
        }
    }
}
