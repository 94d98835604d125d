//! What stands in for OpenHands in tests: called as Python would be, it keeps the contract of both forms, and the task says
//! word for word what happens.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a stub that cannot go on should stop"
)]
#![allow(clippy::disallowed_methods, reason = "it runs programs, as an agent does")]

mod headless;
mod server;
mod script;

use std::env;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["-m", "openhands.core.main", "-t", task, ..] => headless::run(task),
        ["-m", "openhands.agent_server", "--host", "127.0.0.1", "--port", port] => {
            server::run(port.parse().unwrap());
        }
        other => {
            eprintln!("this is no call of OpenHands: {other:?}");
            std::process::exit(2);
        }
    }
}
