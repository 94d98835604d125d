//! `windlass audit`: reads the record of what happened, verifies it, and takes its oldest part away.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{open::Common, output};
use crate::{
    audit::{self, Audit, Event, Kind, Place, Point},
    database::TrailQuery,
    error::told,
    policy::LOCAL,
};

#[derive(Args)]
pub(super) struct Record {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Lists what happened, the latest first.
    List(List),
    /// Prints all rows as JSON lines, the oldest first, with what `verify --file` needs.
    Export(Export),
    /// Checks that no row was changed, left out, or taken away from an end.
    Verify(Verify),
    /// Prints the point at which the record ends. Noted elsewhere, `verify --at` holds the record to it.
    Head(Common),
    /// Takes rows away into an archive, from which the rest goes on.
    Rotate(Rotate),
}

#[derive(Args)]
struct List {
    /// Only of this caller.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Only of this tool.
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only of this kind: `tool_execution`, `tool_start`, `reading`, `job`, `authentication` or `admin`.
    #[arg(long = "type", value_name = "KIND")]
    kind: Option<String>,
    /// Only those with this outcome: `success` or `error`.
    #[arg(long)]
    status: Option<String>,
    /// Only from this time on: `2026-01-31`, `2026-01-31T12:00:00Z`, or `2h` and `7d` for so long ago.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Only before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// Only those before this row.
    #[arg(long, value_name = "ROW")]
    before: Option<i64>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Export {
    /// Where to [default: stdout].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Verify {
    /// The record has to go through this point, as `windlass audit head` printed it.
    #[arg(long, value_name = "POINT")]
    at: Option<Point>,
    /// An archive or an export in place of the record.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Rotate {
    /// Rows that are older than so many days.
    #[arg(long, value_name = "DAYS")]
    keep_days: u32,
    #[command(flatten)]
    common: Common,
}

impl Record {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.act {
            Act::List(list) => list.run()?,
            Act::Export(export) => export.run()?,
            Act::Verify(verify) => return verify.run(),
            Act::Head(common) => {
                let verified = common.place()?.map(|place| audit::end(&place)).transpose()?;
                let Some(point) = verified else { bail!("nothing is recorded yet") };
                common.print(&json!({"head": point.to_string()}), || point.to_string())?;
            }
            Act::Rotate(rotate) => rotate.run().await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Common {
    /// None: nothing was recorded yet.
    fn place(&self) -> anyhow::Result<Option<Place>> {
        let place = self.opening.state.record()?;
        Ok(place.trail.exists().then_some(place))
    }
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        check(&self.kind, &Kind::ALL.map(Kind::name), "kind of row")?;
        check(&self.status, &["success", "error"], "outcome")?;
        let query = TrailQuery {
            kind: self.kind,
            caller: self.username,
            tool: self.tool,
            status: self.status,
            since: self.since,
            until: self.until,
            before: self.before,
            limit: self.limit,
        };
        let place = self.common.place()?;
        let rows = place.map_or(Ok(Vec::new()), |place| audit::list(&place, &query))?;
        self.common.print(&json!(rows), || table(&rows))
    }
}

fn check(word: &Option<String>, known: &[&str], what: &str) -> anyhow::Result<()> {
    match word {
        Some(word) if !known.contains(&word.as_str()) => {
            bail!("there is no {what} `{word}`; there are {}", known.join(", "))
        }
        _ => Ok(()),
    }
}

fn table(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "nothing of that is recorded".to_owned();
    }
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let line = |row: &Value| {
        let error = row["error"].as_str().map_or_else(|| text(row, "status"), str::to_owned);
        let (time, kind) = (text(row, "timestamp"), text(row, "event_type"));
        [row["seq"].to_string(), time, kind, text(row, "username"), text(row, "tool_name"), error]
    };
    let heading = ["ROW", "TIME", "KIND", "CALLER", "TOOL", "OUTCOME"];
    output::table(heading, rows.iter().map(line).collect())
}

impl Export {
    fn run(self) -> anyhow::Result<()> {
        let Some(place) = self.common.place()? else { bail!("nothing is recorded yet") };
        let rows = match &self.file {
            Some(file) => {
                let mut to = std::io::BufWriter::new(
                    std::fs::File::create_new(file)
                        .with_context(|| format!("cannot make `{}`", file.display()))?,
                );
                audit::export(&place, &mut to)?
            }
            None => {
                let mut to = std::io::BufWriter::new(std::io::stdout().lock());
                let rows = audit::export(&place, &mut to)?;
                to.flush()?;
                rows
            }
        };
        output::to_stderr(&format!("{rows} rows"));
        Ok(())
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<ExitCode> {
        let verified = match (&self.file, self.common.place()?) {
            (Some(file), _) => audit::verify_archive(file),
            (None, Some(place)) => audit::verify(&place, self.at.as_ref()),
            (None, None) => bail!("nothing is recorded yet"),
        };
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => {
                let why = format!("{error:#}");
                self.common.print(&json!({"whole": false, "error": why}), || {
                    format!("the record is not what it was: {why}")
                })?;
                return Ok(ExitCode::FAILURE);
            }
        };
        let (rows, start, end) =
            (verified.rows, &verified.head.start, verified.head.end.to_string());
        self.common.print(
            &json!({"whole": true, "rows": rows, "start": start.to_string(), "head": end}),
            || format!("{rows} rows are what they were, from row {} to {end}", start.seq + 1),
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<()> {
        let Some(place) = self.common.place()? else { bail!("nothing is recorded yet") };
        let before = Utc::now() - Duration::days(self.keep_days.into());
        let rotated = audit::rotate(&place, before.timestamp_millis())?;
        let Some((file, rows)) = rotated else {
            return self.common.print(&json!({"rows": 0}), || "no row is that old".to_owned());
        };
        let file = file.display().to_string();
        note(&place, "audit rotate", format!("record archive {rows} rows in {file}")).await?;
        let told = format!("{rows} rows lie in {file}");
        self.common.print(&json!({"rows": rows, "archive": file}), || told)
    }
}

/// Records what an operator did with a command.
pub(super) async fn note(place: &Place, act: &str, effect: String) -> anyhow::Result<()> {
    let event = Event { effects: vec![effect], ..Event::new(Kind::Admin, LOCAL, act) };
    Audit::at(place.clone()).note_first(event).await.map_err(told)
}

/// Milliseconds since 1970.
fn time(text: &str) -> Result<i64, String> {
    let ago = |unit: char, seconds: i64| {
        let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(Utc::now() - Duration::try_seconds(count.checked_mul(seconds)?)?)
    };
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc());
    let whole = || Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc());
    let found = whole()
        .or_else(day)
        .or_else(|| ago('m', 60))
        .or_else(|| ago('h', 3600))
        .or_else(|| ago('d', 86400));
    found.map(|it| it.timestamp_millis()).ok_or_else(|| {
        format!(
            "`{text}` is no time; write `2026-01-31`, `2026-01-31T12:00:00Z`, `30m`, `2h` or `7d`"
        )
    })
}
