//! Cuts a byte stream into server-sent events, whatever way it arrives.

/// Bytes of one event's data that are kept. The largest real ones repeat a whole answer at its end; beyond this an
/// event keeps its name and loses its data.
const EVENT_BYTES: usize = 8 * 1024 * 1024;

/// Finds events in a stream that arrives in arbitrary pieces.
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    overflow: bool,
    after_cr: bool,
    /// Something of an event has arrived that is not complete yet.
    open: bool,
}

/// One event: its name (may be empty) and its data; `None` when the data was too large to keep.
pub struct Event<'a> {
    /// What kind it says it is; may be empty.
    pub name: &'a str,
    /// Its lines of data.
    pub data: Option<&'a [u8]>,
}

impl Events {
    /// Takes a piece and calls `found` for each event that it completes.
    pub fn feed(&mut self, bytes: &[u8], found: &mut dyn FnMut(Event<'_>)) {
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            if rest[0] == b'\n' {
                rest = &rest[1..];
            }
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            self.keep(&rest[..end]);
            let cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if cr {
                match rest.first() {
                    Some(b'\n') => rest = &rest[1..],
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            self.end_line(found);
        }
        self.keep(rest);
    }

    /// The stream ended: an event that only lacks its blank line still counts.
    pub fn finish(&mut self, found: &mut dyn FnMut(Event<'_>)) {
        if !self.line.is_empty() {
            self.end_line(found);
        }
        self.end_event(found);
    }

    /// Whether everything so far belongs to complete events, so that another may be written after it.
    pub fn at_boundary(&self) -> bool {
        !self.open
    }

    fn keep(&mut self, part: &[u8]) {
        if part.is_empty() {
            return;
        }
        self.open = true;
        if self.line.len() + part.len() > EVENT_BYTES {
            self.overflow = true;
            let room = EVENT_BYTES - self.line.len();
            self.line.extend_from_slice(&part[..room]);
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self, found: &mut dyn FnMut(Event<'_>)) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.end_event(found);
        } else if let Some(value) = field(&line, b"data") {
            if self.data.len() + value.len() >= EVENT_BYTES {
                self.overflow = true;
            } else {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            self.has_data = true;
        } else if let Some(value) = field(&line, b"event") {
            self.name = value.to_vec();
        }
        // The buffer is kept, emptied: a stream has as many lines as events.
        self.line = line;
        self.line.clear();
    }

    fn end_event(&mut self, found: &mut dyn FnMut(Event<'_>)) {
        if self.has_data {
            let name = std::str::from_utf8(&self.name).unwrap_or_default();
            let data = (!self.overflow).then_some(self.data.as_slice());
            found(Event { name, data });
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        self.overflow = false;
        self.open = false;
    }
}

/// The value of a line if it is this field; one space after the colon is not part of it.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut events = Events::default();
        let mut found = |e: Event<'_>| {
            out.push((e.name.to_owned(), String::from_utf8_lossy(e.data.unwrap_or(b"-")).into_owned()));
        };
        for piece in pieces {
            events.feed(piece, &mut found);
        }
        events.finish(&mut found);
        out
    }

    const STREAM: &str = ": hello\r\n\r\nevent: a\r\ndata: {\"x\":\r\ndata:  1}\r\n\r\ndata:two\n\nretry: 3\n\nevent: b\rdata: é\r\rdata: [DONE]";

    #[test]
    fn comments_names_and_every_line_end() {
        let want = [("a", "{\"x\":\n 1}"), ("", "two"), ("b", "é"), ("", "[DONE]")];
        let got = events(&[STREAM.as_bytes()]);
        assert_eq!(got, want.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_boundary_is_after_a_blank_line() {
        let mut events = Events::default();
        let mut none = |_: Event<'_>| {};
        assert!(events.at_boundary());
        for (piece, boundary) in
            [("data: x", false), ("\n", false), ("\n", true), (": c", false), ("\r\n\r\n", true)]
        {
            events.feed(piece.as_bytes(), &mut none);
            assert_eq!(events.at_boundary(), boundary, "{piece:?}");
        }
    }

    #[test]
    fn an_event_too_large_keeps_its_name() {
        let huge = vec![b'x'; EVENT_BYTES + 10];
        let got = events(&[b"event: big\ndata: ", &huge, b"\n\ndata: ok\n\n"]);
        assert_eq!(got, [("big".into(), "-".into()), (String::new(), "ok".into())]);
    }

    proptest! {
        #[test]
        fn the_way_it_is_split_does_not_matter(cuts in prop::collection::vec(0usize..STREAM.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([STREAM.len()]) {
                pieces.push(&STREAM.as_bytes()[from..cut]);
                from = cut;
            }
            prop_assert_eq!(events(&pieces), events(&[STREAM.as_bytes()]));
        }
    }
}
