//! What readers and writers of answers have in common.
use super::{
    Session,
    carrier::Blob,
    hub::{Counts, Event, Notes, Opening, Stop},
    mend::mended,
};
use serde_json::Value;

/// Reads one dialect's answers.
pub(super) trait Listen: Send {
    /// Takes an event of a stream.
    fn hear(&mut self, name: &str, data: &Value, heard: &mut Heard<'_>);

    /// Takes an answer without a stream.
    fn whole(&mut self, body: &Value, heard: &mut Heard<'_>);

    /// The stream says that it is over, or ends: adds the stop if all of the answer was there.
    fn over(&mut self, heard: &mut Heard<'_>);
}

/// Where a reader puts what it heard.
pub(super) struct Heard<'a> {
    pub session: &'a Session,
    pub events: Vec<Event>,
    pub notes: &'a mut Notes,
}

impl Heard<'_> {
    pub(super) fn open(&mut self, key: u64, block: Opening) {
        self.events.push(Event::Open { key, block });
    }

    pub(super) fn piece(&mut self, key: u64, text: impl Into<String>) {
        self.events.push(Event::Piece { key, text: text.into() });
    }

    pub(super) fn sign(&mut self, key: u64, blob: Blob) {
        self.events.push(Event::Sign { key, blob });
    }

    pub(super) fn close(&mut self, key: u64) {
        self.events.push(Event::Close { key });
    }

    /// A block that is there all at once.
    pub(super) fn block(&mut self, key: u64, block: Opening, text: impl Into<String>, blob: Option<Blob>) {
        self.open(key, block);
        self.piece(key, text);
        if let Some(blob) = blob {
            self.sign(key, blob);
        }
        self.close(key);
    }
}

/// Writes one dialect's streams.
pub(super) trait Tell: Send {
    /// Writes an event; blocks come one after the other.
    fn tell(&mut self, said: Event, talk: &Talk<'_>, out: &mut Vec<u8>);
}

/// What a writer may look up.
pub(super) struct Talk<'a> {
    pub session: &'a Session,
    pub counts: &'a Counts,
    /// The block that is open.
    pub open: Option<&'a Opening>,
}

/// An answer without a stream.
#[derive(Debug)]
pub(super) struct Answer {
    pub blocks: Vec<Block>,
    pub stop: Stop,
}

#[derive(Debug)]
pub(super) enum Block {
    Text(String),
    Thinking { text: String, blob: Option<Blob> },
    Call { id: String, name: String, arguments: String },
}

impl Answer {
    /// The blocks of ordered events; empty ones are left out.
    pub(super) fn of(events: &[Event]) -> Self {
        let mut answer = Self { blocks: Vec::new(), stop: Stop::End };
        for event in events {
            match event {
                Event::Open { block, .. } => answer.blocks.push(match block {
                    Opening::Text => Block::Text(String::new()),
                    Opening::Thinking => Block::Thinking { text: String::new(), blob: None },
                    Opening::Call { id, name } => {
                        Block::Call { id: id.clone(), name: name.clone(), arguments: String::new() }
                    }
                }),
                Event::Piece { text: more, .. } => match answer.blocks.last_mut() {
                    Some(Block::Text(text) | Block::Thinking { text, .. }) => text.push_str(more),
                    Some(Block::Call { arguments, .. }) => arguments.push_str(more),
                    None => {}
                },
                Event::Sign { blob: signed, .. } => {
                    if let Some(Block::Thinking { blob, .. }) = answer.blocks.last_mut() {
                        *blob = Some(signed.clone());
                    }
                }
                Event::Stop(stop) => answer.stop = stop.clone(),
                _ => {}
            }
        }
        answer.blocks.retain(|block| !matches!(block, Block::Text(text) if text.is_empty()));
        answer
    }

    /// A call's arguments as an object; those that were cut are mended.
    pub(super) fn arguments(&self, text: &str) -> Value {
        mended(text)
    }

    /// All of the text.
    pub(super) fn text(&self) -> String {
        self.blocks.iter().fold(String::new(), |mut all, block| {
            if let Block::Text(text) = block {
                all.push_str(text);
            }
            all
        })
    }
}

/// Writes a server-sent event with its name.
pub(super) fn event(name: &str, data: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    write_json(data, out);
    out.extend_from_slice(b"\n\n");
}

/// Writes JSON on one line.
pub(super) fn write_json(data: &Value, out: &mut Vec<u8>) {
    // Writing a value into memory cannot fail.
    let _ = serde_json::to_writer(out, data);
}
