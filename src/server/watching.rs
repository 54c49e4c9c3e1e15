//! Notices that the files of settings and themes changed, without looking at them again and again.
use super::{Event, Task};
use rustix::{
    buffer::spare_capacity,
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Quiet after the last change until the files are read: an editor writes in several steps.
const SETTLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 80_000_000 };

/// Bytes of changes that are read at once; each is a few dozen.
const SLICE: usize = 4096;

/// What may change a file in a directory, and the directory itself.
const CHANGES: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CREATE);

/// Watches the directories of the settings and of the themes on a thread, and lets the loop read both anew.
pub fn start(config: PathBuf, themes: PathBuf, events: mpsc::Sender<Event>) {
    let watch = move || {
        if let Err(error) = watch(&config, &themes, &events) {
            tracing::warn!(%error, "changes of the settings are not noticed; inspan reload reads them");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("settings".into()).spawn(watch) {
        tracing::warn!(%error, "no thread to watch the settings");
    }
}

/// The directory, or the nearest one above it that there is, where it would come to be.
fn nearest(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"))
}

fn watch(config: &Path, themes: &Path, events: &mpsc::Sender<Event>) -> rustix::io::Result<()> {
    let dir = config.parent().unwrap_or(config);
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let mut bytes = Vec::with_capacity(SLICE);
    loop {
        // A directory that was made or moved is watched from now on; watching one twice is once.
        for dir in [nearest(dir), nearest(themes)] {
            inotify::add_watch(&fd, dir, CHANGES)?;
        }
        wait(&fd, None)?;
        while wait(&fd, Some(&SETTLE))? {
            bytes.clear();
            match rustix::io::read(&fd, spare_capacity(&mut bytes)) {
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        let task: Task = Box::new(|server| server.files_changed());
        if events.blocking_send(Event::Task(task)).is_err() {
            return Ok(());
        }
    }
}

/// Whether something came within a time.
fn wait(fd: &impl std::os::fd::AsFd, time: Option<&Timespec>) -> rustix::io::Result<bool> {
    loop {
        match poll(&mut [PollFd::new(fd, PollFlags::IN)], time) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_awaited_above() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(nearest(&root.path().join("a/b")), root.path());
        assert_eq!(nearest(root.path()), root.path());
    }
}
