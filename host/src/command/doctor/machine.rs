//! What the system gives to this process.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::{Finding, fail, ok, warn};
use crate::plugin::{self, Engine};

/// Each client over HTTP and each request of a plugin takes one.
const FEW_FILES: u64 = 1024;
/// In this mode the system promises no more memory than it has.
const STRICT_OVERCOMMIT: &str = "2";

/// A component with one empty function: preamble, then a core module with a type, a function and its code.
const SMALLEST: &[u8] = b"\0asm\x0d\0\x01\0\x01\x18\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";

pub(super) fn open_files() -> Finding {
    match getrlimit(Resource::Nofile).current {
        Some(most) if most < FEW_FILES => {
            warn(format!("open files: {most}"), format!("raise it: `ulimit -n {FEW_FILES}`"))
        }
        Some(most) => ok(format!("open files: {most}")),
        None => ok("open files: as many as it takes".to_owned()),
    }
}

pub(super) fn address_space() -> Finding {
    match getrlimit(Resource::As).current {
        Some(most) => warn(
            format!("address space: {} MiB", most >> 20),
            "the memory of all calls is reserved at the start; `ulimit -v unlimited`, or lower server.concurrent_calls".to_owned(),
        ),
        None => ok("address space: unlimited".to_owned()),
    }
}

pub(super) fn overcommit() -> Finding {
    let mode = fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap_or_default();
    let what = "overcommit of memory".to_owned();
    if mode.trim() == STRICT_OVERCOMMIT {
        return warn(what, "the system promises no memory that it has not; `sysctl vm.overcommit_memory=0`, or lower server.concurrent_calls".to_owned());
    }
    ok(what)
}

/// Some systems forbid memory that was written to be run.
pub(super) fn compiler() -> Finding {
    let what = "WebAssembly compiles".to_owned();
    let compiled = Engine::portable().and_then(|engine| plugin::compile(&engine, SMALLEST));
    match compiled {
        Ok(_) => ok(what),
        Err(error) => fail(what, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn the_smallest_component_compiles() {
        assert!(compiler().state == State::Ok, "{}", compiler().text());
    }
}
