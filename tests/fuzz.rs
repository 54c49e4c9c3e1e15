//! Fuzzing of what reads bytes from outside: a terminal's input, the protocol's frames, a pane's output.
//!
//! Each target first replays its corpus under `tests/corpus/`, then mutates it for `INSPAN_FUZZ_SECONDS` (one unless
//! set), from a seed that is printed, so that `INSPAN_FUZZ_SEED` brings a failure back. What fails goes into the corpus.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code")]
use inspan::{
    server::protocol::{FRAME_LIMIT, frame, read_frame},
    term::{
        canvas::Canvas,
        emulator::{Emulator, FeedOutput, TermEvent},
        input::{Decoder, Input},
        palette::Palette,
    },
};
use ratatui::layout::Rect;
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::{Duration, Instant, SystemTime},
};

/// Bytes of a mutated input: enough for several sequences to meet, few enough for thousands of runs a second.
const LONGEST: usize = 4096;

/// What the parsers look for, so that mutations find their way into them.
const TOKENS: [&[u8]; 24] = [
    b"\x1b[",
    b"\x1b]",
    b"\x1bP",
    b"\x1b_",
    b"\x1b\\",
    b"\x07",
    b"\x18",
    b"\x1b",
    b";",
    b":",
    b"?",
    b"99999",
    b"0",
    b"h",
    b"l",
    b"m",
    b"\r\n",
    b"\x1b[?1049h",
    b"\x1b[?2026h",
    b"\x1b[200~",
    b"\x1b[201~",
    b"\xef\xb8\x8f",
    b"\xe6\x97\xa5",
    b"\xff",
];

/// xorshift64*: no quality is needed, only repeatability.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len() + 1);
        let to = (at + random.below(16)).min(bytes.len());
        match random.below(6) {
            0 => drop(bytes.drain(at..to)),
            1 => drop(bytes.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
            2 => drop(bytes.splice(at..at, [random.next() as u8])),
            3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            4 => {
                let piece = bytes[at..to].repeat(1 + random.below(20));
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

fn fuzz(target: &str, run: impl Fn(&[u8], &mut Random)) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(corpus.len() >= 5, "the corpus of {target} is gone");
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = setting("INSPAN_FUZZ_SEED").unwrap_or_else(now) | 1;
    let mut random = Random(seed);
    let mut check = |bytes: &[u8]| {
        let before = random.0;
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| run(bytes, &mut random))) {
            eprintln!("{target}, seed {seed}, state {before}: \"{}\"", bytes.escape_ascii());
            resume_unwind(cause);
        }
    };
    corpus.iter().for_each(|bytes| check(bytes));
    let time = Duration::from_secs(setting("INSPAN_FUZZ_SECONDS").unwrap_or(1));
    let (begin, mut runs) = (Instant::now(), 0u64);
    let mut inputs = Random(seed);
    while begin.elapsed() < time {
        check(&mutated(&corpus, &mut inputs));
        runs += 1;
    }
    println!("{target}: {} files and {runs} inputs, seed {seed}", corpus.len());
}

/// Pastes joined, as how they are cut depends on how they came.
fn joined(inputs: Vec<Input>) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    let mut pasted: Vec<u8> = Vec::new();
    for input in inputs {
        if let Input::Paste(part) = input {
            pasted.extend(part);
            continue;
        }
        if !pasted.is_empty() {
            said.push(format!("{:?}", std::mem::take(&mut pasted)));
        }
        said.push(format!("{input:?}"));
    }
    said.push(format!("{pasted:?}"));
    said
}

#[test]
fn the_input_decoder_takes_anything_in_any_pieces() {
    fuzz("input", |bytes, random| {
        let mut whole = Decoder::new();
        let mut want = whole.feed(bytes);
        want.extend(whole.flush());
        let mut pieces = Decoder::new();
        let mut got = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(1 + random.below(rest.len()));
            got.extend(pieces.feed(piece));
            rest = behind;
        }
        got.extend(pieces.flush());
        assert_eq!(joined(got), joined(want));
    });
}

#[test]
fn frames_are_read_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    fuzz("frames", |bytes, _| {
        let mut rest = bytes;
        loop {
            let before = rest;
            match runtime.block_on(read_frame(&mut rest)) {
                Ok(Some((kind, payload))) => {
                    assert!(payload.len() <= FRAME_LIMIT);
                    // What was read is what writing it again gives.
                    let used = before.len() - rest.len();
                    assert_eq!(frame(kind, &payload), &before[..used]);
                }
                Ok(None) => break assert!(before.is_empty()),
                Err(_) => break,
            }
        }
    });
}

#[test]
fn a_pane_survives_any_output_in_any_sizes() {
    const HISTORY: usize = 200;
    fuzz("pane", |bytes, random| {
        let now = Instant::now();
        let (cols, rows) = (2 + random.below(90) as u16, 1 + random.below(30) as u16);
        let mut emulator = Emulator::new(cols, rows, HISTORY, Palette::default());
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(1 + random.below(rest.len()));
            rest = behind;
            let mut out = FeedOutput::default();
            emulator.feed(piece, now, &mut out);
            emulator.flush_sync(&mut out);
            assert!(!out.events.contains(&TermEvent::Rebuilt), "the core broke");
            // A reply must never be able to begin a line of its own.
            assert!(!out.replies.iter().any(|byte| matches!(byte, b'\r' | b'\n')), "{:?}", out.replies);
            if random.below(4) == 0 {
                emulator.resize(2 + random.below(90) as u16, 1 + random.below(30) as u16);
            }
            let (cols, rows) = emulator.size();
            let cursor = emulator.cursor();
            assert!(cursor.x < cols && cursor.y < rows, "{cursor:?} in {cols}x{rows}");
            assert!(emulator.history_len() <= HISTORY);
        }
        let (cols, rows) = emulator.size();
        let mut canvas = Canvas::new(cols, rows);
        let history = emulator.history_len();
        emulator.draw(&mut canvas, Rect::new(0, 0, cols, rows), history);
        let captured = emulator.capture(Some(i32::MIN), None, true, false);
        assert_eq!(captured.lines().count(), history + usize::from(rows));
    });
}
