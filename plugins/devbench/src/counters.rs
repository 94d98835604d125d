//! What is counted. The host's tool `metrics` shows it, with what the host itself counts.

use windlass_sdk::metrics::{count, set};

const SPAWNS: &str = "mcp_devbench_container_spawns_total";
const EXECS: &str = "mcp_devbench_exec_total";
const FILES: &str = "mcp_devbench_fs_operations_total";
const ATTACHMENTS: &str = "mcp_devbench_active_attachments";

/// A container of this image was asked for, and is there.
pub(crate) fn spawned(image: &str) {
    add(SPAWNS, "image", image);
}

/// A process was started, refused or cancelled. Its container is no label: there is no end of containers.
pub(crate) fn execed(status: &str) {
    add(EXECS, "status", status);
}

/// A file operation succeeded.
pub(crate) fn filed(operation: &str) {
    add(FILES, "op_type", operation);
}

/// So many clients are attached.
pub(crate) fn attached(clients: u64) {
    set(ATTACHMENTS, &[], clients);
}

fn add(name: &str, label: &str, value: &str) {
    count(name, &[(label.to_owned(), value.to_owned())], 1);
}
