//! Attacks on the disk.
