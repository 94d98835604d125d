//! Where names lead: only to addresses that may be dialled.
//!
//! The addresses that were looked at are the ones that are dialled, so a name cannot change its mind in between.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::policy::is_private;

/// Finds the addresses of a name.
pub(super) struct Addresses {
    /// Whether private ones count.
    pub(super) private: bool,
}

/// A name that leads nowhere else than to private addresses.
#[derive(Debug)]
pub(super) struct LeadsToPrivate {
    pub(super) name: String,
    pub(super) address: IpAddr,
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let usable: Vec<SocketAddr> =
                found.iter().copied().filter(|to| private || !is_private(to.ip())).collect();
            match found.first() {
                Some(first) if usable.is_empty() => {
                    let (name, address) = (name.as_str().to_owned(), first.ip());
                    Err(LeadsToPrivate { name, address }.into())
                }
                _ => Ok(Box::new(usable.into_iter()) as Addrs),
            }
        })
    }
}

impl fmt::Display for LeadsToPrivate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, address } = self;
        write!(
            formatter,
            "`{name}` leads to the private address {address}; `private = true` in its grant would allow it"
        )
    }
}

impl Error for LeadsToPrivate {}
