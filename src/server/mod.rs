//! Owns the one loop: accepts clients, runs commands, schedules frames.
