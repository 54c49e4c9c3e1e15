//! One client's copy mode over one pane: which text it is about, and how that is shown.
use super::transcript::Transcript;
use crate::{
    config::{Role, Theme},
    handoff::{self, Conversation},
    mux::copy::{self, Copy, Lines, ModeKeys, Pos},
    term::{
        canvas::{Canvas, CanvasCursor, CursorShape},
        emulator::{Anchor, Emulator, Moved},
    },
};
use ratatui::{
    layout::Rect,
    style::{Modifier, Style},
};
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// One client's copy mode over one pane.
#[derive(Clone, Debug)]
pub(in crate::server) struct Copying {
    pub(super) copy: Copy,
    anchor: Anchor,
    pub(super) keys: ModeKeys,
    /// Lines below the view, for finding it again when everything was wrapped anew.
    below: usize,
    /// The wheel began it, so scrolling to the end leaves it.
    pub(super) exit_at_end: bool,
    /// What is read instead of the pane's text.
    transcript: Option<Arc<Transcript>>,
}

impl Copying {
    /// Over the pane's own text, or over the conversation of a harness whose program keeps no history.
    pub(super) fn new(
        keys: ModeKeys,
        emulator: &Emulator,
        exit_at_end: bool,
        conversation: Option<&Arc<Conversation>>,
    ) -> Self {
        let (width, rows) = emulator.size();
        let transcript = conversation.and_then(|said| Transcript::new(said, width)).map(Arc::new);
        let copy = match &transcript {
            Some(said) => Copy::new(keys, &**said, rows, Pos { line: usize::MAX, col: 0 }),
            None => {
                let cursor = emulator.cursor();
                let line = emulator.history_len() + usize::from(cursor.y);
                Copy::new(keys, emulator, rows, Pos { line, col: cursor.x })
            }
        };
        Self { copy, anchor: emulator.anchor(), keys, below: 0, exit_at_end, transcript }
    }

    pub(super) fn reads_transcript(&self) -> bool {
        self.transcript.is_some()
    }

    /// What was said since is added to the transcript.
    pub(super) fn hear(&mut self, conversation: &Arc<Conversation>) {
        let Some(transcript) = &self.transcript else { return };
        if !transcript.shows(conversation, transcript.width())
            && let Some(fresh) = Transcript::new(conversation, transcript.width())
        {
            self.transcript = Some(Arc::new(fresh));
        }
    }

    /// Does something with the text that it is about.
    pub(super) fn with<T>(
        &mut self,
        emulator: &Emulator,
        then: impl FnOnce(&mut Copy, &dyn Lines) -> T,
    ) -> T {
        match &self.transcript {
            Some(transcript) => then(&mut self.copy, &**transcript),
            None => then(&mut self.copy, emulator),
        }
    }

    fn lines<'a>(&'a self, emulator: &'a Emulator) -> &'a dyn Lines {
        match &self.transcript {
            Some(transcript) => &**transcript,
            None => emulator,
        }
    }

    /// Takes in what the pane printed since; false when what is shown there is something else now.
    pub(super) fn follow(&mut self, emulator: &Emulator) -> bool {
        let (width, rows) = emulator.size();
        let below = self.below;
        match emulator.moved_since(&self.anchor) {
            Moved::Swapped => return false,
            Moved::Rewrapped => {
                if let Some(transcript) = self.transcript.as_ref().and_then(|t| t.relaid(width)) {
                    self.transcript = Some(Arc::new(transcript));
                }
                self.with(emulator, |copy, lines| copy.rewrapped(lines, rows, below));
            }
            _ if self.transcript.is_some() => {}
            Moved::Lost(0) => {}
            Moved::Lost(lines) => self.copy.lose(lines),
            Moved::Gone => {
                self.copy.lose(usize::MAX);
                self.copy.rewrapped(emulator, rows, emulator.count());
            }
        }
        self.anchor = emulator.anchor();
        self.note_below(emulator);
        true
    }

    pub(super) fn note_below(&mut self, emulator: &Emulator) {
        let seen = self.copy.top() + usize::from(emulator.size().1);
        self.below = self.lines(emulator).count().saturating_sub(seen);
    }

    /// Puts the cursor onto a cell of the pane.
    pub(super) fn point(&mut self, (x, y): (u16, u16), emulator: &Emulator) {
        let line = self.copy.top() + usize::from(y);
        let col = x.saturating_sub(self.gutter(emulator));
        self.with(emulator, |copy, lines| copy.point(Pos { line, col }, lines));
    }

    /// Lines between the view and the end, and above that: as tmux counts them.
    fn back(&self, emulator: &Emulator) -> (usize, usize) {
        let history = self.lines(emulator).count().saturating_sub(usize::from(emulator.size().1));
        (history.saturating_sub(self.copy.top()), history)
    }

    /// Columns that the lines' numbers take.
    fn gutter(&self, emulator: &Emulator) -> u16 {
        if !self.copy.numbers() {
            return 0;
        }
        let digits = self.lines(emulator).count().to_string().len();
        u16::try_from(digits + 1).unwrap_or(0).min(emulator.size().0.saturating_sub(2))
    }

