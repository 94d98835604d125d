//! Documents that the host itself asks for, of those whom the operator names: an issuer of tokens, and nobody else.

use std::time::Duration;

use reqwest::header::ACCEPT;
use tokio::time::timeout;
use url::Url;

use super::{Kind, Web, failure};
use crate::error::{Failure, Result, limit, timeout as late, unavailable};

impl Web {
    /// The whole document, if there is one. Who is named by the operator may be in a private network.
    pub async fn document(&self, url: &Url, largest: usize, patience: Duration) -> Result<Vec<u8>> {
        let place = url.origin().ascii_serialization();
        match timeout(patience, self.fetch(url, &place, largest)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(late(format!("`{place}` did not answer in time"))),
        }
    }

    async fn fetch(&self, url: &Url, place: &str, largest: usize) -> Result<Vec<u8>> {
        let client = self.client(Kind { private: true, tls: url.scheme() == "https" })?;
        let broken = |error| Failure::Answer(failure(&self.mask(), place, &error));
        let asked = client.get(url.clone()).header(ACCEPT, "application/json");
        let mut response = asked.send().await.map_err(broken)?;
        if !response.status().is_success() {
            let status = response.status().as_u16();
            return Err(unavailable(format!("`{place}` answers {status} for `{}`", url.path())));
        }
        let mut whole = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if whole.len() + chunk.len() > largest {
                return Err(limit(format!("`{url}` has more than {largest} bytes")));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }
}
