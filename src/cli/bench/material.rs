//! Owns what a pane prints while it is measured: made up, the same on every run and machine.
use std::fmt::Write as _;

/// Bytes of the block that a pane prints again and again: large enough that no cache holds its rendering.
pub const BLOCK: usize = 1 << 20;

/// Frames of the redraw workload; a spinner's neighbourhood changes from one to the next, the rest stays.
const FRAMES: usize = 100;

/// The last thing a workload prints. It occurs nowhere else, and a single character reaches a terminal in one piece
/// whatever is drawn around it and however output was sliced on its way.
pub const MARKER: &str = "§";

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A build or server log: plain lines of mixed length.
    Lines,
    /// The same with a colour change every word or two.
    Colour,
    /// A full-screen program that writes its whole screen for each frame.
    Redraw,
}

impl Workload {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 3] = [Self::Lines, Self::Colour, Self::Redraw];

    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "log lines",
            Self::Colour => "dense colour",
            Self::Redraw => "full redraws",
        }
    }

    /// Its share of the megabytes asked for: the first carries the figure, the others show that it is no exception.
    pub fn megabytes(self, asked: usize) -> usize {
        match self {
            Self::Lines => asked.max(1),
            Self::Colour | Self::Redraw => (asked / 4).max(1),
        }
    }

    /// About a megabyte of it.
    pub fn block(self) -> Vec<u8> {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let mut text = String::with_capacity(BLOCK + 64 * 1024);
        match self {
            Self::Lines => {
                while text.len() < BLOCK {
                    line(&mut text, &mut dice);
                }
            }
            Self::Colour => {
                while text.len() < BLOCK {
                    colour(&mut text, &mut dice);
                }
            }
            Self::Redraw => {
                for frame in 0.. {
                    if text.len() >= BLOCK {
                        break;
                    }
                    redraw(&mut text, frame % FRAMES);
                }
            }
        }
        text.into_bytes()
    }

    /// What ends it: the marker on a screen where it stands alone.
    pub fn end(self) -> String {
        match self {
            Self::Redraw => format!("\x1b[m\x1b[2J\x1b[H{MARKER}"),
            Self::Lines | Self::Colour => format!("\x1b[m\r\n{MARKER}"),
        }
    }
}

/// Xorshift: the material is the same everywhere without a dependency.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }
}

const WORDS: [&str; 24] = [
    "request", "served", "from", "cache", "in", "after", "retry", "worker", "queue", "of", "session",
    "opened", "closed", "with", "status", "bytes", "the", "index", "was", "rebuilt", "for", "shard",
    "compiled", "module",
];

fn line(text: &mut String, dice: &mut Dice) {
    let level = ["INFO ", "DEBUG", "WARN ", "INFO "][dice.below(4)];
    let (minute, second, millis) = (dice.below(60), dice.below(60), dice.below(1000));
    let _ =
        write!(text, "2031-04-07T12:{minute:02}:{second:02}.{millis:03}Z {level} [{:>4}] ", dice.below(9999));
    for _ in 0..4 + dice.below(10) {
        text.push_str(dice.word());
        text.push(' ');
    }
    let _ = writeln!(text, "id={:08x}", dice.below(usize::MAX));
}

fn colour(text: &mut String, dice: &mut Dice) {
    for _ in 0..6 + dice.below(10) {
        let _ = match dice.below(4) {
            0 => write!(text, "\x1b[{}m", 31 + dice.below(6)),
            1 => write!(text, "\x1b[1;38;5;{}m", 16 + dice.below(216)),
            2 => {
                write!(text, "\x1b[0;38;2;{};{};{}m", dice.below(256), dice.below(256), dice.below(256))
            }
            _ => write!(text, "\x1b[m"),
        };
        text.push_str(dice.word());
        text.push(' ');
    }
    text.push_str("\x1b[m\n");
}

fn redraw(text: &mut String, frame: usize) {
    text.push_str("\x1b[H");
    for row in 1..=40 {
        let _ = write!(text, "\x1b[{row};1H\x1b[38;5;{}m{row:>3} \x1b[m", 17 + row);
        for column in 0..10 {
            let _ =
                write!(text, "{}={:<8}", WORDS[(row + column) % WORDS.len()], (row * column + frame) % 977);
        }
        text.push_str("\x1b[K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_shows_its_marker_only_at_its_end() {
        for workload in Workload::ALL {
            let block = workload.block();
            assert!(block.len() >= BLOCK && block.len() < BLOCK + 64 * 1024, "{}", workload.name());
            assert!(block.is_ascii(), "{}", workload.name());
            assert!(workload.end().ends_with(MARKER));
        }
    }
}
