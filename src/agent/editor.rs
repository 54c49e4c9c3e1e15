//! The prompt: a text area, the prompts before it, and the keys that people know from such programs.
use crate::mux::keys::{Key, KeyCode, Mods};
use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};
use tui_textarea::{CursorMove, Input, TextArea, WrapMode};

use super::lines::Row;

/// Rows that the prompt takes at most.
const MAX_ROWS: u16 = 10;
/// Prompts that can be called back.
const HISTORY: usize = 200;

/// What a key meant to the prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Send this.
    Submit(String),
    /// Something changed or nothing did.
    Taken,
    /// The key is not the prompt's.
    Other,
}

/// The prompt being written.
pub struct Editor {
    area: TextArea<'static>,
    history: Vec<String>,
    /// Which earlier prompt is shown, and what was being written before.
    back: Option<(usize, String)>,
}

impl Default for Editor {
    fn default() -> Self {
        Self { area: fresh(""), history: Vec::new(), back: None }
    }
}

fn fresh(text: &str) -> TextArea<'static> {
    let lines = text.split('\n').map(str::to_owned).collect();
    let mut area = TextArea::new(lines);
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_cursor_line_style(Style::default());
    // The terminal's own cursor is placed instead: input methods follow it.
    area.set_cursor_style(Style::default());
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    area
}

impl Editor {
    /// What is written so far.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.area.is_empty()
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.area = fresh("");
        self.back = None;
    }

    /// Puts text where the cursor is.
    pub fn paste(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        self.area.insert_str(super::lines::plain(&text));
    }

    /// Remembers a prompt that was sent elsewhere, so that it can be called back.
    pub fn remember(&mut self, text: &str) {
        if self.history.last().is_none_or(|last| last != text) {
            self.history.push(text.to_owned());
        }
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
    }

    /// A key.
    pub fn key(&mut self, key: Key) -> Typed {
        let plain = key.mods.is_empty();
        match key.code {
            KeyCode::Enter if plain && self.area.lines().last().is_some_and(|l| l.ends_with('\\')) => {
                self.area.move_cursor(CursorMove::Bottom);
                self.area.move_cursor(CursorMove::End);
                self.area.delete_char();
                self.area.insert_newline();
            }
            KeyCode::Enter if plain => {
                let text = self.text();
                if text.trim().is_empty() {
                    return Typed::Taken;
                }
                self.remember(&text);
                self.clear();
                return Typed::Submit(text);
            }
            // Shift, Alt or Control with Enter, and what terminals without them have.
            KeyCode::Enter => self.area.insert_newline(),
            KeyCode::Char('j') if key.mods == Mods::CTRL => self.area.insert_newline(),
            KeyCode::Up if plain && self.area.screen_cursor().row == 0 => self.call(-1),
            KeyCode::Down if plain && self.on_last_row() => self.call(1),
            KeyCode::Char('u') if key.mods == Mods::CTRL => {
                self.area.delete_line_by_head();
            }
            KeyCode::Char('c' | 'd' | 'l' | 'o' | 'r' | 'z') if key.mods == Mods::CTRL => {
                return Typed::Other;
            }
            _ => match input(key) {
                Some(input) => {
                    self.area.input(input);
                }
                None => return Typed::Other,
            },
        }
        Typed::Taken
    }

    fn on_last_row(&self) -> bool {
        self.area.cursor().0 + 1 == self.area.lines().len()
    }

    /// Shows an earlier prompt (-1) or a later one (1); behind the newest stands what was being written.
    fn call(&mut self, step: isize) {
        let (at, draft) = match self.back.take() {
            Some(back) => back,
            None => (self.history.len(), self.text()),
        };
        let to = at.saturating_add_signed(step).min(self.history.len());
        let text = self.history.get(to).unwrap_or(&draft).clone();
        self.area = fresh(&text);
        self.back = (to < self.history.len()).then_some((to, draft));
    }

    /// The rows of the prompt and where the cursor stands in them.
    pub fn rows(&self, width: u16) -> (Vec<Row>, (usize, usize)) {
        let width = width.max(1);
        // Rendering tells how the lines wrap at this width.
        let area = Rect::new(0, 0, width, MAX_ROWS);
        let mut buffer = Buffer::empty(area);
        (&self.area).render(area, &mut buffer);
        let cursor = self.area.screen_cursor();
        let top = usize::from(self.area.scroll_offset().0);
        let mut rows: Vec<Row> = (0..MAX_ROWS)
            .map(|y| {
                let mut text = String::new();
                let mut x = 0;
                while x < width {
                    let symbol = buffer[(x, y)].symbol();
                    text.push_str(symbol);
                    x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol)).unwrap_or(1).max(1);
                }
                Row::from(text.trim_end().to_owned())
            })
            .collect();
        let at = cursor.row.saturating_sub(top).min(usize::from(MAX_ROWS) - 1);
        while rows.len() > at + 1 && rows.last().is_some_and(|row| super::screen::columns(row) == 0) {
            rows.pop();
        }
        (rows, (at, cursor.col.min(usize::from(width) - 1)))
    }
}

