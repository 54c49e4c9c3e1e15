//! Types into a harness the way its CLI takes it: writes, pauses, and looks at what the screen shows of them.
use super::{Server, panes::lock};
use crate::{executors::SubmitStep, mux::PaneId};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How often the screen is looked at for what was typed. Only between a submitted prompt and its Enter.
const LOOK: Duration = Duration::from_millis(40);

/// Lines at the bottom of the screen where a prompt being typed may stand.
const PROMPT_LINES: usize = 30;

impl Server {
    /// Carries out typing with its pauses.
    pub(crate) fn type_steps(&mut self, id: PaneId, mut steps: VecDeque<SubmitStep>) {
        while let Some(step) = steps.pop_front() {
            match step {
                SubmitStep::Write(bytes) => {
                    if let Err(why) = self.write(id, bytes) {
                        self.tell_all(&why);
                        return;
                    }
                }
                SubmitStep::Pause(pause) => {
                    self.tasks.after(pause, move |server| server.type_steps(id, steps));
                    return;
                }
                SubmitStep::Shown(words, at_most) => {
                    // What stands there already is an earlier prompt of the same words.
                    let before = self.times_shown(id, &words);
                    self.type_once_shown(id, words, before, Instant::now() + at_most, steps);
                    return;
                }
            }
        }
    }

    fn type_once_shown(
        &mut self,
        id: PaneId,
        words: String,
        before: usize,
        until: Instant,
        steps: VecDeque<SubmitStep>,
    ) {
        if self.times_shown(id, &words) > before || Instant::now() >= until {
            self.type_steps(id, steps);
        } else {
            self.tasks.after(LOOK, move |server| server.type_once_shown(id, words, before, until, steps));
        }
    }

    fn times_shown(&self, id: PaneId, words: &str) -> usize {
        let Some(emulator) = self.emulator(id) else { return 0 };
        let lines = lock(&emulator).bottom_lines(PROMPT_LINES);
        count(&lines, words)
    }
}

/// How often words stand on lines, wherever the lines break.
fn count(lines: &[String], words: &str) -> usize {
    let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let (shown, wanted) = (lines.iter().map(|line| plain(line)).collect::<String>(), plain(words));
    if wanted.is_empty() { 0 } else { shown.matches(&wanted).count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_across_the_breaks_of_lines() {
        let lines = [" > what was".to_owned(), "   done? ".to_owned(), " done?".to_owned()];
        assert_eq!(count(&lines, "was done?"), 1);
        assert_eq!(count(&lines, "done?"), 2);
        assert_eq!((count(&lines, "none"), count(&lines, " ")), (0, 0));
    }
}
