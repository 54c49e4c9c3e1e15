//! Files that outlive the server beside the database: conversations and handoffs. One thread writes them, in order.
//!
//! Of a file that is replaced faster than the disk takes it only the newest contents are written.
use std::{
    collections::VecDeque,
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
};

/// Different files that wait for the disk. A pane has one and a switch adds one, so more means that the disk is stuck.
const WAITING_MAX: usize = 1024;

/// How long the server's end waits for what is still to be written.
const LAST_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// Makes a file's contents on the writing thread; `None` leaves the file as it is.
type Contents = Box<dyn FnOnce() -> Option<Vec<u8>> + Send>;

enum Job {
    Write(PathBuf, Contents),
    Remove(PathBuf),
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; `None` when it is closed and empty.
    fn next(&self) -> Option<Job> {
        let mut inner = self.lock();
        loop {
            if let Some(job) = inner.jobs.pop_front() {
                return Some(job);
            }
            if inner.closed {
                return None;
            }
            inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The handle to write files through; dropping it waits a moment for what is left.
pub struct Files {
    queue: Arc<Queue>,
    /// Hangs up when the thread has ended.
    over: Mutex<mpsc::Receiver<()>>,
}

impl Files {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start() -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let (working, over) = mpsc::channel();
        let jobs = Arc::clone(&queue);
        std::thread::Builder::new().name("files".to_owned()).spawn(move || {
            let _working: mpsc::Sender<()> = working;
            while let Some(job) = jobs.next() {
                if let Err((path, error)) = carry_out(job) {
                    tracing::warn!(%error, "{} could not be kept as it should be", path.display());
                }
            }
        })?;
        Ok(Self { queue, over: Mutex::new(over) })
    }

    /// Replaces a private file, its directories made on the way. Never waits.
    pub fn keep(&self, path: PathBuf, contents: impl FnOnce() -> Option<Vec<u8>> + Send + 'static) {
        let mut inner = self.queue.lock();
        let contents: Contents = Box::new(contents);
        let full = inner.jobs.len() >= WAITING_MAX;
        let waiting = inner.jobs.iter_mut().find_map(|job| match job {
            Job::Write(other, contents) if *other == path => Some(contents),
            _ => None,
        });
        match waiting {
            Some(waiting) => *waiting = contents,
            None if full => {
                tracing::warn!("the disk does not keep up: {} was not written", path.display());
            }
            None => inner.jobs.push_back(Job::Write(path, contents)),
        }
        self.queue.wake.notify_one();
    }

    /// Removes a directory and everything in it; where a link leads nothing is touched. What waits to be written there
    /// is not written any more.
    pub fn remove(&self, dir: PathBuf) {
        let mut inner = self.queue.lock();
        inner.jobs.retain(|job| !matches!(job, Job::Write(path, _) if path.starts_with(&dir)));
        inner.jobs.push_back(Job::Remove(dir));
        self.queue.wake.notify_one();
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("waiting", &self.queue.lock().jobs.len()).finish_non_exhaustive()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.wake.notify_one();
        let over = self.over.get_mut().unwrap_or_else(PoisonError::into_inner);
        if over.recv_timeout(LAST_WAIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("the disk does not answer; the newest files were not written");
        }
    }
}

fn carry_out(job: Job) -> Result<(), (PathBuf, io::Error)> {
    match job {
        Job::Write(path, contents) => match contents() {
            Some(contents) => replace(&path, &contents).map_err(|error| (path, error)),
            None => Ok(()),
        },
        Job::Remove(dir) => match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err((dir, error)),
            _ => Ok(()),
        },
    }
}

/// Replaces a private file now, its directories made on the way; on return it is on disk.
///
/// # Errors
/// What the file system says.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace(path, contents)?;
    fs::File::open(path)?.sync_all()
}

/// Writes beside the file and puts it in place whole, so that a crash leaves the old one or the new one.
fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let next = path.with_added_extension("next");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(contents)?;
    fs::rename(&next, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// Holds the writing thread at a file's contents until the sender speaks.
    fn hold(files: &Files, path: PathBuf) -> mpsc::Sender<()> {
        let (go, wait) = mpsc::channel();
        let (begun, begins) = mpsc::channel();
        files.keep(path, move || {
            begun.send(()).unwrap();
            let _ = wait.recv();
            None
        });
        begins.recv().unwrap();
        go
    }

    #[test]
    fn only_the_newest_contents_are_written_and_for_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("panes/1/conversation.json");
        let files = Files::start().unwrap();
        let go = hold(&files, dir.path().join("held"));
        files.keep(path.clone(), || panic!("an older one was made after all"));
        files.keep(path.clone(), || Some(b"new".to_vec()));
        go.send(()).unwrap();
        drop(files);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let parent = fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(parent.permissions().mode() & 0o777, 0o700);
        assert!(!dir.path().join("held").exists());
    }

    #[test]
    fn a_removed_directory_stays_away_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (pane, home) = (dir.path().join("pane"), dir.path().join("home"));
        fs::create_dir_all(pane.join("conf")).unwrap();
        fs::create_dir(&home).unwrap();
        fs::write(home.join("history"), "theirs").unwrap();
        symlink(&home, pane.join("conf/projects")).unwrap();
        let files = Files::start().unwrap();
        let go = hold(&files, dir.path().join("held"));
        files.keep(pane.join("conversation.json"), || Some(b"late".to_vec()));
        files.remove(pane.clone());
        files.remove(dir.path().join("was never there"));
        go.send(()).unwrap();
        drop(files);
        assert!(!pane.exists());
        assert_eq!(fs::read_to_string(home.join("history")).unwrap(), "theirs");
    }

    #[test]
    fn what_waits_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::start().unwrap();
        let go = hold(&files, dir.path().join("held"));
        for n in 0..WAITING_MAX + 10 {
            files.keep(dir.path().join(n.to_string()), || None);
        }
        assert_eq!(files.queue.lock().jobs.len(), WAITING_MAX);
        go.send(()).unwrap();
    }
}
