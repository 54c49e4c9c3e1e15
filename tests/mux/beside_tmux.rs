//! The same commands given to tmux and to us, where tmux is installed: the same panes in the same places.
use crate::common::*;
use std::process::Command;

/// A tmux server of its own that goes with the test.
struct Tmux<'a> {
    sandbox: &'a Sandbox,
    socket: String,
}

impl<'a> Tmux<'a> {
    /// `None` where there is no tmux.
    fn new(sandbox: &'a Sandbox) -> Option<Self> {
        let there = Command::new("tmux").arg("-V").output().is_ok_and(|output| output.status.success());
        let socket = sandbox.path("tmux.sock").to_str()?.to_owned();
        there.then_some(Self { sandbox, socket })
    }

    fn run(&self, args: &[&str]) -> Output {
        let home = self.sandbox.path("home");
        self.sandbox.run_in(&home, "tmux", &[&["-S", &self.socket, "-f", "/dev/null"], args].concat())
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-S", &self.socket, "kill-server"]).output();
    }
}

/// The panes in their order, by when they were made, the focused one marked; windows parted by a bar.
const ORDER: &str = "#{window_index} #{pane_id}#{?pane_active,*,}#{?window_active,+,}";

/// Numbers panes from 0 and windows by their place, as either program numbers them.
fn order(output: &str) -> Vec<String> {
    let rows: Vec<(&str, &str)> = output.lines().filter_map(|line| line.split_once(' ')).collect();
    let number = |pane: &str| {
        let digits: String = pane.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<usize>().unwrap()
    };
    let first = rows.iter().map(|(_, pane)| number(pane)).min().unwrap_or(0);
    let mut windows: Vec<&str> = rows.iter().map(|(window, _)| *window).collect();
    windows.dedup();
    let place = |window: &str| windows.iter().position(|known| *known == window).unwrap();
    rows.iter()
        .map(|(window, pane)| {
            let marks: String = pane.chars().filter(|c| "*+".contains(*c)).collect();
            format!("{}:{}{marks}", place(window), number(pane) - first)
        })
        .collect()
}

#[test]
fn panes_go_where_tmux_puts_them() {
    let sandbox = Sandbox::new();
    let Some(tmux) = Tmux::new(&sandbox) else { return };
    let new = ["new-session", "-d", "-s", "w", "-x", "120", "-y", "40", "sleep 600"];
    tmux.run(&new).ok();
    sandbox.inspan(&new).ok();
    // Panes by the order in which they are made: tmux counts from 0, we from 1.
    let pane = |line: &str, base: usize| {
        line.split(' ')
            .map(|word| match word.strip_prefix('#').and_then(|n| n.parse::<usize>().ok()) {
                Some(n) => format!("%{}", n + base),
                None => word.replace('_', " "),
            })
            .collect::<Vec<_>>()
    };
    for line in [
        "split-window -h sleep_600",
        "split-window -v sleep_600",
        "split-window -b -t #0 sleep_600",
        "swap-pane -s #0 -t #2",
        "swap-pane -d -s #1 -t #3",
        "swap-pane -U",
        "rotate-window",
        "rotate-window -D",
        "rotate-window -D",
        "last-pane",
        "select-pane -t #1",
        "select-pane -L",
        "select-pane -D",
        "select-layout tiled",
        "select-pane -R",
        "new-window sleep_600",
        "join-pane -h -s #2 -t #4",
        "last-window",
        "break-pane -d -s #1",
        "next-window",
        "swap-pane -s #3 -t #4",
        "move-pane -d -b -s #2 -t #0",
        "kill-pane -t #3",
        "previous-window",
        "select-window -t :$",
        "split-window -f -h sleep_600",
        "split-window -d -f -b -v sleep_600",
        "kill-pane -a -t #5",
    ] {
        for (words, run) in [
            (pane(line, 0), &(|args: &[&str]| tmux.run(args)) as &dyn Fn(&[&str]) -> Output),
            (pane(line, 1), &|args: &[&str]| sandbox.inspan(args)),
        ] {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            run(&words).ok();
        }
        let theirs = tmux.run(&["list-panes", "-s", "-t", "w", "-F", ORDER]);
        let ours = sandbox.inspan(&["list-panes", "-s", "-t", "w", "-F", ORDER]);
        assert_eq!(order(ours.ok()), order(theirs.ok()), "after {line}");
    }
}

