//! Types into a harness the way its CLI takes it: writes, pauses, and looks at what the screen shows of them.
use super::{Server, panes::lock};
use crate::{executors::SubmitStep, mux::PaneId, state::Status};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How often the screen is looked at for what was typed. Only between a submitted prompt and its Enter.
const LOOK: Duration = Duration::from_millis(40);

/// How often an Enter that had no effect is tried again. One that a busy CLI swallows is rare; two in a row were not
/// seen.
const TRIES: u32 = 3;

/// Lines at the bottom of the screen where a prompt being typed may stand.
const PROMPT_LINES: usize = 30;

/// Lines at the bottom of the screen that hold the prompt line and what stands below it, and nothing that was said.
const HELD_LINES: usize = 8;

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
                SubmitStep::Again(bytes, pause, words) => {
                    self.type_again(id, bytes, pause, words, TRIES);
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

    /// Only into a prompt line that holds what was submitted, and only while the CLI takes prompts: an Enter that comes
    /// late must answer no question.
    fn type_again(&mut self, id: PaneId, bytes: Vec<u8>, pause: Duration, words: String, tries: u32) {
        let run = self.harnesses.get(&id).map(|runtime| (runtime.token.clone(), runtime.turns));
        self.tasks.after(pause, move |server| {
            let now = server.harnesses.get(&id).map(|runtime| (runtime.token.clone(), runtime.turns));
            let idle = server.look(id).is_some_and(|seen| seen.status == Status::Idle)
                && server.harnesses.get(&id).is_some_and(|runtime| runtime.in_flight.is_empty());
            if tries == 0 || run != now || !idle || !server.holds(id, &words) {
                return;
            }
            tracing::warn!(pane = %id, "an Enter had no effect and is tried again");
            if server.write(id, bytes.clone()).is_ok() {
                server.type_again(id, bytes, pause, words, tries - 1);
            }
        });
    }

    /// Whether the prompt line still holds these words.
    fn holds(&self, id: PaneId, words: &str) -> bool {
        let Some(emulator) = self.emulator(id) else { return false };
        let lines = lock(&emulator).bottom_lines(HELD_LINES);
        count(&lines, words) > 0
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
