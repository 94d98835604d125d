//! The host and a real supervisor, one speaking to the other over their socket.