    /// Draws the view over the pane, what is selected and found in it, and where it stands.
    pub(in crate::server) fn draw(
        &self,
        emulator: &Emulator,
        canvas: &mut Canvas,
        area: Rect,
        theme: &Theme,
    ) {
        // Output since the loop looked last must not move what is read.
        let mut now = self.clone();
        if !now.follow(emulator) {
            now = self.clone();
        }
        let outer = area.intersection(canvas.area());
        let gutter = now.gutter(emulator).min(outer.width);
        let area = Rect { x: outer.x + gutter, width: outer.width - gutter, ..outer };
        let top = now.copy.top();
        match &now.transcript {
            Some(transcript) => draw_transcript(transcript, top, canvas, area, theme),
            None => emulator.draw(canvas, area, now.back(emulator).0),
        }
        now.draw_numbers(emulator, canvas, Rect { width: gutter, ..outer }, theme);
        now.draw_found(emulator, canvas, area, theme);
        let tally = now.copy.tally().map(|t| format!("({}/{}) ", t.at, t.of)).unwrap_or_default();
        let (back, history) = now.back(emulator);
        let place = format!("{tally}[{back}/{history}]");
        let width = u16::try_from(place.len()).unwrap_or(u16::MAX).min(outer.width);
        let corner = Rect { x: outer.right() - width, y: outer.y, width, height: 1.min(outer.height) };
        write(canvas, corner, &place, theme.style(Role::Accent).add_modifier(Modifier::REVERSED));
        if let Some(prompt) = now.copy.prompt() {
            let y = outer.y + now.prompt_row(emulator).min(outer.height.max(1) - 1);
            let width = if y == outer.y { outer.width - width } else { outer.width };
            write(canvas, Rect { y, width, height: 1, ..outer }, &prompt, theme.style(Role::Text));
        }
    }

    /// The numbers of the lines in view, the oldest being 1, as `G` takes them.
    fn draw_numbers(&self, emulator: &Emulator, canvas: &mut Canvas, area: Rect, theme: &Theme) {
        let (top, count) = (self.copy.top(), self.lines(emulator).count());
        for (y, line) in (area.y..area.bottom()).zip(top..) {
            let role = if line == self.copy.cursor().line { Role::Accent } else { Role::Dim };
            let wide = usize::from(area.width.saturating_sub(1));
            let number = if line < count { format!("{:wide$} ", line + 1) } else { String::new() };
            write(canvas, Rect { y, height: 1, ..area }, &number, theme.style(role));
        }
    }

    /// Marks what was found, and over it what is selected.
    fn draw_found(&self, emulator: &Emulator, canvas: &mut Canvas, area: Rect, theme: &Theme) {
        let (top, lines) = (self.copy.top(), self.lines(emulator));
        let mut paint = |line: usize, cols: std::ops::Range<u16>, style: Style| {
            let Some(y) = line.checked_sub(top).and_then(|y| u16::try_from(y).ok()) else { return };
            let (from, to) = (cols.start.min(area.width), cols.end.min(area.width));
            let run = Rect { x: area.x + from, y: area.y.saturating_add(y), width: to - from, height: 1 };
            canvas.buffer.set_style(run.intersection(area), style);
        };
        for span in self.copy.matches(lines) {
            paint(span.line, span.cols, theme.style(Role::Warn).add_modifier(Modifier::REVERSED));
        }
        let mut row = copy::Row::default();
        for line in top..top + usize::from(area.height) {
            lines.read(line, &mut row);
            let Some(cols) = self.copy.selected(line, &row) else { continue };
            // One column more than the text shows that the line break belongs to it.
            let to = if cols.end == u16::MAX { row.end().saturating_add(1) } else { cols.end };
            paint(line, cols.start..to.max(cols.start), theme.style(Role::Selection));
        }
    }

    /// Where the cursor stands in the pane.
    pub(in crate::server) fn cursor(&self, emulator: &Emulator) -> Option<CanvasCursor> {
        let convert = |n: usize| u16::try_from(n).ok();
        if let Some(prompt) = self.copy.prompt() {
            let shape = CursorShape::Bar { blink: true };
            return Some(CanvasCursor { x: convert(prompt.width())?, y: self.prompt_row(emulator), shape });
        }
        let Pos { line, col } = self.copy.cursor();
        let y = convert(line.checked_sub(self.copy.top())?)?;
        // Behind a full line there is no column left to stand on.
        let x = col.saturating_add(self.gutter(emulator)).min(emulator.size().0.saturating_sub(1));
        Some(CanvasCursor { x, y, shape: CursorShape::Default })
    }

    /// The row of the pattern being typed: the last one, or the first where the last one has what was found.
    fn prompt_row(&self, emulator: &Emulator) -> u16 {
        let last = emulator.size().1.saturating_sub(1);
        let covers = self.copy.cursor().line == self.copy.top() + usize::from(last);
        if covers { 0 } else { last }
    }
}

fn draw_transcript(transcript: &Transcript, top: usize, canvas: &mut Canvas, area: Rect, theme: &Theme) {
    for (y, line) in (area.y..area.bottom()).zip(top..) {
        let (text, role) = transcript.row(line).unwrap_or(("", handoff::Role::Assistant));
        let style = match role {
            handoff::Role::User => theme.style(Role::Accent),
            handoff::Role::Assistant => theme.style(Role::Text),
            handoff::Role::Tool => theme.style(Role::Dim),
        };
        write(canvas, Rect { y, height: 1, ..area }, text, style);
    }
}

/// Writes a text over a part of one row.
fn write(canvas: &mut Canvas, area: Rect, text: &str, style: Style) {
    canvas.clear(area);
    if !area.is_empty() {
        canvas.buffer.set_stringn(area.x, area.y, text, usize::from(area.width), style);
    }
}
