//! How much a service may use: its own keys, and those of `deploy`.

use windlass_sdk::{
    Error,
    engine::{Resources, Ulimit},
};

use super::read::Node;

/// How long a turn of the processor is where nobody says, in microseconds.
const PERIOD_US: u64 = 100_000;

pub(crate) fn resources(service: &Node<'_>) -> Result<Resources, Error> {
    let deploy = service.get("deploy").and_then(|it| it.get("resources"));
    let limits = deploy.as_ref().and_then(|it| it.get("limits"));
    let reserved = deploy.as_ref().and_then(|it| it.get("reservations"));
    Ok(Resources {
        memory_bytes: first(service, "mem_limit", limits.as_ref(), "memory", |it| it.bytes())?,
        memory_reservation_bytes: first(
            service,
            "mem_reservation",
            reserved.as_ref(),
            "memory",
            |it| it.bytes(),
        )?,
        memory_swap_bytes: service.get("memswap_limit").map(|it| swap(&it)).transpose()?,
        nano_cpus: cpus(service, limits.as_ref())?,
        cpu_shares: service.number_at("cpu_shares")?,
        cpuset: service.text_at("cpuset")?.filter(|it| !it.is_empty()),
        pids: first(service, "pids_limit", limits.as_ref(), "pids", |it| it.number())?,
        shm_bytes: service.bytes_at("shm_size")?,
        oom_score_adj: service.number_at("oom_score_adj")?,
        ulimits: ulimits(service)?,
    })
}

/// What a key says, or the key of `deploy` that stands for it. Both may say the same.
fn first<T: PartialEq>(
    service: &Node<'_>,
    key: &str,
    deploy: Option<&Node<'_>>,
    deploy_key: &str,
    read: impl Fn(&Node<'_>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let own = service.get(key).map(|it| read(&it)).transpose()?;
    let other = deploy.and_then(|it| it.get(deploy_key));
    let Some(other) = other else { return Ok(own) };
    let said = read(&other)?;
    match own {
        Some(own) if own != said => {
            Err(other.wrong(format!("`{key}` of the service says otherwise")))
        }
        _ => Ok(Some(said)),
    }
}

fn cpus(service: &Node<'_>, limits: Option<&Node<'_>>) -> Result<Option<u64>, Error> {
    if let Some(cpus) = first(service, "cpus", limits, "cpus", nano)? {
        return Ok(Some(cpus).filter(|it| *it > 0));
    }
    let Some(quota) = service.get("cpu_quota") else { return Ok(None) };
    let period = service.get("cpu_period").map_or(Ok(PERIOD_US), |it| us(&it))?;
    let parts = us(&quota)?.checked_mul(1_000_000_000).and_then(|it| it.checked_div(period));
    parts.map(Some).ok_or_else(|| quota.wrong("it is no part of `cpu_period`"))
}

/// Processors in billionths.
fn nano(node: &Node<'_>) -> Result<u64, Error> {
    let cpus: f64 = node.number()?;
    if !(0.0..=65_536.0).contains(&cpus) {
        return Err(node.wrong("it is a number of processors such as `0.5`"));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is positive and small"
    )]
    Ok((cpus * 1e9).round() as u64)
}

/// Microseconds: a number alone, or a time.
fn us(node: &Node<'_>) -> Result<u64, Error> {
    match node.number() {
        Ok(number) => Ok(number),
        Err(_) => Ok(node.ms()?.saturating_mul(1_000)),
    }
}

fn swap(node: &Node<'_>) -> Result<i64, Error> {
    match node.text()?.as_str() {
        "-1" => Ok(-1),
        _ => i64::try_from(node.bytes()?).map_err(|_| node.wrong("it is too much")),
    }
}

fn ulimits(service: &Node<'_>) -> Result<Vec<Ulimit>, Error> {
    let one = |(name, node): (&str, Node<'_>)| {
        let (soft, hard) = if node.value.is_object() {
            (node.need("soft")?.number()?, node.need("hard")?.number()?)
        } else {
            let both = node.number()?;
            (both, both)
        };
        Ok(Ulimit { name: name.to_owned(), soft, hard })
    };
    service.entries_at("ulimits")?.into_iter().map(one).collect()
}
