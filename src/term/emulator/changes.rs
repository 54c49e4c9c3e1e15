//! Owns which rows of the screen changed since when, so that a key's echo costs one row and not the whole screen.
use super::{Emulator, screen::Overrides};
use alacritty_terminal::{grid::Dimensions as _, term::TermDamage};

/// The generation in which each row changed last, and the colours that all rows were judged with.
#[derive(Default)]
pub struct Changes {
    rows: Vec<u64>,
    overrides: Overrides,
}

impl Emulator {
    /// Takes over what the core says it touched. Every move of its cursor to another row names both rows, so text
    /// that is written past the core is covered too.
    pub(super) fn note_changes(&mut self) {
        let now = self.generation;
        let rows = self.screen.term.screen_lines();
        let changes = &mut self.changes;
        let recoloured = changes.overrides != self.screen.colours.overrides;
        if recoloured {
            changes.overrides.clone_from(&self.screen.colours.overrides);
        }
        let resized = changes.rows.len() != rows;
        changes.rows.resize(rows, now);
        match self.screen.term.damage() {
            TermDamage::Partial(lines) if !recoloured && !resized => {
                for line in lines {
                    if let Some(row) = changes.rows.get_mut(line.line) {
                        *row = now;
                    }
                }
            }
            _ => changes.rows.fill(now),
        }
        self.screen.term.reset_damage();
    }

    /// True if a row of the live screen may look different than in that generation.
    pub fn row_changed_since(&self, row: u16, generation: u64) -> bool {
        self.changes.rows.get(usize::from(row)).is_none_or(|changed| *changed > generation)
    }
}
