//! The first process in each of our containers.

fn main() {}
