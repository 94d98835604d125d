//! The shell script that git runs under in a toolbox.
//!
//! Git takes its configuration, hooks and attributes from a folder of ours in the toolbox's `/tmp` (`GIT_COMMON_DIR`), and
//! objects, refs and the index from the workspace. The folder is made once for each configuration, so a command costs one
//! process. Commands that may change the configuration get a folder of their own, and the script prints what became of it.
//! Git looks into nested repositories by starting itself there, and would believe their configuration. What it finds instead in
//! a toolbox for local work is a script that answers for nested ones that nothing was changed.
//!
//! Commands that write wait for each other: git itself lets two commits at once mix up their messages.

/// The variables that the script reads.
pub(crate) const KEY: &str = "WINDLASS_GIT_KEY";
pub(crate) const CONFIG: &str = "WINDLASS_GIT_CONFIG";
pub(crate) const GLOBAL: &str = "WINDLASS_GIT_GLOBAL";
pub(crate) const RETURN: &str = "WINDLASS_GIT_RETURN";
pub(crate) const LOCAL: &str = "WINDLASS_GIT_LOCAL";
pub(crate) const ALONE: &str = "WINDLASS_GIT_ALONE";

/// Runs its arguments as a git command in the repository.
pub(crate) const IN_REPOSITORY: &str = r#"
d=/tmp/git/$WINDLASS_GIT_KEY g=/workspace/.git
if [ ! -e "$d/ready" ]; then
    mkdir -p "$d/info" || exit 125
    for i in HEAD objects refs packed-refs logs shallow reftable info/exclude; do
        [ -L "$d/$i" ] || ln -s "$g/$i" "$d/$i" 2>/dev/null
    done
    printf %s "$WINDLASS_GIT_GLOBAL" >"$d/global.$$" && mv -f "$d/global.$$" "$d/global" || exit 125
    printf %s "$WINDLASS_GIT_CONFIG" >"$d/config.$$" && mv -f "$d/config.$$" "$d/config" || exit 125
    : >"$d/ready"
fi
[ -d "$g/logs" ] || mkdir "$g/logs" 2>/dev/null
export HOME="$d" GIT_CONFIG_GLOBAL="$d/global" GIT_DIR="$g" GIT_WORK_TREE=/workspace GIT_COMMON_DIR="$d"
if [ -n "$WINDLASS_GIT_LOCAL" ]; then
    if [ ! -e /tmp/git/programs ]; then
        mkdir -p /tmp/git/bin || exit 125
        printf '#!/bin/sh\ncase $GIT_DIR in /workspace/.git) exec "%s" "$@" ;; esac\n' "$(command -v git)" >"/tmp/git/bin.$$"
        chmod 755 "/tmp/git/bin.$$" && mv -f "/tmp/git/bin.$$" /tmp/git/bin/git || exit 125
        git --exec-path >"/tmp/git/programs.$$" && mv -f "/tmp/git/programs.$$" /tmp/git/programs || exit 125
    fi
    read -r e </tmp/git/programs
    export GIT_EXEC_PATH="/tmp/git/bin:$e"
fi
[ -n "$WINDLASS_GIT_RETURN$WINDLASS_GIT_ALONE" ] || exec git "$@"
if [ -n "$WINDLASS_GIT_ALONE" ]; then
    l=/tmp/git/lock
    until mkdir "$l" 2>/dev/null; do
        read -r p 2>/dev/null <"$l/pid" && ! kill -0 "$p" 2>/dev/null && rm -rf "$l"
        sleep 0.05
    done
    trap 'rm -rf "$l"' EXIT
    trap 'exit 143' TERM
    echo $$ >"$l/pid"
fi
git "$@"
code=$?
if [ -n "$WINDLASS_GIT_RETURN" ]; then
    printf '\n%s\n' "$WINDLASS_GIT_RETURN"
    cat "$d/config"
    rm -rf "$d"
fi
exit $code
"#;

/// Runs its arguments as a git command where there is no repository yet.
pub(crate) const WITHOUT_REPOSITORY: &str = r#"
d=/tmp/git/$WINDLASS_GIT_KEY
mkdir -p "$d" || exit 125
printf %s "$WINDLASS_GIT_GLOBAL" >"$d/global" || exit 125
export HOME="$d" GIT_CONFIG_GLOBAL="$d/global"
git "$@"
code=$?
rm -rf "$d"
exit $code
"#;

/// What git printed, and the configuration that it left, where the script printed that as well.
pub(crate) fn parted(mut output: Vec<u8>, marker: &str) -> (Vec<u8>, Option<String>) {
    let line = format!("\n{marker}\n").into_bytes();
    let place = output.windows(line.len()).rposition(|window| window == line);
    let Some(place) = place.filter(|_| !marker.is_empty()) else { return (output, None) };
    let rest = output.split_off(place);
    let config = rest.get(line.len()..).unwrap_or_default();
    (output, Some(String::from_utf8_lossy(config).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_what_comes_after_the_last_mark() {
        let parted = |text: &str| {
            let (output, config) = parted(text.as_bytes().to_vec(), "m");
            (String::from_utf8(output).unwrap(), config)
        };
        assert_eq!(parted("a\n"), ("a\n".to_owned(), None));
        assert_eq!(parted("a\n\nm\n[b]"), ("a\n".to_owned(), Some("[b]".to_owned())));
        assert_eq!(parted("\nm\n\nm\nx"), ("\nm\n".to_owned(), Some("x".to_owned())));
        assert_eq!(super::parted(b"\n\n".to_vec(), ""), (b"\n\n".to_vec(), None));
    }
}
