//! How much a container may use.

use super::{Element, hold};

pub(super) const ELEMENTS: &[Element] = &[
    (
        "mem_limit mem_reservation memswap_limit",
        "mem_limit: 64m\nmem_reservation: 32mb\nmemswap_limit: 128M",
        &[
            ("/HostConfig/Memory", "67108864"),
            ("/HostConfig/MemoryReservation", "33554432"),
            ("/HostConfig/MemorySwap", "134217728"),
        ],
    ),
    ("memswap_limit", "mem_limit: 64m\nmemswap_limit: -1", &[("/HostConfig/MemorySwap", "-1")]),
    ("cpus", "cpus: 0.5", &[("/HostConfig/NanoCpus", "500000000")]),
    (
        "cpu_quota cpu_period",
        "cpu_quota: 25000\ncpu_period: 50000",
        &[("/HostConfig/NanoCpus", "500000000")],
    ),
    (
        "cpu_shares cpuset",
        "cpu_shares: 512\ncpuset: '0'",
        &[("/HostConfig/CpuShares", "512"), ("/HostConfig/CpusetCpus", "\"0\"")],
    ),
    ("pids_limit", "pids_limit: 100", &[("/HostConfig/PidsLimit", "100")]),
    ("shm_size", "shm_size: 16m", &[("/HostConfig/ShmSize", "16777216")]),
    ("oom_score_adj", "oom_score_adj: 100", &[("/HostConfig/OomScoreAdj", "100")]),
    (
        "ulimits.*.soft ulimits.*.hard",
        "ulimits: {nproc: 500, nofile: {soft: 100, hard: 200}}",
        &[(
            "~/HostConfig/Ulimits",
            r#"[{"Name": "nproc", "Soft": 500, "Hard": 500}, {"Name": "nofile", "Soft": 100, "Hard": 200}]"#,
        )],
    ),
    (
        "deploy.resources.limits.cpus deploy.resources.limits.memory deploy.resources.limits.pids deploy.resources.reservations.memory",
        "deploy: {resources: {limits: {cpus: '0.25', memory: 48M, pids: 50}, reservations: {memory: 16M}}}",
        &[
            ("/HostConfig/NanoCpus", "250000000"),
            ("/HostConfig/Memory", "50331648"),
            ("/HostConfig/PidsLimit", "50"),
            ("/HostConfig/MemoryReservation", "16777216"),
        ],
    ),
    (
        "deploy.mode deploy.replicas",
        "deploy: {mode: replicated, replicas: 2}",
        &[("containers/{p}-web-2#/State/Running", "true")],
    ),
    ("scale", "scale: 2", &[("containers/{p}-web-2#/State/Running", "true")]),
];

#[test]
fn how_much_it_may_use_is_what_the_file_says() {
    hold(ELEMENTS);
}
