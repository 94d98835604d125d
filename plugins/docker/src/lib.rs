//! Containers, networks, volumes, images and Compose stacks that people name, in their own engine.

mod amount;
mod compose;
mod consent;
mod create;
mod error;
mod exec;
mod health;
mod image;
mod inspect;
mod list;
mod logs;
mod mount;
mod name;
mod network;
mod port;
mod prompts;
mod prune;
mod remove;
mod stats;
mod table;
mod turn;
mod volume;
mod words;

use windlass_sdk::Hints;

use compose::{
    ComposeDown, ComposeLogs, ComposePs, ComposeRestart, ComposeStart, ComposeStop, DeployCompose,
    Down, Settings, Work,
};
use create::CreateContainer;
use exec::ExecInContainer;
use image::{ListImages, PullImage, RemoveImage};
use inspect::InspectContainer;
use list::ListContainers;
use logs::GetLogs;
use network::{
    NetworkConnect, NetworkCreate, NetworkDisconnect, NetworkInspect, NetworkList, NetworkRemove,
};
use prompts::{DeployStack, ManageCompose, ManageContainers};
use prune::Prune;
use remove::RemoveContainer;
use stats::ContainerStats;
use turn::{RestartContainer, StartContainer, StopContainer};
use volume::{CreateVolume, ListVolumes, RemoveVolume};

/// What every tool promises that only looks.
const LOOKS: Hints = Hints::READ_ONLY.union(Hints::IDEMPOTENT);

windlass_sdk::plugin! {
    instructions: "These tools manage what the user has in the container engine, by the names that people gave it: containers, \
        networks, volumes, images and Compose stacks. What is out of the operator's grants is refused, and the refusal names the grant. \
        Look before you change: `list-containers`, `inspect-container`, `get-logs`, `compose-ps`. One container is made with \
        `create-container`; several that belong together are a stack, which `deploy-compose` brings to what its file says.",
    asks: include_str!("../grants.toml"),
    config: Settings,
    tools: [
        CreateContainer, ListContainers, InspectContainer, GetLogs, ContainerStats, ExecInContainer,
        StartContainer, StopContainer, RestartContainer, RemoveContainer,
        NetworkCreate, NetworkRemove, NetworkList, NetworkConnect, NetworkDisconnect, NetworkInspect,
        ListImages, PullImage, RemoveImage, ListVolumes, CreateVolume, RemoveVolume, Prune,
        DeployCompose, ComposePs, ComposeLogs, ComposeStart, ComposeStop, ComposeRestart, ComposeDown,
    ],
    prompts: [DeployStack, ManageContainers, ManageCompose],
    jobs: [Work, Down],
}
