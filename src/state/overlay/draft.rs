//! Owns a text of several lines while a person writes it: keys to edits, bounds, where its cursor is drawn.
use crate::mux::keys::{Key, KeyCode, Mods};
use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};
use tui_textarea::{CursorMove, Input, Key as Press, TextArea, WrapMode};

/// Bytes of a text. A prompt that is longer belongs into a file that the prompt names.
pub const MAX_DRAFT: usize = 256 * 1024;
/// Steps that can be undone.
const UNDO: usize = 200;

/// A text being written.
#[derive(Clone, Debug)]
pub struct Draft {
    area: TextArea<'static>,
    /// Bytes of the text, line ends included.
    bytes: usize,
}

impl Default for Draft {
    fn default() -> Self {
        Self::new("")
    }
}

impl Draft {
    /// A text to go on with, the cursor at its end.
    pub fn new(text: &str) -> Self {
        let mut area = TextArea::new(Vec::new());
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_max_histories(UNDO);
        // The terminal's own cursor stands there, and no line is underlined.
        area.set_cursor_style(Style::new());
        area.set_cursor_line_style(Style::new());
        let mut draft = Self { area, bytes: 0 };
        draft.insert(text);
        draft
    }

    /// The same with the cursor at its beginning, for a text that is to be read first.
    pub fn from_top(text: &str) -> Self {
        let mut draft = Self::new(text);
        draft.area.move_cursor(CursorMove::Top);
        draft.area.move_cursor(CursorMove::Head);
        draft
    }

    /// The text.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether nothing but blanks is written.
    pub fn is_blank(&self) -> bool {
        self.area.lines().iter().all(|line| line.trim().is_empty())
    }

    /// Whether the cursor is in the first or the last line, where up and down mean something else.
    pub fn at_edge(&self) -> (bool, bool) {
        let row = self.area.cursor().0;
        (row == 0, row + 1 >= self.area.lines().len())
    }

    /// Adds text where the cursor is; what goes beyond [`MAX_DRAFT`] is left out, and false is returned.
    pub fn insert(&mut self, text: &str) -> bool {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let clean: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        let room = MAX_DRAFT.saturating_sub(self.bytes);
        let end = (0..=clean.len().min(room)).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
        self.area.insert_str(&clean[..end]);
        self.count();
        end == clean.len()
    }

    /// Begins a line.
    pub fn newline(&mut self) {
        if self.bytes < MAX_DRAFT {
            self.area.insert_newline();
            self.count();
        }
    }

    /// Takes a key; false when it means nothing in a text.
    pub fn key(&mut self, key: &Key) -> bool {
        let Some(input) = input(key) else { return false };
        let types =
            matches!(input.key, Press::Char(_) | Press::Tab | Press::Enter) && !input.ctrl && !input.alt;
        if types && self.bytes >= MAX_DRAFT {
            return false;
        }
        self.area.input(input);
        self.count();
        true
    }

    /// What stands before the cursor back to a blank or the line's beginning.
    pub fn word(&self) -> &str {
        let cursor = self.area.cursor();
        let line = self.area.lines().get(cursor.0).map_or("", String::as_str);
        let end = line.char_indices().nth(cursor.1).map_or(line.len(), |(at, _)| at);
        line[..end].rsplit(char::is_whitespace).next().unwrap_or_default()
    }

    /// Puts something in the place of that word.
    pub fn replace_word(&mut self, with: &str) {
        for _ in 0..self.word().chars().count() {
            self.area.delete_char();
        }
        self.insert(with);
    }

    /// Draws it and says where the cursor is.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) -> Option<(u16, u16)> {
        if area.is_empty() {
            return None;
        }
        (&self.area).render(area, buffer);
        let (cursor, (top, left)) = (self.area.screen_cursor(), self.area.scroll_offset());
        let x = u16::try_from(cursor.col).ok()?.checked_sub(left)?;
        let y = u16::try_from(cursor.row).ok()?.checked_sub(top)?;
        (x <= area.width && y < area.height).then(|| (area.x + x.min(area.width - 1), area.y + y))
    }

    fn count(&mut self) {
        self.bytes = self.area.lines().iter().map(|line| line.len() + 1).sum::<usize>() - 1;
    }
}

/// A key in the words of the text area; `None` for one that it does not have.
fn input(key: &Key) -> Option<Input> {
    let code = match key.code {
        KeyCode::Char(c) => Press::Char(c),
        KeyCode::Enter => Press::Enter,
        KeyCode::Tab => Press::Tab,
        KeyCode::Backspace => Press::Backspace,
        KeyCode::Delete => Press::Delete,
        KeyCode::Up => Press::Up,
        KeyCode::Down => Press::Down,
        KeyCode::Left => Press::Left,
        KeyCode::Right => Press::Right,
        KeyCode::Home => Press::Home,
        KeyCode::End => Press::End,
        KeyCode::PageUp => Press::PageUp,
        KeyCode::PageDown => Press::PageDown,
        _ => return None,
    };
    let held = |mods| key.mods.contains(mods);
    if held(Mods::SUPER) {
        return None;
    }
    Some(Input { key: code, ctrl: held(Mods::CTRL), alt: held(Mods::ALT), shift: held(Mods::SHIFT) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(draft: &mut Draft, keys: &str) {
        for key in keys.split(' ') {
            assert!(draft.key(&key.parse().unwrap()), "{key}");
        }
    }

    #[test]
    fn a_text_is_written_and_changed() {
        let mut draft = Draft::new("first\nsecond");
        press(&mut draft, "! C-a > Up End ?");
        assert_eq!(draft.text(), "first?\n>second!");
        press(&mut draft, "C-w");
        assert_eq!(draft.text(), "first\n>second!");
        assert_eq!(draft.at_edge(), (true, false));
        assert!(!draft.key(&"F5".parse().unwrap()));
    }

    #[test]
    fn what_is_pasted_keeps_its_lines_and_loses_its_controls() {
        let mut draft = Draft::default();
        assert!(draft.is_blank());
        draft.insert("a\r\nb\x1b[31m\tc\rd");
        assert_eq!(draft.text(), "a\nb[31m\tc\nd");
    }

    #[test]
    fn a_text_is_bounded() {
        let mut draft = Draft::default();
        assert!(!draft.insert(&"é".repeat(MAX_DRAFT)));
        let full = draft.text().len();
        assert!(full <= MAX_DRAFT && full > MAX_DRAFT - 2);
        draft.insert("x");
        press(&mut draft, "Left");
        draft.key(&"y".parse().unwrap());
        assert!(draft.text().len() <= MAX_DRAFT);
    }

    #[test]
    fn the_word_before_the_cursor_is_replaced() {
        let mut draft = Draft::new("look at src/ma now");
        press(&mut draft, "Left Left Left Left");
        assert_eq!(draft.word(), "src/ma");
        draft.replace_word("src/main.rs");
        assert_eq!(draft.text(), "look at src/main.rs now");
    }

    #[test]
    fn the_cursor_is_drawn_where_the_text_goes_on() {
        let draft = Draft::new("one\ntwo three");
        let area = Rect::new(2, 1, 5, 3);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 5));
        // "two three" takes two rows of five columns.
        assert_eq!(draft.draw(area, &mut buffer), Some((6, 3)));
        let row = |y: u16| (2..7).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>();
        assert_eq!([row(1), row(2), row(3)], ["one  ", "two  ", "three"]);
    }
}
