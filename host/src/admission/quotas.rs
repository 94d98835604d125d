//! What counts for whom, also where it is not at hand with which roles somebody calls: in a job, and after a restart.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, OwnedMutexGuard};

use super::minute::Minutes;
use crate::{
    access::Caller,
    capability::types::{Code, Error},
    config::{AccessConfig, Bounded, Config},
    database::{Database, Kind},
    error::{Failure, Result, told},
    policy::{LOCAL, Over, Quota, quota_of, quota_of_all, quota_of_local},
};

/// Held by who looks and takes.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// With which roles callers came last.
const KIND: Kind = Kind("caller");

/// The handle that all have who ask.
#[derive(Clone)]
pub struct Quotas(Arc<Inner>);

struct Inner {
    config: Arc<ArcSwap<Config>>,
    database: Database,
    loaded: OnceCell<()>,
    roles: Mutex<HashMap<String, Arc<[String]>>>,
    minutes: Mutex<Minutes>,
    /// What the seconds of the minutes are counted from. Nobody can set that clock.
    start: Instant,
    /// One at a time takes what is bounded: of two at once that see room for one, one gets it.
    taking: Mutex<BTreeMap<(Bounded, String), Turn>>,
    refused: Refused,
}

#[derive(Deserialize, Serialize)]
struct Known {
    name: String,
    roles: Vec<String>,
}

/// How often somebody was refused more of something.
#[derive(Default)]
pub struct Refused([AtomicU64; Bounded::ALL.len()]);

impl Refused {
    pub fn of(&self, of: Bounded) -> u64 {
        self.0.get(of as usize).map_or(0, |it| it.load(Ordering::Relaxed))
    }

    fn count(&self, of: Bounded) {
        if let Some(count) = self.0.get(of as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Quotas {
    pub fn new(config: Arc<ArcSwap<Config>>, database: Database) -> Self {
        Self(Arc::new(Inner {
            config,
            database,
            loaded: OnceCell::new(),
            roles: Mutex::default(),
            minutes: Mutex::default(),
            start: Instant::now(),
            taking: Mutex::default(),
            refused: Refused::default(),
        }))
    }

    pub fn refused(&self) -> &Refused {
        &self.0.refused
    }

    /// What counts for a caller that is there, and from then on for what goes on for it without a call.
    pub fn of_caller(&self, caller: &Caller) -> Quota {
        let config = self.0.config.load();
        if !config.access.has_quotas() {
            return Quota::default();
        }
        let Some(roles) = &caller.roles else { return quota_of_local(&config.access) };
        let known = self.roles().insert(caller.name.to_string(), roles.clone());
        if known.as_ref() != Some(roles) {
            self.write_down(&caller.name, roles);
        }
        quota_of(&config.access, roles)
    }

    /// What counts for what this caller has, by what is known of its roles.
    pub async fn of(&self, caller: &str) -> Result<Quota> {
        if !self.0.config.load().access.has_quotas() {
            return Ok(Quota::default());
        }
        self.load().await?;
        Ok(self.known(caller))
    }

    /// The same of those that were loaded before.
    pub fn known(&self, caller: &str) -> Quota {
        let config = self.0.config.load();
        let access = &config.access;
        if !access.has_quotas() {
            Quota::default()
        } else if caller == LOCAL {
            quota_of_whole(access)
        } else {
            let roles = self.roles().get(caller).cloned();
            quota_of(access, roles.as_deref().unwrap_or_default())
        }
    }

    /// Reads with which roles callers came to earlier hosts.
    pub async fn load(&self) -> Result<()> {
        let load = || async {
            let records: Vec<Known> = self.0.database.records(KIND).await?;
            let mut roles = self.roles();
            for Known { name, roles: written } in records {
                // Who came meanwhile is known better.
                roles.entry(name).or_insert_with(|| written.into());
            }
            Ok::<_, Failure>(())
        };
        self.0.loaded.get_or_try_init(load).await.map(drop)
    }

    /// Counts a call of a tool.
    pub fn count_call(&self, caller: &Caller, quota: &Quota) -> Result<(), Error> {
        let Some(bound) = quota.get(Bounded::CallsPerMinute) else { return Ok(()) };
        let second = self.0.start.elapsed().as_secs();
        let counted = self.minutes().count(&caller.name, bound.whole(), second);
        counted.map_err(|wait| {
            self.0.refused.count(Bounded::CallsPerMinute);
            let (name, most, line) = (&caller.name, bound.most, &bound.line);
            let message = format!(
                "quota: `{name}` may make {most} calls a minute (`{line}`); try again in {wait} s"
            );
            let details =
                serde_json::json!({"error_code": "QUOTA_EXCEEDED", "retry_after_s": wait});
            Error { details: Some(details.to_string()), ..Error::new(Code::Limit, message) }
        })
    }

    /// Waits until nobody else takes of what is bounded for this caller.
    pub async fn take(&self, of: Bounded, caller: &str) -> OwnedMutexGuard<()> {
        let key = (of, caller.to_owned());
        let turn = {
            let mut taking = self.0.taking.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that nobody holds are forgotten, so that there are never more than callers at hand.
            taking.retain(|it, turn| *it == key || Arc::strong_count(turn) > 1);
            taking.entry(key).or_default().clone()
        };
        turn.lock_owned().await
    }

    /// What somebody hears who gets no more.
    pub fn refuse(&self, over: Over) -> Failure {
        self.0.refused.count(over.of);
        crate::error::limit(over.why).with_detail("error_code", "QUOTA_EXCEEDED")
    }

    fn write_down(&self, name: &Arc<str>, roles: &Arc<[String]>) {
        let (quotas, known) =
            (self.clone(), Known { name: name.to_string(), roles: roles.to_vec() });
        tokio::spawn(async move {
            let written = quotas.0.database.keep(KIND, &known.name, &known).await;
            if let Err(failure) = written {
                tracing::warn!(
                    caller = known.name,
                    "the roles are not written down: {:#}",
                    told(failure)
                );
                // It is tried again with the next call.
                quotas.roles().remove(&known.name);
            }
        });
    }

    fn roles(&self) -> MutexGuard<'_, HashMap<String, Arc<[String]>>> {
        self.0.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn minutes(&self) -> MutexGuard<'_, Minutes> {
        self.0.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of what is made for whoever started the host. Where all share what they make, it is made for all.
fn quota_of_whole(access: &AccessConfig) -> Quota {
    if access.shared { quota_of_all(access) } else { quota_of_local(access) }
}
