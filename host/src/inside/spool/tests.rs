//! The spool under load, restarts and torn files.
