//! The host against a supervisor that these tests play themselves, well and badly behaved, over its real socket.

mod played;
mod processes;
mod hostile;
mod ways;
