//! `pipe-pane`: what a pane prints goes to a command, what the command prints is typed into the pane.
use super::{
    Server,
    reply::Failure,
    verbs::{Answer, silent},
};
use crate::mux::PaneId;
use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

/// Slices of output that wait for the command; when it reads slower than the pane prints, more is left out.
const WAITING_SLICES: usize = 256;

/// What the command prints is read in slices of this many bytes.
const READ_SLICE: usize = 4096;

/// An open pipe; dropping it closes the command's input, which ends well-behaved commands.
pub struct Pipe {
    pid: i32,
    ended: Arc<AtomicBool>,
    /// The command only types: there is no end of input for it to notice.
    deaf: bool,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let (true, false, Some(pid)) =
            (self.deaf, self.ended.load(Ordering::Acquire), rustix::process::Pid::from_raw(self.pid))
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
}

impl Server {
    /// Opens a pipe in place of the pane's own, or closes that one.
    pub(super) fn pipe_pane(
        &mut self,
        id: PaneId,
        (input, output): (bool, bool),
        toggle: bool,
        command: Option<String>,
    ) -> Answer {
        let was_open = self.scripted.pipes.remove(&id).is_some();
        if let Some(screen) = self.screens.get(&id) {
            screen.set_tap(None);
        }
        let Some(command) = command.filter(|_| !(toggle && was_open)) else {
            self.touch();
            return silent();
        };
        let output = output || !input;
        let (Some(screen), Some(pane)) = (self.screens.get(&id), self.state.panes.get(&id)) else {
            return Err(Failure::Failed(format!("no pane {id}")));
        };
        let env = self.env_of(id);
        let mut child = Command::new("/bin/sh")
            .args(["-c", &command])
            .current_dir(if pane.cwd.is_dir() { pane.cwd.as_path() } else { std::path::Path::new("/") })
            .env_clear()
            .envs(env)
            .stdin(if output { Stdio::piped() } else { Stdio::null() })
            .stdout(if input { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failure::Failed(format!("cannot run {command:?}: {error}")))?;
        let mut tap = None;
        if let Some(mut stdin) = child.stdin.take() {
            let (sender, slices) = mpsc::sync_channel::<Vec<u8>>(WAITING_SLICES);
            tap = Some(sender);
            std::thread::spawn(move || {
                while let Ok(slice) = slices.recv() {
                    if stdin.write_all(&slice).and_then(|()| stdin.flush()).is_err() {
                        break;
                    }
                }
            });
        }
        if let Some(mut stdout) = child.stdout.take() {
            let tasks = self.tasks.clone();
            std::thread::spawn(move || {
                let mut slice = vec![0; READ_SLICE];
                while let Ok(n @ 1..) = stdout.read(&mut slice) {
                    let bytes = slice[..n].to_vec();
                    let (done, told) = mpsc::channel();
                    tasks.after(std::time::Duration::ZERO, move |server| {
                        let _ = done.send(server.write(id, bytes).is_ok());
                    });
                    // One slice at a time, so that the command waits for the pane and not the loop for the command.
                    if !told.recv().unwrap_or(false) {
                        break;
                    }
                }
            });
        }
        screen.set_tap(tap);
        let (pid, ended) = (child.id().cast_signed(), Arc::new(AtomicBool::new(false)));
        let end = ended.clone();
        // Its end is waited for, so that it leaves no zombie.
        std::thread::spawn(move || {
            let _ = child.wait();
            end.store(true, Ordering::Release);
        });
        self.scripted.pipes.insert(id, Pipe { pid, ended, deaf: !output });
        self.touch();
        silent()
    }
}
