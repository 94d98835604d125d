//! Which options each sub-command of git may be given. Pure.
//!
//! `--all` is a flag, `--message=` takes a value, `--stat[=]` may have one, `-#` is a number. What runs a program, reads or writes
//! a file elsewhere, asks somebody or leaves the repository is not here: `--upload-pack`, `--exec`, `--output`, `--no-index`,
//! `-O`, `--ext-diff`, `--textconv`, `--file`, `--interactive`, `--gpg-sign`, `--recurse-submodules`, `--strategy` and such.

/// A sub-command, and its options in groups.
pub(crate) type Row = (&'static str, &'static [&'static [&'static str]]);

pub(crate) const TABLE: &[Row] = &[
    ("add", &[ADD]),
    ("commit", &[COMMIT]),
    ("push", &[PUSH]),
    ("pull", &[FETCHING, MERGING, REBASING]),
    ("status", &[STATUS]),
    ("checkout", &[SWITCHING, CHECKOUT]),
    ("branch", &[BRANCH, FILTERING]),
    ("log", &[DIFF, LOG]),
    ("diff", &[DIFF, COMPARING]),
    // What `commands` may add.
    ("blame", &[BLAME]),
    ("cherry-pick", &[PICK]),
    ("clean", &[CLEAN]),
    ("describe", &[DESCRIBE]),
    ("fetch", &[FETCHING, FETCH]),
    ("ls-files", &[LS_FILES]),
    ("merge", &[MERGING, MERGE]),
    ("mv", &[MOVE]),
    ("rebase", &[REBASE]),
    ("reset", &[RESET]),
    ("restore", &[RESTORE]),
    ("rev-parse", &[REV_PARSE]),
    ("revert", &[PICK]),
    ("rm", &[REMOVE]),
    ("show", &[DIFF, LOG]),
    ("stash", &[STASH]),
    ("switch", &[SWITCHING, SWITCH]),
    ("tag", &[TAG, FILTERING]),
];

/// Those of a pull that are the fetch's. All others are for what comes after it.
#[rustfmt::skip]
pub(crate) const FETCHING: &[&str] = &[
    "--depth=", "--force", "--no-tags", "--prune", "--quiet", "--tags", "--verbose", "-f", "-p", "-q", "-t", "-v",
];

#[rustfmt::skip]
const ADD: &[&str] = &[
    "--all", "--chmod=", "--dry-run", "--force", "--ignore-errors", "--ignore-removal", "--intent-to-add", "--no-all",
    "--no-ignore-removal", "--refresh", "--renormalize", "--sparse", "--update", "--verbose", "-A", "-N", "-f", "-n", "-u", "-v",
];

#[rustfmt::skip]
const COMMIT: &[&str] = &[
    "--all", "--allow-empty", "--allow-empty-message", "--amend", "--author=", "--cleanup=", "--date=", "--dry-run", "--fixup=",
    "--include", "--message=", "--no-edit", "--no-gpg-sign", "--no-signoff", "--no-verify", "--only", "--porcelain", "--quiet",
    "--reset-author", "--reuse-message=", "--short", "--signoff", "--squash=", "--trailer=", "--untracked-files[=]", "-C=",
    "-a", "-i", "-m=", "-n", "-o", "-q", "-s", "-u[=]",
];

#[rustfmt::skip]
const PUSH: &[&str] = &[
    "--all", "--atomic", "--branches", "--delete", "--dry-run", "--follow-tags", "--force", "--force-if-includes",
    "--force-with-lease[=]", "--no-force-with-lease", "--no-progress", "--no-thin", "--no-verify", "--porcelain", "--progress",
    "--prune", "--quiet", "--set-upstream", "--tags", "--thin", "--verbose", "-d", "-f", "-n", "-q", "-u", "-v",
];

#[rustfmt::skip]
const FETCH: &[&str] = &[
    "--all", "--atomic", "--deepen=", "--dry-run", "--no-progress", "--progress", "--prune-tags", "--shallow-since=", "-P",
];

#[rustfmt::skip]
const MERGING: &[&str] = &[
    "--allow-unrelated-histories", "--autostash", "--commit", "--ff", "--ff-only", "--log[=]", "--no-autostash", "--no-commit",
    "--no-edit", "--no-ff", "--no-log", "--no-squash", "--no-stat", "--no-verify", "--signoff", "--squash", "--stat",
    "--strategy-option=", "-X=", "-n",
];

