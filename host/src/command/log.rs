//! The log on stderr: as text or as one object a line, and without what is secret.
//!
//! A value of a secret is left out wherever it stands, and so is what stands under a name that says it is one.

use std::{
    fmt::Debug,
    io::{self, IsTerminal as _},
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt as _,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{self, Format, Writer},
    },
    registry::LookupSpan,
};

use crate::{
    audit::names_secret,
    config::LogFormat,
    secrets::masked,
    time::{iso, now},
};

/// What stands in place of a value that nobody may read.
const HIDDEN: &str = "***REDACTED***";
/// The field that holds the line itself.
const MESSAGE: &str = "message";

/// Whether lines are objects. The configuration, which is read later than the first line may be written, can say so too.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whether the command line or the environment has said how.
static SAID: AtomicBool = AtomicBool::new(false);

/// Starts it with a filter such as `info,windlass::plugin=debug`.
pub(super) fn start(filter: &str, format: Option<LogFormat>) -> anyhow::Result<()> {
    let whole = format!("{filter},rmcp=error,hyper=warn,h2=warn,reqwest=warn,rustls=warn");
    let parsed =
        EnvFilter::try_new(whole).map_err(|error| anyhow::anyhow!("--log `{filter}`: {error}"))?;
    SAID.store(format.is_some(), Ordering::Relaxed);
    write_as(format.unwrap_or_default());
    let fields = format::debug_fn(|writer, field, value| match field.name() {
        MESSAGE => write!(writer, "{value:?}"),
        name if names_secret(name) => write!(writer, "{name}={HIDDEN}"),
        name => write!(writer, "{name}={value:?}"),
    });
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(|| Masked)
        .with_ansi(io::stderr().is_terminal())
        .fmt_fields(fields.delimited(" "))
        .event_format(Lines::default())
        .init();
    Ok(())
}

/// How the configuration wants it, which counts where nobody else has said.
pub(super) fn prefer(format: Option<LogFormat>) {
    if let Some(format) = format.filter(|_| !SAID.load(Ordering::Relaxed)) {
        write_as(format);
    }
}

fn write_as(format: LogFormat) {
    JSON.store(format == LogFormat::Json, Ordering::Relaxed);
}

/// Writes whole lines, each without the values of secrets.
struct Masked;

impl io::Write for Masked {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        io::stderr().lock().write_all(masked(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[derive(Default)]
struct Lines {
    text: Format,
}

impl<S, F> FormatEvent<S, F> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, F>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        if is_overheard(event.metadata()) {
            return Ok(());
        }
        if !JSON.load(Ordering::Relaxed) {
            return self.text.format_event(context, writer, event);
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = json!({
            "timestamp": iso(now()),
            "level": event.metadata().level().as_str(),
            "target": event.metadata().target(),
            "fields": fields.0,
        });
        writeln!(writer, "{line}")
    }
}

/// Below `error` rmcp logs messages, arguments and results among them, and a filter may name a part of it.
fn is_overheard(line: &Metadata<'_>) -> bool {
    let target = line.target();
    *line.level() > Level::ERROR && target.split("::").next() == Some("rmcp")
}

/// The fields of one line.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        let value = match value.into() {
            _ if names_secret(name) => HIDDEN.into(),
            // Written once more as JSON, a value would be another text.
            Value::String(text) => masked(&text).into(),
            other => other,
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::secrets::hide;

    /// Keeps the fields of all events.
    struct Kept(Arc<Mutex<Vec<Value>>>);

    impl<S: Subscriber> tracing_subscriber::Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            self.0.lock().unwrap().push(Value::Object(fields.0));
        }
    }

    #[test]
    fn what_a_name_calls_secret_is_left_out() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::registry().with(Kept(kept.clone()));
        tracing::subscriber::with_default(subscriber, || {
            hide("canary of a \"field\"");
            let held = Some("canary of a \"field\"");
            tracing::error!(api_key = "a", Password = ?"b", auth_tries = 3, ?held, "said");
        });
        let expected = json!({
            "message": "said",
            "api_key": HIDDEN,
            "Password": HIDDEN,
            "auth_tries": HIDDEN,
            "held": format!("Some(\"{HIDDEN}\")"),
        });
        assert_eq!(*kept.lock().unwrap(), [expected]);
    }
}
