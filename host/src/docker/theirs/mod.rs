//! What the user has in the engine: containers, networks, images and volumes that others made, and the ones that plugins make
//! for the user.
//!
//! Whether something is within reach is `policy`'s to say; what it has to know for that is found here (`Theirs`).

mod body;
mod find;
mod act;
mod logs;
mod measure;
mod taken;
mod networks;
mod images;
mod volumes;

pub use body::{Content, Contents};
pub use find::Found;
pub use logs::Tail;