#[rustfmt::skip]
const MERGE: &[&str] = &[
    "--abort", "--continue", "--into-name=", "--message=", "--quiet", "--quit", "--verbose", "-m=", "-q", "-v",
];

const REBASING: &[&str] = &["--no-rebase", "--rebase[=]", "-r"];

#[rustfmt::skip]
const REBASE: &[&str] = &[
    "--abort", "--autostash", "--empty=", "--fork-point", "--keep-empty", "--no-autostash", "--no-ff", "--no-fork-point",
    "--no-keep-empty", "--no-stat", "--no-update-refs", "--onto=", "--quiet", "--quit", "--reapply-cherry-picks",
    "--rebase-merges[=]", "--root", "--signoff", "--stat", "--strategy-option=", "--update-refs", "--verbose", "-X=", "-q", "-v",
];

#[rustfmt::skip]
const STATUS: &[&str] = &[
    "--ahead-behind", "--branch", "--find-renames[=]", "--ignored[=]", "--long", "--no-ahead-behind", "--no-renames",
    "--porcelain[=]", "--renames", "--short", "--show-stash", "--untracked-files[=]", "--verbose", "-b", "-s", "-u[=]", "-v", "-z",
];

#[rustfmt::skip]
const SWITCHING: &[&str] = &[
    "--conflict=", "--detach", "--force", "--guess", "--merge", "--no-guess", "--no-progress", "--no-track", "--orphan=",
    "--progress", "--quiet", "--track[=]", "-d", "-f", "-m", "-q", "-t",
];

const CHECKOUT: &[&str] = &["--no-overlay", "--ours", "--overlay", "--theirs", "-B=", "-b=", "-l"];

const SWITCH: &[&str] = &["--create=", "--discard-changes", "--force-create=", "-C=", "-c="];

#[rustfmt::skip]
const BRANCH: &[&str] = &[
    "--abbrev[=]", "--all", "--copy", "--delete", "--force", "--ignore-case", "--list", "--move", "--no-abbrev", "--no-track",
    "--quiet", "--remotes", "--set-upstream-to=", "--show-current", "--track[=]", "--unset-upstream", "--verbose", "-C", "-D",
    "-M", "-a", "-c", "-d", "-f", "-i", "-l", "-m", "-q", "-r", "-t", "-u=", "-v",
];

#[rustfmt::skip]
const FILTERING: &[&str] = &[
    "--contains[=]", "--format=", "--merged[=]", "--no-contains[=]", "--no-merged[=]", "--points-at=", "--sort=",
];

#[rustfmt::skip]
const DIFF: &[&str] = &[
    "--abbrev[=]", "--binary", "--cc", "--check", "--compact-summary", "--diff-algorithm=", "--diff-filter=", "--dirstat[=]",
    "--dst-prefix=", "--exit-code", "--find-copies[=]", "--find-copies-harder", "--find-renames[=]", "--full-index",
    "--function-context", "--histogram", "--ignore-all-space", "--ignore-blank-lines", "--ignore-cr-at-eol",
    "--ignore-space-at-eol", "--ignore-space-change", "--indent-heuristic", "--inter-hunk-context=", "--irreversible-delete",
    "--minimal", "--name-only", "--name-status", "--no-color", "--no-ext-diff", "--no-indent-heuristic", "--no-patch",
    "--no-prefix", "--no-renames", "--no-textconv", "--numstat", "--patch", "--patch-with-stat", "--patience", "--pickaxe-all",
    "--pickaxe-regex", "--quiet", "--raw", "--relative[=]", "--shortstat", "--src-prefix=", "--stat[=]", "--summary", "--text",
    "--unified=", "--word-diff[=]", "-C[=]", "-D", "-G=", "-M[=]", "-R", "-S=", "-U=", "-W", "-a", "-b", "-p", "-s", "-u", "-w", "-z",
];

const COMPARING: &[&str] =
    &["--base", "--cached", "--merge-base", "--ours", "--staged", "--theirs"];