/// A key as the text area takes it.
fn input(key: Key) -> Option<Input> {
    use tui_textarea::Key as Area;
    let code = match key.code {
        KeyCode::Char(c) => Area::Char(c),
        KeyCode::Tab => return None,
        KeyCode::Backspace => Area::Backspace,
        KeyCode::Delete => Area::Delete,
        KeyCode::Left => Area::Left,
        KeyCode::Right => Area::Right,
        KeyCode::Up => Area::Up,
        KeyCode::Down => Area::Down,
        KeyCode::Home => Area::Home,
        KeyCode::End => Area::End,
        _ => return None,
    };
    Some(Input {
        key: code,
        ctrl: key.mods.contains(Mods::CTRL),
        alt: key.mods.contains(Mods::ALT),
        shift: key.mods.contains(Mods::SHIFT),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(editor: &mut Editor, keys: &str) -> Typed {
        let mut last = Typed::Taken;
        for key in keys.split(' ') {
            last = editor.key(key.parse().unwrap());
        }
        last
    }

    #[test]
    fn enter_sends_and_its_variants_break_the_line() {
        let mut editor = Editor::default();
        assert_eq!(press(&mut editor, "Enter"), Typed::Taken, "nothing is sent for nothing");
        press(&mut editor, "a S-Enter b M-Enter c C-j d");
        assert_eq!(editor.text(), "a\nb\nc\nd");
        assert_eq!(press(&mut editor, "Enter"), Typed::Submit("a\nb\nc\nd".into()));
        assert!(editor.is_empty());
        editor.paste("x\\");
        assert_eq!(press(&mut editor, "Enter"), Typed::Taken);
        assert_eq!(editor.text(), "x\n");
    }

    #[test]
    fn a_paste_is_text_and_nothing_else() {
        let mut editor = Editor::default();
        editor.paste("one\r\ntwo\rthree\x1b[31m\x07");
        assert_eq!(editor.text(), "one\ntwo\nthree");
    }

    #[test]
    fn earlier_prompts_come_back_and_so_does_the_draft() {
        let mut editor = Editor::default();
        press(&mut editor, "a Enter b Enter c");
        press(&mut editor, "Up");
        assert_eq!(editor.text(), "b");
        press(&mut editor, "Up Up");
        assert_eq!(editor.text(), "a");
        press(&mut editor, "Down Down Down");
        assert_eq!(editor.text(), "c");
        assert_eq!(press(&mut editor, "C-c"), Typed::Other);
    }

    #[test]
    fn rows_wrap_and_the_cursor_is_where_the_next_letter_goes() {
        let mut editor = Editor::default();
        let rows = |editor: &Editor, width| {
            let (rows, cursor) = editor.rows(width);
            (rows.iter().map(ToString::to_string).collect::<Vec<_>>(), cursor)
        };
        assert_eq!(rows(&editor, 10), (vec![String::new()], (0, 0)));
        editor.paste("日本 one two");
        assert_eq!(rows(&editor, 9), (vec!["日本 one".into(), "two".into()], (1, 3)));
        editor.clear();
        for n in 0..30 {
            editor.paste(&format!("{n}\n"));
        }
        let (shown, cursor) = rows(&editor, 9);
        assert_eq!((shown.len(), cursor), (10, (9, 0)));
        assert_eq!(shown[8], "29");
    }
}
