//! The frames between a client and the server: `u32` little-endian length, one kind byte, the payload.
//!
//! The first frame each way names the protocol, so that two versions notice each other before anything else is
//! understood; on a mismatch the client executes the server's own binary.
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Raised whenever a frame changes its meaning.
pub const PROTOCOL: u32 = 2;

/// The largest payload either side accepts: an environment or a pasted megabyte fits, a hostile length does not.
pub const FRAME_LIMIT: usize = 4 << 20;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Client: `Hello` as JSON. Always the first frame, readable by every version.
    Hello = 0,
    /// Client: bytes from its terminal.
    Input = 1,
    /// Client: two little-endian `u16`, columns and rows.
    Resize = 2,
    /// Client: its terminal is in raw mode, the answer to `Terminal`; or it has a frame, the answer to `Paint`.
    Ready = 3,
    /// Server: `Welcome` as JSON. Always the first frame, readable by every version.
    Welcome = 64,
    /// Server: bytes for the terminal.
    Paint = 65,
    /// Server: from the answer on it reads and writes the client's terminal itself; that is to be in raw mode by then.
    Terminal = 69,
    /// Server: bytes for standard output.
    Out = 66,
    /// Server: bytes for standard error.
    Err = 67,
    /// Server: `Exit` as JSON; the last frame.
    Exit = 68,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Hello,
            1 => Self::Input,
            2 => Self::Resize,
            3 => Self::Ready,
            64 => Self::Welcome,
            65 => Self::Paint,
            66 => Self::Out,
            67 => Self::Err,
            68 => Self::Exit,
            69 => Self::Terminal,
            _ => return None,
        })
    }
}

/// What a client says first.
#[derive(Clone, Serialize, Deserialize)]
pub struct Hello {
    /// The client's `PROTOCOL`.
    pub protocol: u32,
    /// The client's version, for messages.
    pub version: String,
    /// The words after `inspan -L NAME`.
    pub argv: Vec<String>,
    /// The client's directory.
    pub cwd: String,
    /// The client's environment; variables that are not UTF-8 are left out.
    pub env: BTreeMap<String, String>,
    /// Size of its terminal, when it has one and wants to attach.
    pub terminal: Option<(u16, u16)>,
    /// The server may read and write that terminal itself: it is the client's standard input and output.
    #[serde(default)]
    pub direct: bool,
    /// The client says `Ready` for each frame that its terminal has; no other leaves before.
    #[serde(default)]
    pub acknowledges: bool,
}

/// What the server answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// The server's `PROTOCOL`.
    pub protocol: u32,
    /// The server's version.
    pub version: String,
    /// The server's process id.
    pub pid: i32,
}

/// How the conversation ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code for the client.
    pub code: i32,
    /// A last line for the terminal that was attached.
    pub message: String,
    /// The words of a hello to come again with, when the server goes on under another binary; else empty.
    #[serde(default)]
    pub again: Vec<String>,
}

/// Reads one frame; `None` at a clean end.
///
/// # Errors
/// I/O errors, and `InvalidData` for a length beyond [`FRAME_LIMIT`] or an unknown kind.
pub async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut head = [0u8; 5];
    match from.read_exact(&mut head[..1]).await {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    from.read_exact(&mut head[1..]).await?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if length > FRAME_LIMIT {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes is too long"),
        ));
    }
    let kind = Kind::from_byte(head[4]).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("unknown frame kind {}", head[4]))
    })?;
    let mut payload = vec![0u8; length];
    from.read_exact(&mut payload).await?;
    Ok(Some((kind, payload)))
}

/// One frame as bytes.
pub fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 5);
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.push(kind as u8);
    bytes.extend_from_slice(payload);
    bytes
}

/// One frame whose payload is JSON.
pub fn json_frame(kind: Kind, payload: &impl Serialize) -> Vec<u8> {
    frame(kind, &serde_json::to_vec(payload).unwrap_or_default())
}

/// Writes bytes that are whole frames.
///
/// # Errors
/// I/O errors.
pub async fn write_all(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn frames_survive_the_trip() {
        run(async {
            let mut bytes = frame(Kind::Input, b"abc");
            bytes.extend(frame(Kind::Resize, &[]));
            let mut from = bytes.as_slice();
            assert_eq!(read_frame(&mut from).await.unwrap(), Some((Kind::Input, b"abc".to_vec())));
            assert_eq!(read_frame(&mut from).await.unwrap(), Some((Kind::Resize, vec![])));
            assert_eq!(read_frame(&mut from).await.unwrap(), None);
        });
    }

    #[test]
    fn hostile_frames_are_errors() {
        run(async {
            let mut long = (FRAME_LIMIT as u32 + 1).to_le_bytes().to_vec();
            long.push(1);
            assert!(read_frame(&mut long.as_slice()).await.is_err());
            assert!(read_frame(&mut [0u8, 0, 0, 0, 99].as_slice()).await.is_err());
            assert!(read_frame(&mut [9u8, 0].as_slice()).await.is_err());
        });
    }
}
