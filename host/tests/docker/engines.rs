//! The engines of this machine: Docker at its socket, and a Podman that is started for the tests.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

const DOCKER: &str = "/var/run/docker.sock";

/// What Podman 4.3 needs in a container or a small machine: crun refuses hybrid cgroups, there is no systemd to make
/// cgroups and no journal to write events to, and the limits that it would set are above those of this process.
const CONTAINERS: &str = r#"[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"#;

/// How long Podman may take to open its socket.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the engines are that answer; where one does not, why.
pub fn all() -> Vec<(&'static str, Result<PathBuf, String>)> {
    vec![("docker", docker()), ("podman", podman())]
}

/// The engine that the run of the tests has found or started, or the machine's own.
pub fn docker() -> Result<PathBuf, String> {
    let named = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = PathBuf::from(named.strip_prefix("unix://").unwrap_or(DOCKER));
    match UnixStream::connect(&socket) {
        Ok(_) => Ok(socket),
        Err(error) => Err(format!("{}: {error}", socket.display())),
    }
}

pub fn podman() -> Result<PathBuf, String> {
    static PODMAN: LazyLock<Result<Podman, String>> = LazyLock::new(Podman::start);
    PODMAN.as_ref().map(|it| it.socket.clone()).map_err(Clone::clone)
}

/// Lives as long as the tests: the kernel ends it together with the thread that watches it.
struct Podman {
    socket: PathBuf,
}

impl Podman {
    fn start() -> Result<Self, String> {
        if !Path::new("/usr/bin/podman").exists() {
            return Err("podman is not installed".to_owned());
        }
        let told = |error: std::io::Error| error.to_string();
        let folder = TempDir::with_prefix("windlass-podman-").map_err(told)?.keep();
        let containers = folder.join("containers.conf");
        let storage = folder.join("storage.conf");
        fs::write(&containers, CONTAINERS).map_err(told)?;
        let (root, run) = (folder.join("root"), folder.join("run"));
        let text =
            format!("[storage]\ndriver = \"overlay\"\ngraphroot = {root:?}\nrunroot = {run:?}\n");
        fs::write(&storage, text).map_err(told)?;
        let socket = folder.join("podman.sock");
        let log = fs::File::create(folder.join("log")).map_err(told)?;
        // A shell that cleans up once the tests, which hold the other end of its stdin, are gone in whatever way.
        let script = r#"podman --tmpdir "$1/tmp" system service --time 0 "unix://$1/podman.sock" </dev/null &
cat >/dev/null
podman --tmpdir "$1/tmp" rm --all --force --time 0 >/dev/null 2>&1
kill $!; wait
# The monitors of its execs, which it leaves behind for five minutes.
for p in /proc/[0-9]*; do
if [ "${p#/proc/}" != $$ ] && grep -qs -- "$1/" "$p/cmdline"; then kill -9 "${p#/proc/}"; fi
done
(cd "$1" && umount root/overlay) 2>/dev/null
rm -rf "$1""#;
        #[allow(clippy::disallowed_methods, reason = "an engine is a program")]
        let child = std::process::Command::new("setsid")
            .args(["sh", "-c", script, "sh"])
            .arg(&folder)
            .env("CONTAINERS_CONF", &containers)
            .env("CONTAINERS_STORAGE_CONF", &storage)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(told)?;
        // Open until this process ends.
        std::mem::forget(child);
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(&socket).is_err() {
            if Instant::now() > deadline {
                let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                return Err(format!("podman does not start: {log}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { socket })
    }
}
