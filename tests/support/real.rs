//! The real agents as images of the engine: brought there when the first test needs them.

#[path = "../../xtask/src/kept.rs"]
mod kept;

use std::{env, fs::File, sync::Mutex};

use super::engine::{api::Api, skip};
use kept::{APP, Kept, OPENCODE, SERVER};

/// What the vendor's image says of itself, and whose it is.
const OF_THE_SERVER: [&str; 3] = [
    "LABEL windlass.test=true",
    "EXPOSE 8000",
    r#"ENTRYPOINT ["/usr/bin/tini","--","/agent-server/.venv/bin/python","-m","openhands.agent_server"]"#,
];
const OF_THE_APP: [&str; 6] = [
    "LABEL windlass.test=true",
    "WORKDIR /app",
    "ENV VIRTUAL_ENV=/app/.venv",
    "ENV PATH=/app/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV PYTHONPATH=/app",
    "ENV FILE_STORE_PATH=/.openhands",
];
const OF_OPENCODE: [&str; 1] = ["LABEL windlass.test=true"];

/// OpenHands in its current form: the image of its server.
pub(crate) fn server(engine: &Api) -> Option<String> {
    bring(engine, "openhands", &SERVER, &OF_THE_SERVER)
}

/// OpenHands in the form of 2025: the image of its program.
pub(crate) fn app(engine: &Api) -> Option<String> {
    bring(engine, "openhands", &APP, &OF_THE_APP)
}

/// The image with opencode, git, ripgrep and Python.
pub(crate) fn opencode(engine: &Api) -> Option<String> {
    if let Ok(reason) = env::var("WINDLASS_TEST_NO_OPENCODE") {
        return skip(&reason);
    }
    bring(engine, "opencode", &OPENCODE, &OF_OPENCODE)
}

/// Those that are not there yet are built by this command of xtask.
fn bring(engine: &Api, command: &str, kept: &Kept, changes: &[&str]) -> Option<String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    let image = kept.image();
    if engine.get(&format!("/images/{image}/json")).is_ok() {
        return Some(image);
    }
    let Ok(archive) = File::open(kept.archive().unwrap()) else {
        let how = format!("`cargo xtask {command}` builds it once, in minutes, and keeps it");
        return skip(&format!("no image `{image}`: {how}"));
    };
    let length = archive.metadata().unwrap().len();
    engine.import(&image, archive, length, changes).unwrap();
    Some(image)
}
