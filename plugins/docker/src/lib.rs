//! Containers, networks, volumes, images and Compose stacks that people name, in their own engine.

mod compose;
mod list;

use list::ListContainers;

windlass_sdk::plugin! {
    instructions: "These tools manage what the user has in the container engine, by the names that people gave it: containers, \
        networks, volumes, images and Compose stacks. What is out of the operator's grants is refused, and the refusal names the grant.",
    asks: include_str!("../grants.toml"),
    tools: [ListContainers],
}
