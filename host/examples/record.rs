//! Writes a record of many rows, as a host does: to be measured, and to try how a large one is read.
//!
//! `cargo run --release --example record -- FOLDER ROWS`

use std::path::Path;

use anyhow::Context as _;
use windlass::audit::{Arguments, Audit, Event, Kind, Place};

/// So many are on their way to be written at most.
const TOGETHER: u64 = 8_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, rows] = &words[..] else { anyhow::bail!("it takes a folder and a number") };
    let rows: u64 = rows.parse().context("the number of rows is no number")?;
    let audit = Audit::at(Place::below(Path::new(folder)));
    for number in 0..rows {
        audit.note(event(number));
        if number % TOGETHER == 0 {
            flush(&audit).await?;
        }
    }
    flush(&audit).await
}

async fn flush(audit: &Audit) -> anyhow::Result<()> {
    audit.flush().await.map_err(|failure| anyhow::anyhow!("it is not written: {failure:?}"))
}

/// 200 callers and 50 tools, one call of nineteen fails, and one caller called once.
fn event(number: u64) -> Event {
    let caller =
        if number == 1000 { "rare".to_owned() } else { format!("caller-{}", number % 200) };
    let tool = format!("tool-{}", number / 7 % 50);
    Event {
        client: "bench 1.0".to_owned(),
        plugin: format!("plugin-{}", number % 6),
        policy: "0123456789ab".to_owned(),
        arguments: Arguments::new(format!(
            r#"{{"path":"/workspace/file-{number}","text":"hello"}}"#
        )),
        error: number.is_multiple_of(19).then(|| "NOT_FOUND: it is not there".to_owned()),
        effects: vec![format!("workspace write {number:08x}")],
        duration_us: 90 + number % 1000,
        bytes: 200,
        ..Event::new(Kind::ToolExecution, &caller, &tool)
    }
}
