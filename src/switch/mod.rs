//! Owns the durable switch sequence, its journal rows and its recovery.
