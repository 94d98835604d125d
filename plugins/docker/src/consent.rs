//! Asking the user before something is lost.

use windlass_sdk::{Call, Stop, types::Abilities};

/// Goes on where the user agrees, or where the client has no way to ask: its tool says that it is destructive.
pub(crate) fn ask(call: &Call, question: &str) -> Result<(), Stop> {
    if call.client_can(Abilities::FORMS) { call.confirm(question) } else { Ok(()) }
}
