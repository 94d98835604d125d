//! What a container uses at a moment.

use bollard::{
    models::{ContainerBlkioStats, ContainerMemoryStats, ContainerStatsResponse},
    query_parameters::StatsOptions,
};
use futures_util::StreamExt as _;

use super::super::{Docker, Ours};
use crate::{
    capability::engine::Usage,
    error::{Result, unavailable},
    policy::{Approved, Theirs},
};

impl Docker {
    pub async fn measure_theirs(&self, theirs: &Approved<Theirs>) -> Result<Usage> {
        let Theirs { id, name, .. } = theirs.request();
        self.measure(id, &format!("measure container `{name}`")).await
    }

    /// How much memory one of ours takes, in bytes.
    pub async fn memory_of(&self, ours: &Ours) -> Result<u64> {
        let what = format!("measure container `{}`", ours.id());
        Ok(self.measure(ours.engine_id(), &what).await?.memory_bytes)
    }

    async fn measure(&self, id: &str, what: &str) -> Result<Usage> {
        let options = StatsOptions { stream: false, one_shot: true };
        let asked = async |client: &bollard::Docker| {
            client.stats(id, Some(options)).next().await.transpose()
        };
        let measured = self.quickly(asked).await?.map_err(|trouble| trouble.doing(what))?;
        let measured = measured
            .ok_or_else(|| unavailable(format!("cannot {what}: the engine says nothing")))?;
        Ok(usage(measured))
    }
}

fn usage(it: ContainerStatsResponse) -> Usage {
    let cpu = it.cpu_stats.unwrap_or_default();
    let memory = it.memory_stats.unwrap_or_default();
    let networks = it.networks.unwrap_or_default();
    let blocks = it.blkio_stats.unwrap_or_default();
    let per_cpu = cpu.cpu_usage.as_ref().and_then(|it| it.percpu_usage.as_ref().map(Vec::len));
    let per_cpu = per_cpu.and_then(|it| u32::try_from(it).ok());
    Usage {
        cpu_ns: cpu.cpu_usage.and_then(|it| it.total_usage).unwrap_or(0),
        system_ns: cpu.system_cpu_usage.unwrap_or(0),
        cpus: cpu.online_cpus.or(per_cpu).unwrap_or(1).max(1),
        memory_bytes: used(&memory),
        memory_limit_bytes: memory.limit.unwrap_or(0),
        received_bytes: networks.values().filter_map(|it| it.rx_bytes).sum(),
        sent_bytes: networks.values().filter_map(|it| it.tx_bytes).sum(),
        read_bytes: moved(&blocks, "read"),
        written_bytes: moved(&blocks, "write"),
        pids: it.pids_stats.and_then(|it| it.current).unwrap_or(0),
    }
}

/// Without what the kernel only keeps in case it is wanted again, as Docker's own client counts.
fn used(memory: &ContainerMemoryStats) -> u64 {
    let all = memory.usage.unwrap_or(0);
    let of = |name: &str| memory.stats.as_ref().and_then(|it| it.get(name)).copied();
    let kept = of("total_inactive_file").or_else(|| of("inactive_file")).unwrap_or(0);
    all.saturating_sub(kept)
}

fn moved(blocks: &ContainerBlkioStats, which: &str) -> u64 {
    let moves = blocks.io_service_bytes_recursive.iter().flatten();
    let which =
        moves.filter(|it| it.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(which)));
    which.filter_map(|it| it.value).sum()
}
