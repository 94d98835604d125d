//! The plugin `devbench` on a real engine: what mcp-devbench promised its users, and what it got wrong.
//!
//! `db_NN` is an acceptance case that was drawn from it, `defect_NN` one of its defects. Defects that an acceptance
//! case covers have no test of their own:
//!
//! | defect | absent, as this shows |
//! | --- | --- |
//! | 7: idempotency, cancelling and the limit of four were void | `db_08_`, `db_09_`, `db_11_` |
//! | 8: a timeout left the process running | `db_10_` |
//! | 10: the first chunk was lost, an unknown process was no error | `db_12_` |
//! | 11: exit code 0 became -1 | `db_06_` |
//! | 14: what is no UTF-8 could not be read or written | `db_16_` |
//! | 16: paths that lead out were accepted | `db_14_`, `db_19_` |
//! | 17: deleting what is not there succeeded | `db_17_` |
//! | 21: an expired key leaked a container | `db_03_a_key_is_good_for_a_day` |
//! | 24: everybody could be root | `db_07_` |

mod life;
mod keys;
mod exec;
mod output;
mod files;
mod paths;
mod batch;
mod archives;
mod images;
mod records;
mod admin;
mod transport;
mod podman;
