//! The plugin `openhands` on a real engine: what the OpenHands MCP server promised its users, and what it got wrong.
//!
//! What runs the tasks is a stub that keeps the contract of OpenHands in both forms; `real` has the real ones. `oh_N` is an
//! acceptance case that was drawn from the server, and these are its defects:
//!
//! | defect | absent, as this shows |
//! | --- | --- |
//! | 1: `list_sessions` and `get_coding_task_status` were missing | `oh_7_`, `the_tools_are_those_that_users_know` |
//! | 2: any `git` call wiped the list of tasks | `oh_3_` |
//! | 3: teardown left the containers of tasks | `oh_4_` |
//! | 4: code of the repository, and options, ran on the host | the tests of the plugin `git` |
//! | 5: secrets lay in the repository and went into the archive | `oh_6_`, `an_archive_holds_no_secret` |
//! | 6: tasks had the engine's socket and no limits | `a_task_has_limits_and_no_engine` |
//! | 7: names collided, tasks were forgotten at a restart | `tasks_that_begin_together_have_names_of_their_own`, `oh_3_` |
//! | 8: `DOCKER_HOST` became a bind mount | `a_task_has_limits_and_no_engine` |
//! | 9: model, address and key were constants | `the_model_is_a_setting` |
//! | 10: failures had any shape | `failures_have_one_shape` |
//! | 11: no result and no cancel of a task | `oh_3_`, `a_task_is_cancelled` |
//! | 12: the program of 0.45 is gone upstream | `server` |

mod desk;
mod sessions;
mod tasks;
mod outcomes;
mod secrets;
mod teardown;
mod server;
mod crashes;
mod later;
mod hostile;
mod real;
