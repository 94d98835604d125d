//! The time, as records and answers hold it.

use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, SecondsFormat};

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// When this process began to serve. Milliseconds since 1970.
pub static BEGUN: LazyLock<u64> = LazyLock::new(now);

/// As people and programs read it: `2026-01-31T23:59:59.999Z`.
pub fn iso(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    time.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Milliseconds since 1970 of a time that an engine wrote; 0 where it is none.
pub fn of_text(text: &str) -> u64 {
    let time = DateTime::parse_from_rfc3339(text).ok();
    time.and_then(|it| u64::try_from(it.timestamp_millis()).ok()).unwrap_or(0)
}
