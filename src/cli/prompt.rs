//! Taking a secret from a person without showing it, or from standard input.
use anyhow::{Context, Result, bail};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    fs::File,
    io::{IsTerminal, Read, Write},
};

/// Nobody hands over more than this as a credential; what is longer is a file given by mistake.
const MOST: usize = 64 * 1024;

/// The bytes of a secret: from standard input, or from the terminal when standard input is one.
///
/// # Errors
/// There is no terminal, or nothing was given.
pub fn secret(what: &str) -> Result<Vec<u8>> {
    let bytes = if std::io::stdin().is_terminal() { typed(what)? } else { piped()? };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        bail!("nothing was given for {what}; nothing was added");
    }
    Ok(bytes)
}

fn piped() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(MOST as u64 + 1);
    input.read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}

/// The terminal without echo; dropping it gives it back as it was.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn enter(terminal: &'a File) -> rustix::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        // Keys that end a program are read as bytes, because a program that ends here would leave a terminal that
        // shows nothing.
        let mut quiet = before.clone();
        quiet.make_raw();
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

fn typed(what: &str) -> Result<Vec<u8>> {
    let mut terminal =
        File::options().read(true).write(true).open("/dev/tty").context("there is no terminal to ask on")?;
    let asked = terminal.try_clone()?;
    write!(terminal, "key for {what} (it is not shown): ")?;
    let quiet = Quiet::enter(&asked).context("the terminal cannot be kept from showing the key")?;
    let line = line(&mut &asked);
    drop(quiet);
    writeln!(terminal)?;
    line?.context("nothing was added")
}

/// One line, as it is edited; `None` when the person gave up.
fn line(from: &mut impl Read) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        if from.read(&mut byte)? == 0 {
            return Ok(Some(line));
        }
        match byte[0] {
            b'\r' | b'\n' => return Ok(Some(line)),
            // C-c, C-\ and Escape give up; C-d ends a line and gives up an empty one.
            0x03 | 0x1c | 0x1b => return Ok(None),
            0x04 => return Ok(Some(line).filter(|line| !line.is_empty())),
            0x08 | 0x7f => drop(line.pop()),
            0x15 => line.clear(),
            byte if line.len() < MOST => line.push(byte),
            _ => bail!("that is longer than any key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<Vec<u8>> {
        line(&mut &bytes[..]).unwrap()
    }

    #[test]
    fn a_line_is_edited_ended_and_given_up() {
        assert_eq!(read(b"sk-a\x7fb\rrest").unwrap(), b"sk-b");
        assert_eq!(read(b"wrong\x15right\n").unwrap(), b"right");
        assert_eq!(read(b"whole\x04").unwrap(), b"whole");
        assert_eq!(read(b"half\x03"), None);
        assert_eq!(read(b"\x04"), None);
    }
}
