//! What an engine leaves behind, and how it goes: processes, mounts, cgroups, folders.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    thread::sleep,
    time::Instant,
};

use rustix::{
    mount::{UnmountFlags, unmount},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;

use super::keeper::{END_LIMIT, Home, LOOK_EVERY};
use crate::api::Api;

const CGROUPS: &str = "/sys/fs/cgroup";

/// All containers of an engine that is ours.
pub(super) fn remove_containers(api: &Api) {
    let listed = api.get("/containers/json?all=1").unwrap_or_default();
    for id in listed.as_array().into_iter().flatten().filter_map(|it| it["Id"].as_str()) {
        // What does not go now goes with its cgroup.
        let _ = api.delete(&format!("/containers/{id}?force=1&v=1"));
    }
    drop(api.post("/volumes/prune", &Value::Null));
}

/// Everything of an engine that has ended or was killed. What cannot be removed was not there.
pub(super) fn clear(home: &Home) {
    end_all(|| of_cgroup(home), Signal::KILL);
    end_all(|| naming(&home.run), Signal::TERM);
    end_all(|| naming(&home.run), Signal::KILL);
    for place in [&home.run, &home.data] {
        mounted_below(place).iter().rev().for_each(|mounted| {
            let _ = unmount(mounted, UnmountFlags::DETACH);
        });
        let _ = fs::remove_dir_all(place);
    }
    remove_cgroups(&home.name);
}

/// Those of a name that hold no process.
pub(super) fn remove_cgroups(name: &str) {
    cgroups(name).iter().for_each(|cgroup| remove_cgroup(cgroup));
}

/// Sends it to all of them until none is left, or for as long as one is patient.
fn end_all(find: impl Fn() -> Vec<i32>, signal: Signal) {
    let start = Instant::now();
    let mut told = Vec::new();
    while start.elapsed() < END_LIMIT {
        let found = find();
        if found.is_empty() {
            return;
        }
        for process in
            found.into_iter().filter(|process| !told.contains(process)).collect::<Vec<_>>()
        {
            told.push(process);
            let _ = Pid::from_raw(process).map(|process| kill_process(process, signal));
        }
        sleep(LOOK_EVERY);
    }
}

/// Every process that has the engine's folder in its command line: containerd, shims, monitors.
fn naming(folder: &Path) -> Vec<i32> {
    let mark = folder.to_string_lossy();
    let own = i32::try_from(process::id()).unwrap_or_default();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let named = |process: &i32| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*mark)
    };
    processes.filter(|process| *process != own).filter(named).collect()
}

/// Every process in a container of an engine whose monitors were killed.
fn of_cgroup(home: &Home) -> Vec<i32> {
    let mut found = Vec::new();
    let mut folders = cgroups(&home.name);
    while let Some(folder) = folders.pop() {
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        folders.extend(below(&folder));
    }
    found
}

/// Its cgroup, once in each hierarchy.
fn cgroups(name: &str) -> Vec<PathBuf> {
    let root = PathBuf::from(CGROUPS);
    let places = below(&root).into_iter().chain([root]).map(|place| place.join(name));
    places.filter(|place| place.is_dir()).collect()
}

fn remove_cgroup(cgroup: &Path) {
    below(cgroup).iter().for_each(|inner| remove_cgroup(inner));
    let _ = fs::remove_dir(cgroup);
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()))
        .map(|it| it.path())
        .collect()
}

fn mounted_below(folder: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let places = text.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    places.filter(|place| place.starts_with(folder)).collect()
}
