//! A socket before an engine's, which a test can cut and mend.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    task::{JoinHandle, JoinSet},
};

pub struct Proxy {
    folder: TempDir,
    engine: PathBuf,
    serving: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn new(engine: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, engine: engine.to_owned(), serving: None }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    pub fn mend(&mut self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let engine = self.engine.clone();
        self.serving = Some(tokio::spawn(async move {
            // Dropped together with this task, which ends every connection.
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let engine = engine.clone();
                connections.spawn(async move {
                    let mut engine = UnixStream::connect(engine).await.unwrap();
                    drop(copy_bidirectional(&mut client, &mut engine).await);
                });
            }
        }));
    }

    /// No connection survives this.
    pub async fn cut(&mut self) {
        let Some(serving) = self.serving.take() else { return };
        serving.abort();
        drop(serving.await);
        std::fs::remove_file(self.socket()).unwrap();
    }
}
