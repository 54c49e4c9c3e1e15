//! The first ride where nothing can be installed: what works goes on, what does not says why.
use crate::{common::*, steps::*};

/// A PATH on which there is no npm.
fn without_npm(sandbox: &Sandbox) -> String {
    let bin = sandbox.dir("tools");
    for tool in ["sh", "git", "cat"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|dir| dir.join(tool))
            .find(|path| path.is_file())
            .unwrap_or_else(|| panic!("there is no {tool}"));
        std::os::unix::fs::symlink(found, bin.join(tool)).unwrap();
    }
    bin.to_string_lossy().into_owned()
}

#[test]
fn a_ride_without_npm_has_a_shell_and_says_what_is_missing() {
    let mut sandbox = Sandbox::new();
    let path = without_npm(&sandbox);
    sandbox.set_env("PATH", Some(&path));
    sandbox.write("home/.profile", &format!("PATH='{path}'; export PATH\nPS1='{PROMPT}'\n"));
    let terminal = sandbox.attach(100, 30, &["try"]);
    terminal.wait_for("claude was not installed");
    terminal.wait_for("npm was not found");
    terminal.wait_for("its card says why");
    terminal.keys("f");
    terminal.wait_until("the second attempt failed as the first did", |screen| {
        let text = rows(screen).join("\n");
        text.matches("npm was not found").count() == 2 && text.contains("f try again")
    });
    terminal.keys("C-Space o");
    terminal.wait_for("until %1 has the focus: claude stopped");
    // The guide looks for the file's line in a shell, whoever put it there.
    terminal.send("echo 'hello from the first' harness\r");
    terminal.wait_for("✓▸·");
    detach(&terminal);
}
