//! Text to rows of a terminal: control characters taken out, wrapped at words, styled spans kept.
use ratatui::{
    style::Style,
    text::{Line, Span},
};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that a tab goes to.
const TAB: usize = 4;

/// One row.
pub type Row = Line<'static>;

/// Text as it may be written to a terminal: no control characters, tabs as blanks, line ends alone kept.
///
/// What a model or a command says must not move the cursor, set a title or a status.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => {
                out.push('\n');
                column = 0;
            }
            '\t' => {
                let blanks = TAB - column % TAB;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            // A line drawn over another, as progress bars do, begins anew.
            '\r' if chars.peek() != Some(&'\n') => {
                let start = out.rfind('\n').map_or(0, |at| at + 1);
                out.truncate(start);
                column = 0;
            }
            '\x1b' => skip_sequence(&mut chars),
            c if c.is_control() => {}
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

/// Steps over what follows an escape.
fn skip_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('\x40'..='\x7e').contains(&c)) {},
        Some(']' | 'P' | '_' | '^' | 'X') => {
            while let Some(c) = chars.next() {
                if c == '\x07' || c == '\x1b' && chars.next_if_eq(&'\\').is_some() {
                    return;
                }
            }
        }
        _ => {}
    }
}

/// Wraps styled text to rows of at most `width` columns; the first begins with `first`, the others with `rest`.
pub fn wrap(spans: &[Span<'static>], width: usize, first: &Span<'static>, rest: &Span<'static>) -> Vec<Row> {
    let room = |lead: &Span<'static>| width.saturating_sub(lead.content.width()).max(1);
    // Words with their styles; a word may change its style in its middle.
    let mut rows = Vec::new();
    let mut row: Vec<Span<'static>> = vec![first.clone()];
    let mut left = room(first);
    let mut word: Vec<(String, Style)> = Vec::new();
    let mut word_width = 0;
    let mut pieces: Vec<(&str, Style)> = Vec::new();
    for span in spans {
        pieces.extend(span.content.split_word_bounds().map(|piece| (piece, span.style)));
    }
    let turn = |row: &mut Vec<Span<'static>>, left: &mut usize, rows: &mut Vec<Row>| {
        rows.push(Line::from(std::mem::replace(row, vec![rest.clone()])));
        *left = room(rest);
    };
    let flush = |word: &mut Vec<(String, Style)>,
                 word_width: &mut usize,
                 row: &mut Vec<Span<'static>>,
                 left: &mut usize,
                 rows: &mut Vec<Row>| {
        if *word_width > *left && row.len() > 1 && *word_width <= room(rest) {
            turn(row, left, rows);
        }
        for (text, style) in word.drain(..) {
            let mut part = String::new();
            for grapheme in text.graphemes(true) {
                let wide = grapheme.width();
                if wide > *left {
                    row.push(Span::styled(std::mem::take(&mut part), style));
                    turn(row, left, rows);
                }
                part.push_str(grapheme);
                *left = left.saturating_sub(wide);
            }
            row.push(Span::styled(part, style));
        }
        *word_width = 0;
    };
    for (piece, style) in pieces {
        if piece.chars().all(char::is_whitespace) {
            flush(&mut word, &mut word_width, &mut row, &mut left, &mut rows);
            let wide = piece.width();
            // Blanks at the end of a row are where it is broken.
            if wide <= left {
                row.push(Span::styled(piece.to_owned(), style));
                left -= wide;
            } else {
                left = 0;
            }
        } else {
            word_width += piece.width();
            word.push((piece.to_owned(), style));
        }
    }
    flush(&mut word, &mut word_width, &mut row, &mut left, &mut rows);
    rows.push(Line::from(row));
    rows
}

/// Wraps plain text of several lines in one style, set off by a sign before the first.
pub fn wrap_text(text: &str, style: Style, width: usize, sign: &Span<'static>) -> Vec<Row> {
    let blank = Span::raw(" ".repeat(sign.content.width()));
    let mut lead = sign;
    let mut rows = Vec::new();
    for line in text.lines() {
        rows.extend(wrap(&[Span::styled(line.to_owned(), style)], width, lead, &blank));
        lead = &blank;
    }
    rows
}

/// Text cut to so many columns, with an ellipsis where it was cut.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used > width {
            break;
        }
        out.push_str(grapheme);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// A row cut to so many columns.
pub fn cut(row: Row, width: usize) -> Row {
    if super::screen::columns(&row) <= width {
        return row;
    }
    let mut left = width;
    let mut spans = Vec::new();
    for span in row.spans {
        let mut text = String::new();
        for grapheme in span.content.graphemes(true) {
            if grapheme.width() > left {
                left = 0;
                break;
            }
            left -= grapheme.width();
            text.push_str(grapheme);
        }
        spans.push(Span::styled(text, span.style));
    }
    Line::from(spans).style(row.style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, width: usize) -> Vec<String> {
        let rows = wrap(&[Span::raw(text.to_owned())], width, &Span::raw("> "), &Span::raw("  "));
        rows.iter().map(|row| row.spans.iter().map(|s| s.content.as_ref()).collect::<String>()).collect()
    }

    #[test]
    fn rows_break_at_words_and_long_words_anywhere() {
        assert_eq!(rows("one two three", 9), ["> one two", "  three"]);
        assert_eq!(rows("abcdefghijkl x", 6), ["> abcd", "  efgh", "  ijkl", "  x"]);
        assert_eq!(rows("日本語日本", 7), ["> 日本", "  語日", "  本"]);
        assert_eq!(rows("", 9), ["> "]);
        for width in 3..40 {
            for row in rows("a fox, a-b-c, äöü 日本語 and https://example.invalid/long/path?x=1", width)
            {
                assert!(row.trim_end().width() <= width.max(4), "{row:?} at {width}");
            }
        }
    }

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        assert_eq!(plain("a\x1b[31mred\x1b[0m\x1b]0;title\x07b\x1b]7501;state=idle\x1b\\c\x08"), "aredbc");
        assert_eq!(plain("a\tb\nab\tc"), "a   b\nab  c");
        assert_eq!(plain("10%\r20%\r\ndone"), "20%\ndone");
        assert_eq!(plain("\x1b"), "");
    }

    #[test]
    fn what_is_too_long_says_so() {
        assert_eq!(
            (fit("abc", 3), fit("abcd", 3), fit("日本語", 5)),
            ("abc".into(), "ab…".into(), "日本…".into())
        );
    }
}
