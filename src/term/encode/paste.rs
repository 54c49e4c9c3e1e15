//! Owns pastes: what a clipboard holds must arrive as text, never as a command.
use crate::term::input::PASTE_END;

const PASTE_START: &[u8] = b"\x1b[200~";

/// A paste as the program receives it.
///
/// Control characters other than tab, line feed and carriage return are left out, and an end mark inside is taken
/// out whole, so that nothing in the text can end the paste or act as a key. Without bracketed paste (mode 2004) line
/// ends become carriage returns, as if typed; within brackets they stay what they are.
pub fn encode_paste(bytes: &[u8], bracketed: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + PASTE_START.len() + PASTE_END.len());
    if bracketed {
        out.extend_from_slice(PASTE_START);
    }
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(PASTE_END) {
            rest = after;
            continue;
        }
        rest = tail;
        match byte {
            b'\r' if !bracketed => {
                out.push(byte);
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            b'\n' if !bracketed => out.push(b'\r'),
            b'\t' | b'\n' | b'\r' => out.push(byte),
            0..0x20 | 0x7f => {}
            byte => out.push(byte),
        }
    }
    if bracketed {
        out.extend_from_slice(PASTE_END);
    }
    out
}
