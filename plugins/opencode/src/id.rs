//! Names that nobody else has, and the ids of messages as opencode makes them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use windlass_sdk::random;

/// Who asks opencode's server, as it wants to be told.
const USER: &str = "opencode";
/// How much of a message's id tells of whom it is.
const OWN: usize = 14;

/// A password for one server.
pub(crate) fn password() -> String {
    hexadecimal(&random::bytes(32))
}

/// The header `authorization` for a server with this password.
pub(crate) fn authorization(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{password}")))
}

/// The id of a message that begins a run. Ids of opencode grow with time, and it compares them: one that is out of order makes it
/// take an answer that it has for one that it waits for.
pub(crate) fn message(now_ms: u64, run: &str) -> String {
    let time = (now_ms << 12) & 0xFFFF_FFFF_FFFF;
    let own: String = run.chars().rev().filter(char::is_ascii_alphanumeric).take(OWN).collect();
    format!("msg_{time:012x}{own:0<OWN$}")
}

/// Whether it can be the id of a run.
pub(crate) fn is_run(id: &str) -> bool {
    is_named("j_", id)
}

/// Whether it can be the id of a session.
pub(crate) fn is_session(id: &str) -> bool {
    is_named("w_", id)
}

fn is_named(kind: &str, id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    id.strip_prefix(kind)
        .is_some_and(|rest| (1..=64).contains(&rest.len()) && rest.bytes().all(fits))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_named_as_opencode_would() {
        // `evt_22245e8bd001…` was made at this time.
        let id = message(1_795_871_336_637, "j_00000000-0000-4000-8000-0123456789ab");
        assert!(id.starts_with("msg_22245e8bd000"), "{id}");
        assert_eq!(id.len(), "msg_".len() + 26);
        assert!(id.ends_with("ba987654321000"), "{id}");
        assert_ne!(id, message(1_795_871_336_637, "j_00000000-0000-4000-8000-0123456789ac"));
        assert!(message(1, "j_") > message(0, "j_"));
        assert_eq!(message(1, "").len(), 30);
    }

    #[test]
    fn only_an_id_is_looked_up() {
        assert!(is_session("w_00000000-0000-4000-8000-000000000000") && is_run("j_1"));
        for bad in
            ["", "w", "w_", "j_../x", "w_a b", "w_\0", "w_a/b", &format!("w_{}", "a".repeat(65))]
        {
            assert!(!is_session(bad) && !is_run(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_server_is_told_who_asks() {
        assert_eq!(authorization("x"), "Basic b3BlbmNvZGU6eA==");
    }
}
