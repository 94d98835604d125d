//! What the host itself tells a collector that its operator named.

use std::time::Duration;

use reqwest::{Client, header::CONTENT_TYPE};
use tokio::sync::OnceCell;
use url::Url;

use super::{Kind, last_cause};

/// How much of an answer is read, so that the connection can be used again.
const LARGEST_ANSWER: u64 = 64 << 10;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Posts JSON to one place. The operator named it, so it may be anywhere.
pub struct Reports {
    url: Url,
    client: OnceCell<Client>,
}

impl Reports {
    pub fn to(url: Url) -> Self {
        Self { url, client: OnceCell::new() }
    }

    /// Fails with what was wrong.
    pub async fn post(&self, body: String) -> Result<(), String> {
        let kind = Kind { private: true, tls: self.url.scheme() == "https" };
        let client = self.client.get_or_try_init(|| async { kind.client() }).await;
        let told = |error: reqwest::Error| last_cause(&error);
        let request = client.map_err(told)?.post(self.url.clone());
        let sent = request.header(CONTENT_TYPE, "application/json").body(body).send();
        let answer = sent.await.map_err(told)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("`{}` answers {status}", self.url.origin().ascii_serialization()));
        }
        if answer.content_length().is_some_and(|it| it <= LARGEST_ANSWER) {
            // It has them; what it says more does not matter.
            let _ = tokio::time::timeout(PATIENCE, answer.bytes()).await;
        }
        Ok(())
    }
}
