//! Puts an answer's blocks one after the other, as every client can read them.
//!
//! The block that opened first streams; what other blocks say meanwhile waits for its end. Nothing is collected
//! beyond that.
use super::hub::{Event, Failure, Opening, Stop};
use std::collections::VecDeque;

/// Bytes that wait behind an open block; beyond that the upstream is not sane.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Serial {
    open: Option<Opened>,
    waiting: VecDeque<(u64, Vec<Event>)>,
    waiting_bytes: usize,
    calls: bool,
    /// A stop or a failure has passed: nothing comes after it.
    ended: bool,
}

#[derive(Debug)]
struct Opened {
    key: u64,
    call: bool,
    said: bool,
}

impl Serial {
    /// Takes an event in the upstream's order and adds what may be said now.
    pub(super) fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        match event {
            Event::Open { key, .. } => {
                if self.open.is_some() {
                    self.waiting.push_back((key, vec![event]));
                } else {
                    self.pass(event, out);
                }
            }
            Event::Piece { key, .. } | Event::Sign { key, .. } | Event::Close { key } => {
                if self.open.as_ref().is_some_and(|open| open.key == key) {
                    self.pass(event, out);
                    self.advance(out);
                } else if let Some((_, held)) = self.waiting.iter_mut().find(|(waiting, _)| *waiting == key) {
                    if let Event::Piece { text, .. } = &event {
                        self.waiting_bytes += text.len();
                    }
                    held.push(event);
                    if self.waiting_bytes > WAITING_BYTES {
                        self.fail(
                            "The upstream's answer mixes parts that are too large to be put in order.",
                            out,
                        );
                    }
                }
            }
            Event::Stop(stop) => {
                self.close_all(out);
                // Providers disagree about the reason of a turn with calls; the calls themselves tell.
                let stop = match stop {
                    Stop::End if self.calls => Stop::Tools,
                    Stop::Tools if !self.calls => Stop::End,
                    stop => stop,
                };
                self.ended = true;
                out.push(Event::Stop(stop));
            }
            Event::Fail(_) => {
                self.ended = true;
                out.push(event);
            }
            Event::Begin { .. } | Event::Count(_) => out.push(event),
        }
    }

    fn fail(&mut self, message: &str, out: &mut Vec<Event>) {
        self.ended = true;
        out.push(Event::Fail(Failure { status: 502, code: String::new(), message: message.to_owned() }));
    }

    /// Says an event of the open block, or opens it.
    fn pass(&mut self, event: Event, out: &mut Vec<Event>) {
        match &event {
            Event::Open { key, block } => {
                let call = matches!(block, Opening::Call { .. });
                self.calls |= call;
                self.open = Some(Opened { key: *key, call, said: false });
            }
            Event::Piece { text, .. } => {
                if text.is_empty() {
                    return;
                }
                if let Some(open) = &mut self.open {
                    open.said = true;
                }
            }
            Event::Close { key } => {
                if let Some(open) = self.open.take()
                    && open.call
                    && !open.said
                {
                    // A call without arguments has the empty object, which some upstreams do not write.
                    out.push(Event::Piece { key: *key, text: "{}".to_owned() });
                }
            }
            _ => {}
        }
        out.push(event);
    }

    /// Lets waiting blocks speak until one is open again.
    fn advance(&mut self, out: &mut Vec<Event>) {
        while self.open.is_none() {
            let Some((_, held)) = self.waiting.pop_front() else {
                self.waiting_bytes = 0;
                return;
            };
            for event in held {
                self.pass(event, out);
            }
        }
    }

    fn close_all(&mut self, out: &mut Vec<Event>) {
        while let Some(open) = &self.open {
            let key = open.key;
            self.pass(Event::Close { key }, out);
            self.advance(out);
        }
    }
}

/// Follows JSON text as it comes and knows when its first value is whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Balance {
    depth: u32,
    begun: bool,
    in_string: bool,
    escaped: bool,
}

impl Balance {
    pub(super) fn feed(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.depth += 1;
                    self.begun = true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// An object or array has come to its end.
    pub(super) fn whole(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(events: Vec<Event>) -> Vec<String> {
        let mut serial = Serial::default();
        let mut out = Vec::new();
        events.into_iter().for_each(|event| serial.push(event, &mut out));
        out.iter()
            .map(|event| match event {
                Event::Open { key, .. } => format!("+{key}"),
                Event::Piece { key, text } => format!("{key}:{text}"),
                Event::Close { key } => format!("-{key}"),
                Event::Stop(stop) => format!("{stop:?}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn call(key: u64) -> Event {
        Event::Open { key, block: Opening::Call { id: "i".into(), name: "n".into() } }
    }

    fn piece(key: u64, text: &str) -> Event {
        Event::Piece { key, text: text.into() }
    }

    #[test]
    fn interleaved_calls_come_one_after_the_other() {
        let said = run(vec![
            call(1),
            piece(1, "{"),
            call(2),
            piece(2, "{\"b\":"),
            piece(1, "}"),
            Event::Close { key: 1 },
            piece(2, "2}"),
            call(3),
            Event::Stop(Stop::End),
            piece(3, "late"),
        ]);
        assert_eq!(
            said,
            ["+1", "1:{", "1:}", "-1", "+2", "2:{\"b\":", "2:2}", "-2", "+3", "3:{}", "-3", "Tools"]
        );
    }

    #[test]
    fn a_reason_of_calls_needs_a_call() {
        assert_eq!(run(vec![Event::Stop(Stop::Tools)]), ["End"]);
        assert_eq!(run(vec![call(1), Event::Stop(Stop::Length)]), ["+1", "1:{}", "-1", "Length"]);
    }

    #[test]
    fn json_is_whole_at_its_last_brace() {
        let mut balance = Balance::default();
        for (piece, whole) in
            [(" ", false), ("{\"a}\\", false), ("\"\":[1", false), ("]", false), ("} ", true)]
        {
            balance.feed(piece);
            assert_eq!(balance.whole(), whole, "{piece}");
        }
    }
}
