//! Translated answers under strict grammars: whole, split anywhere, cut, and recorded ones.
mod directions;
mod grammar;
mod history;
mod recorded;
mod source;