#[test]
fn layouts_are_taken_from_tmux_and_by_tmux() {
    let sandbox = Sandbox::new();
    let Some(tmux) = Tmux::new(&sandbox) else { return };
    // The window of ours has a line less for the status than the terminal.
    tmux.run(&["new-session", "-d", "-s", "w", "-x", "120", "-y", "39", "sleep 600"]).ok();
    tmux.run(&["set", "-g", "status", "off"]).ok();
    tmux.run(&["resize-window", "-t", "w", "-x", "120", "-y", "39"]).ok();
    sandbox.inspan(&["new-session", "-d", "-s", "w", "-x", "120", "-y", "40", "sleep 600"]).ok();
    for side in ["-h", "-v", "-h", "-v", "-h"] {
        tmux.run(&["split-window", "-t", "w", side, "sleep 600"]).ok();
        sandbox.inspan(&["split-window", "-t", "w", side, "sleep 600"]).ok();
    }
    // The numbers of panes differ; the places must not.
    let places = |layout: &str| {
        let body = layout.split_once(',').unwrap().1.to_owned();
        let cell = regex::Regex::new(r"(\d+x\d+,\d+,\d+),\d+").unwrap();
        cell.replace_all(&body, "$1").into_owned()
    };
    let of_tmux = || tmux.run(&["display-message", "-p", "-t", "w", "#{window_layout}"]).ok().to_owned();
    let of_ours =
        || sandbox.inspan(&["display-message", "-p", "-t", "w", "#{window_layout}"]).ok().to_owned();
    for preset in ["tiled", "even-horizontal", "even-vertical"] {
        tmux.run(&["select-layout", "-t", "w", preset]).ok();
        sandbox.inspan(&["select-layout", "-t", "w", &of_tmux()]).ok();
        assert_eq!(places(&of_ours()), places(&of_tmux()), "{preset} of tmux is taken");
    }
    sandbox.inspan(&["select-layout", "-t", "w", "main-vertical"]).ok();
    sandbox.inspan(&["resize-pane", "-t", "w.3", "-U", "2"]).ok();
    tmux.run(&["select-layout", "-t", "w", &of_ours()]).ok();
    assert_eq!(places(&of_tmux()), places(&of_ours()), "ours is taken by tmux");
}

#[test]
fn formats_mean_what_they_mean_in_tmux() {
    let sandbox = Sandbox::new();
    let Some(tmux) = Tmux::new(&sandbox) else { return };
    for args in [
        &["new-session", "-d", "-s", "shop", "-x", "80", "-y", "24", "-n", "main", "sleep 600"][..],
        &["split-window", "-h", "-d", "sleep 600"],
        &["set-option", "-g", "@one", "1"],
        &["set-option", "-g", "@path", "/usr/local/lib"],
        &["set-option", "-g", "@format", "<#{session_name}>"],
        &["set-option", "-g", "@wide", "日本語"],
    ] {
        tmux.run(args).ok();
        sandbox.inspan(args).ok();
    }
    for format in [
        "#{session_name}:#{window_name}#{window_flags} #{window_panes} #{session_windows} #{pane_active}",
        "#S #W ## #{nosuch}.",
        "#{?@one,yes,no}#{?nosuch,yes,no}#{?#{==:#S,shop},in,out}",
        "#{?@one,#{?nosuch,a,b},c}#{?@one,a#,b,c}",
        "#{==:a,a}#{!=:a,a}#{<:a,b}#{>=:a,b}#{||:0,1}#{&&:1,0}",
        "#{m:sh*,#S}#{m:sh,#S}#{m/r:^s.+p$,#S}#{m/ri:SHOP,#S}",
        "#{=2:session_name}|#{=-2:session_name}|#{=/2/~:session_name}|#{p8:session_name}|#{p-8:session_name}|",
        "#{b:@path} #{d:@path} #{n:@path} #{w:@wide} #{=4:@wide}",
        "#{s/o/0/:session_name} #{s/(.)o/\\1x/:session_name} #{E:@format} #{@format}",
        "#{l:#{pane_id}} #{e|+|:1,2} #{e|*|:3,4} #{e|/|f|3:9,2} #{e|<|:1,2} #{a:65}",
        "#{W:#{window_name} }#{S:#{session_name} }#{P:#{?pane_active,A,-}}",
        "#{pane_in_mode}#{pane_dead}#{pane_synchronized}#{window_zoomed_flag}#{alternate_on}#{pane_pipe}",
    ] {
        let theirs = tmux.run(&["display-message", "-p", "-t", "shop:", format]);
        let ours = sandbox.inspan(&["display-message", "-p", "-t", "shop:", format]);
        assert_eq!(ours.ok(), theirs.ok(), "{format}");
    }
}
