//! Owns the paste buffers: what was copied last, and what was kept by name.
use serde::{Deserialize, Serialize};

/// Most buffers, as tmux's buffer-limit; the oldest that has no name of its own goes first.
const MAX_BUFFERS: usize = 50;

/// Bytes of all buffers together: two of the largest copies.
const MAX_BUFFER_BYTES: usize = 2 * crate::mux::copy::MAX_COPY;

/// One text that can be pasted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasteBuffer {
    /// `buffer0`, or as it was named.
    pub name: String,
    /// The text.
    pub text: String,
    /// Seconds of unix time at which it was set.
    pub created: u64,
    /// A person gave it its name.
    named: bool,
}

/// The buffers, the newest last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Buffers {
    list: Vec<PasteBuffer>,
    next: usize,
}

impl Buffers {
    /// Keeps a text as the newest buffer, in place of one of that name; says its name.
    pub fn set(&mut self, name: Option<String>, text: String, created: u64) -> Result<String, String> {
        if text.len() > MAX_BUFFER_BYTES {
            return Err(format!("a buffer holds at most {} MiB", MAX_BUFFER_BYTES >> 20));
        }
        let named = name.is_some();
        let name = name.unwrap_or_else(|| {
            loop {
                let name = format!("buffer{}", self.next);
                self.next += 1;
                if self.find(Some(&name)).is_err() {
                    break name;
                }
            }
        });
        self.list.retain(|buffer| buffer.name != name);
        self.list.push(PasteBuffer { name: name.clone(), text, created, named });
        while self.list.len() > MAX_BUFFERS || self.bytes() > MAX_BUFFER_BYTES {
            // The one just set stays whatever it is.
            let older = &self.list[..self.list.len() - 1];
            let oldest = older.iter().position(|buffer| !buffer.named).unwrap_or(0);
            self.list.remove(oldest);
        }
        Ok(name)
    }

    fn bytes(&self) -> usize {
        self.list.iter().map(|buffer| buffer.text.len()).sum()
    }

    fn position(&self, name: Option<&str>) -> Result<usize, String> {
        match name {
            None => self.list.iter().rposition(|b| !b.named).or_else(|| self.list.len().checked_sub(1)),
            Some(name) => self.list.iter().position(|buffer| buffer.name == name),
        }
        .ok_or_else(|| match name {
            None => "there is no paste buffer yet; copy something with copy-mode or set-buffer".into(),
            Some(name) => format!("no paste buffer {name}; list-buffers names them"),
        })
    }

    /// The buffer of that name, or the newest that has no name of its own.
    ///
    /// # Errors
    /// A sentence when there is none.
    pub fn find(&self, name: Option<&str>) -> Result<&PasteBuffer, String> {
        self.position(name).map(|at| &self.list[at])
    }

    /// Forgets one.
    ///
    /// # Errors
    /// As [`Buffers::find`].
    pub fn delete(&mut self, name: Option<&str>) -> Result<(), String> {
        let at = self.position(name)?;
        self.list.remove(at);
        Ok(())
    }

    /// All of them, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = &PasteBuffer> {
        self.list.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(buffers: &Buffers) -> Vec<&str> {
        buffers.iter().map(|buffer| buffer.name.as_str()).collect()
    }

    #[test]
    fn the_newest_is_found_without_a_name_and_names_replace() {
        let mut buffers = Buffers::default();
        assert!(buffers.find(None).is_err());
        buffers.set(None, "a".into(), 1).unwrap();
        buffers.set(Some("mine".into()), "b".into(), 2).unwrap();
        assert_eq!(buffers.find(None).unwrap().text, "a");
        buffers.set(None, "c".into(), 3).unwrap();
        buffers.set(Some("mine".into()), "d".into(), 4).unwrap();
        assert_eq!(names(&buffers), ["mine", "buffer1", "buffer0"]);
        assert_eq!(buffers.find(None).unwrap().text, "c");
        assert_eq!(buffers.find(Some("mine")).unwrap().text, "d");
        buffers.delete(None).unwrap();
        assert_eq!(names(&buffers), ["mine", "buffer0"]);
        assert!(buffers.delete(Some("nobody's")).unwrap_err().contains("nobody's"));
    }

    #[test]
    fn what_is_kept_is_bounded_and_names_outlive_numbers() {
        let mut buffers = Buffers::default();
        buffers.set(Some("mine".into()), "a".into(), 1).unwrap();
        for n in 0..2 * MAX_BUFFERS {
            buffers.set(None, n.to_string(), 1).unwrap();
        }
        assert_eq!(names(&buffers).len(), MAX_BUFFERS);
        assert!(buffers.find(Some("mine")).is_ok());
        assert!(buffers.set(None, "x".repeat(MAX_BUFFER_BYTES + 1), 1).is_err());
        buffers.set(None, "x".repeat(MAX_BUFFER_BYTES), 1).unwrap();
        assert_eq!(names(&buffers).len(), 1);
    }
}
