//! What a test needs: a door, an image, and folders for containers; all gone when it ends, however it ends.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    panic,
    path::{Path, PathBuf},
};

use bollard::{
    API_DEFAULT_VERSION, Docker as Raw,
    query_parameters::{CreateImageOptions, RemoveContainerOptions, RemoveImageOptions},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tempfile::TempDir;
use uuid::Uuid;
use windlass::{
    config::{ContainersGrant, Grants, Power, parse},
    docker::{Credentials, Docker, Made, Ours, Picture, Places},
    policy::{Approved, AskedContainer, NewContainer, Policy},
};

use crate::engines;

/// Static, and with everything that the tests run.
const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 13] = [
    "sh", "cat", "grep", "sleep", "id", "kill", "true", "setsid", "nproc", "mount", "touch", "env",
    "rm",
];

/// Stands for the supervisor: the kernel runs it as PID 1 through the busybox beside it, and it waits for SIGTERM.
pub const SUPERVISOR: &str = "#!/.windlass/busybox sh
trap 'exit 7' TERM
while :; do /.windlass/busybox sleep 1000 & wait; done
";

pub struct Bench {
    pub engine: &'static str,
    pub docker: Docker,
    pub instance: String,
    pub raw: Raw,
    pub socket: PathBuf,
    pub image: String,
    folder: TempDir,
}

/// Runs a test on each engine that is there.
pub async fn on_each<T>(test: impl Fn(std::sync::Arc<Bench>) -> T)
where
    T: Future<Output = ()> + Send + 'static,
{
    for (engine, socket) in engines::all() {
        match socket {
            Ok(socket) => on(engine, socket, &test).await,
            Err(why) => println!("SKIPPED: {engine}: {why}"),
        }
    }
}

async fn on<T>(engine: &'static str, socket: PathBuf, test: impl Fn(std::sync::Arc<Bench>) -> T)
where
    T: Future<Output = ()> + Send + 'static,
{
    if !Path::new(BUSYBOX).exists() {
        println!("SKIPPED: {BUSYBOX} is not installed");
        return;
    }
    println!("on {engine}");
    let bench = std::sync::Arc::new(Bench::new(engine, socket).await);
    let ended = tokio::spawn(test(bench.clone())).await;
    bench.clean().await;
    if let Err(error) = ended {
        panic::resume_unwind(error.into_panic());
    }
}

impl Bench {
    async fn new(engine: &'static str, socket: PathBuf) -> Self {
        let raw = Raw::connect_with_unix(socket.to_str().unwrap(), 120, API_DEFAULT_VERSION);
        let raw = raw.unwrap();
        let instance = Uuid::new_v4().to_string();
        let image = format!("windlass-test/door-{}", Uuid::new_v4());
        import(&raw, &image).await;
        let docker = Docker::new(Places::socket(socket.clone()), &instance, Credentials::default());
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { engine, docker, instance, raw, socket, image, folder }
    }

    /// A yes to a container of the test's image.
    pub fn container(&self, powers: &[Power]) -> Approved<NewContainer> {
        self.sized(powers, None)
    }

    pub fn sized(&self, powers: &[Power], cpus: Option<f32>) -> Approved<NewContainer> {
        let grant = ContainersGrant { powers: powers.to_vec(), ..ContainersGrant::default() };
        let grants = Grants { containers: Some(grant), ..Grants::default() };
        let asked = AskedContainer {
            image: self.image.clone(),
            alias: Some("it".to_owned()),
            powers: powers.to_vec(),
            memory_mib: Some(64),
            pids: Some(32),
            cpus,
            ..AskedContainer::default()
        };
        Policy::new("devbench", grants).unwrap().approve_container(asked).unwrap()
    }

    /// The same for a plugin that is granted this.
    pub fn granted(&self, grant: &str) -> Approved<NewContainer> {
        let grants = Grants { containers: Some(parse(grant).unwrap()), ..Grants::default() };
        let asked = AskedContainer { image: self.image.clone(), ..AskedContainer::default() };
        Policy::new("devbench", grants).unwrap().approve_container(asked).unwrap()
    }

    pub async fn picture(&self, container: &Approved<NewContainer>) -> Picture {
        self.docker.ensure_image(container, |_, _, _| ()).await.unwrap()
    }

    /// Makes a container with folders of its own.
    pub async fn create(&self, container: &Approved<NewContainer>) -> Ours {
        self.create_as(&self.docker, container, &id()).await
    }

    pub async fn create_as(
        &self,
        docker: &Docker,
        container: &Approved<NewContainer>,
        id: &str,
    ) -> Ours {
        let picture = docker.ensure_image(container, |_, _, _| ()).await.unwrap();
        let (workspace, folder) = self.folders(id);
        let env = vec!["HOME=/tmp".to_owned()];
        let made = Made {
            id,
            workspace_id: "w_1",
            workspace: &workspace,
            beside: &[],
            folder: &folder,
            env,
            picture: &picture,
        };
        docker.create(container, &made).await.unwrap()
    }

    pub fn workspace(&self, id: &str) -> PathBuf {
        self.folder.path().join(id).join("workspace")
    }

    pub fn folders(&self, id: &str) -> (PathBuf, PathBuf) {
        let workspace = self.workspace(id);
        let folder = workspace.with_file_name("folder");
        fs::create_dir_all(&workspace).unwrap();
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&workspace, fs::Permissions::from_mode(0o777)).unwrap();
        fs::copy(BUSYBOX, folder.join("busybox")).unwrap();
        fs::write(folder.join("supervisor"), SUPERVISOR).unwrap();
        fs::set_permissions(folder.join("supervisor"), fs::Permissions::from_mode(0o755)).unwrap();
        (workspace, folder)
    }

    pub async fn running(&self) -> Ours {
        let ours = self.create(&self.container(&[])).await;
        self.docker.start(&ours).await.unwrap();
        ours
    }

    async fn clean(&self) {
        for found in self.docker.ours().await.unwrap() {
            self.docker.remove(&found.ours).await.unwrap();
        }
        let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
        self.raw.remove_image(&self.image, Some(options), None).await.unwrap();
    }

    /// Removes a container that the door would not touch.
    pub async fn remove_raw(&self, engine_id: &str) {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        self.raw.remove_container(engine_id, Some(options)).await.unwrap();
    }
}

pub fn id() -> String {
    format!("c_{}", Uuid::new_v4())
}

async fn import(raw: &Raw, image: &str) {
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(image.to_owned()),
        tag: Some("latest".to_owned()),
        ..CreateImageOptions::default()
    };
    let body = bollard::body_full(Bytes::from(rootfs(image).unwrap()));
    let mut steps = raw.create_image(Some(options), Some(body), None);
    while let Some(step) = steps.next().await {
        step.unwrap();
    }
}

/// With the image's name in it: Podman loses a layer that one image brings while another one takes the same away.
fn rootfs(image: &str) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(image.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "made-for", image.as_bytes())?;
    let busybox = fs::read(BUSYBOX)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(busybox.len() as u64);
    header.set_mode(0o755);
    archive.append_data(&mut header, "bin/busybox", &*busybox)?;
    for applet in APPLETS {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, format!("bin/{applet}"), "busybox")?;
    }
    archive.into_inner()
}
