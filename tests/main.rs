//! What the host promises, seen from outside: the real program, real plugins, called through MCP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::disallowed_methods, reason = "the program under test is started here")]

mod support;

mod servers;
mod protocol;
mod tools;
mod limits;
mod panics;
mod grants;
mod config;
mod consent;
mod readers;
mod resources;
mod tasks;
mod access;
mod principals;
mod audit;
mod quota;
mod http;
mod web;
mod loading;
mod pins;
mod floods;
mod cli;
mod languages;
mod coder;
mod devbench;
mod docker;
mod git;
mod openhands;
mod opencode;
mod rooms;
mod jobs;
mod yields;
mod beside;
mod reach;
mod mounts;
mod hostile;
mod deploy;
mod threats;
mod tidy;