#[rustfmt::skip]
const LOG: &[&str] = &[
    "--abbrev-commit", "--after=", "--all", "--all-match", "--ancestry-path", "--author-date-order", "--author=", "--before=",
    "--boundary", "--branches[=]", "--cherry", "--cherry-mark", "--cherry-pick", "--children", "--committer=", "--date-order",
    "--date=", "--decorate[=]", "--diff-merges=", "--extended-regexp", "--first-parent", "--fixed-strings", "--follow",
    "--format=", "--full-diff", "--full-history", "--graph", "--grep=", "--invert-grep", "--left-only", "--left-right",
    "--max-count=", "--max-parents=", "--merges", "--min-parents=", "--no-abbrev-commit", "--no-decorate", "--no-merges",
    "--no-notes", "--no-walk", "--not", "--oneline", "--parents", "--pretty[=]", "--regexp-ignore-case", "--relative-date",
    "--remotes[=]", "--reverse", "--right-only", "--simplify-by-decoration", "--since=", "--skip=", "--source", "--tags[=]",
    "--topo-order", "--until=", "--walk-reflogs", "-#", "-E", "-F", "-L=", "-g", "-i", "-m", "-n=",
];

#[rustfmt::skip]
const BLAME: &[&str] = &[
    "--date=", "--first-parent", "--line-porcelain", "--porcelain", "--reverse", "--root", "--since=", "-C[=]", "-L=", "-M[=]",
    "-e", "-f", "-l", "-n", "-p", "-s", "-t", "-w",
];

#[rustfmt::skip]
const PICK: &[&str] = &[
    "--abort", "--allow-empty", "--ff", "--mainline=", "--no-commit", "--no-edit", "--quit", "--signoff", "--strategy-option=",
    "-X=", "-m=", "-n", "-s", "-x",
];

const CLEAN: &[&str] =
    &["--dry-run", "--exclude=", "--force", "--quiet", "-X", "-d", "-e=", "-f", "-n", "-q", "-x"];

#[rustfmt::skip]
const DESCRIBE: &[&str] = &[
    "--abbrev=", "--all", "--always", "--contains", "--dirty[=]", "--exact-match", "--exclude=", "--first-parent", "--long",
    "--match=", "--tags",
];

#[rustfmt::skip]
const LS_FILES: &[&str] = &[
    "--abbrev[=]", "--cached", "--deleted", "--directory", "--error-unmatch", "--exclude-standard", "--exclude=", "--full-name",
    "--ignored", "--modified", "--others", "--stage", "--unmerged", "-c", "-d", "-i", "-m", "-o", "-s", "-t", "-u", "-x=", "-z",
];

const MOVE: &[&str] = &["--dry-run", "--force", "--sparse", "--verbose", "-f", "-k", "-n", "-v"];

const RESET: &[&str] =
    &["--hard", "--intent-to-add", "--keep", "--merge", "--mixed", "--quiet", "--soft", "-N", "-q"];

#[rustfmt::skip]
const RESTORE: &[&str] = &[
    "--conflict=", "--ignore-unmerged", "--merge", "--no-overlay", "--ours", "--overlay", "--quiet", "--source=", "--staged",
    "--theirs", "--worktree", "-S", "-W", "-m", "-q", "-s=",
];

#[rustfmt::skip]
const REV_PARSE: &[&str] = &[
    "--abbrev-ref[=]", "--all", "--branches", "--is-inside-work-tree", "--is-shallow-repository", "--quiet", "--remotes",
    "--short[=]", "--show-prefix", "--show-toplevel", "--symbolic", "--symbolic-full-name", "--tags", "--verify", "-q",
];

#[rustfmt::skip]
const REMOVE: &[&str] = &[
    "--cached", "--dry-run", "--force", "--ignore-unmatch", "--quiet", "--sparse", "-f", "-n", "-q", "-r",
];

#[rustfmt::skip]
const STASH: &[&str] = &[
    "--all", "--include-untracked", "--index", "--keep-index", "--message=", "--no-keep-index", "--quiet", "--staged", "--stat",
    "-S", "-a", "-k", "-m=", "-q", "-u",
];

#[rustfmt::skip]
const TAG: &[&str] = &[
    "--annotate", "--cleanup=", "--delete", "--force", "--ignore-case", "--list", "--message=", "-a", "-d", "-f", "-i", "-l",
    "-m=", "-n[=]",
];
