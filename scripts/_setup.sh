# shellcheck shell=bash
# Sourced by run_batch.sh and the scripts: finds Python and keeps .venv in step with the lock files.
# Everything is said on stderr, so that the stdout of `--json` stays clean.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"
OLDEST_PYTHON="3.11"
SET_UP_FAILED=70 # as batchd's own exit code for "could not even try"

say() { printf 'batchd: %s\n' "$*" >&2; }

# Says what is wrong, then what to do about it, and ends the script.
give_up() {
    say "$1"
    shift
    printf '        %s\n' "$@" >&2
    exit "$SET_UP_FAILED"
}

# Brings .venv up to date: `run` for what batchd needs to run, `dev` for the tools and tests as well.
ensure_venv() { # kind
    if is_up_to_date "$1"; then return; fi
    local python
    python="$(find_python)"
    alone "$python" set_up "$1" "$python"
}

# Prints the path of the Python to use. $PYTHON wins, and is never silently replaced by another.
find_python() {
    if [[ -n "${PYTHON:-}" ]]; then
        is_new_enough "$PYTHON" || give_up "PYTHON=$PYTHON is not a Python $OLDEST_PYTHON or newer." \
            "Set PYTHON to one that is, or unset it and let batchd look for one."
        base_of "$PYTHON"
        return
    fi
    local name
    for name in python3.14 python3.13 python3.12 python3.11 python3; do
        if is_new_enough "$name"; then
            base_of "$name"
            return
        fi
    done
    local found="no python3 was found"
    if command -v python3 >/dev/null 2>&1; then
        found="python3 here is $(python3 --version 2>&1 | tail -n 1)"
    fi
    give_up "$found; batchd needs Python $OLDEST_PYTHON or newer." \
        "Debian, Ubuntu:  sudo apt-get install python3 python3-venv" \
        "Fedora, RHEL:    sudo dnf install python3.12" \
        "macOS:           brew install python@3.13" \
        "If one is somewhere else:  PYTHON=/path/to/python3 $0 ..."
}

# A name on PATH proves nothing (version switchers leave dead ones): each candidate is run and asked.
is_new_enough() { # python
    "$1" -c 'import sys; sys.exit(sys.version_info < tuple(map(int, sys.argv[1].split("."))))' \
        "$OLDEST_PYTHON" >/dev/null 2>&1
}

# In an activated environment the name leads into it, .venv included, which may be about to be removed.
base_of() { # python
    "$1" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))'
}

# The environment is judged by its own Python, so that another one on PATH doesn't rebuild it; $PYTHON does.
is_up_to_date() { # kind
    [[ -x "$VENV/bin/batchd" && -s "$(stamp_file "$1")" ]] &&
        [[ "$(cat "$(stamp_file "$1")")" == "$(fingerprint "$1" "${PYTHON:-$VENV/bin/python}" 2>/dev/null)" ]]
}

stamp_file() { printf '%s\n' "$VENV/.batchd-$1"; } # kind

lock_file() { # kind
    case "$1" in
        run) printf '%s\n' "$ROOT/requirements.lock" ;;
        dev) printf '%s\n' "$ROOT/requirements-dev.lock" ;;
    esac
}

# A hash over all that the environment is made from: a change in any of it means, set up again.
fingerprint() { # kind, python
    {
        printf '%s\n' "$1" "$ROOT"
        "$2" -c 'import sys; print(sys.version, sys.base_prefix)'
        cat "$ROOT/pyproject.toml" "$(lock_file "$1")"
    } | "$2" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

# Runs a command while no other set-up of this folder runs. The lock is on descriptor 9, which the children
# inherit: when this shell is killed, an orphaned pip still keeps others out until it has ended.
alone() { # python, command…
    local python="$1"
    shift
    (
        if ! "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; then
            say "another set-up of this folder is running; waiting for it"
            "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
        fi
        "$@"
    ) 9>"$ROOT/.setup.lock"
}

# The stamps go first and come last: a set-up that was killed has none, and is begun again from nothing.
set_up() { # kind, python
    if is_up_to_date "$1"; then return; fi # another set-up did it while this one waited
    if [[ "$1" == dev ]] && is_up_to_date run; then
        rm -f "$(stamp_file run)" # the same packages and some more: add to what is there
    else
        make_venv "$VENV" "$2"
    fi
    install_lock "$VENV" "$(lock_file "$1")"
    pip_install "$VENV" --no-deps --no-build-isolation --editable "$ROOT"
    if [[ "$1" == dev ]]; then write_stamp run "$2"; fi # it can do all that the smaller one can
    write_stamp "$1" "$2"
    say "ready"
}

write_stamp() { # kind, python
    fingerprint "$1" "$2" >"$VENV/.stamp"
    mv "$VENV/.stamp" "$(stamp_file "$1")"
}

make_venv() { # folder, python
    rm -rf "$1"
    say "creating $(basename "$1") with $("$2" --version 2>&1)"
    local output
    if ! output="$("$2" -m venv "$1" 2>&1)"; then
        rm -rf "$1"
        printf '%s\n' "$output" | tail -n 8 >&2
        give_up "this Python can't make a virtual environment: its venv or ensurepip is missing." \
            "Debian, Ubuntu:  sudo apt-get install python3-venv" \
            "Other systems:   install the whole of Python, or name another: PYTHON=/path/to/python3 $0 ..."
    fi
}

install_lock() { # venv folder, lock file
    say "installing the locked packages of $(basename "$2") (from the network, half a minute or so)"
    # The lock is complete, so there is nothing to resolve.
    pip_install "$1" --no-deps --require-hashes --requirement "$2"
}

pip_install() { # venv folder, arguments of `pip install`
    local output
    if ! output="$("$1/bin/python" -m pip --disable-pip-version-check --quiet install "${@:2}" 2>&1)"; then
        printf '%s\n' "$output" | tail -n 12 >&2
        give_up "the packages could not be installed; pip's own words are above." \
            "Most often the network, a proxy or a package mirror is in the way: pip config list" \
            "Call $0 again when that is mended; nothing half-done is used."
    fi
}

# What some tests need beside Python. On a CI machine it is installed, so that none of them is left out there.
ensure_test_tools() {
    if [[ "${CI:-}" != true || "$(id -u)" != 0 ]]; then return; fi
    if ! command -v apt-get >/dev/null 2>&1; then return; fi
    local missing=()
    compgen -G "/usr/lib/*/faketime/libfaketime.so.1" >/dev/null || missing+=(libfaketime)
    command -v systemd-analyze >/dev/null 2>&1 || missing+=(systemd)
    command -v promtool >/dev/null 2>&1 || missing+=(prometheus)
    if ((${#missing[@]} == 0)); then return; fi
    say "installing ${missing[*]} for the tests"
    (apt-get update && apt-get install -y --no-install-recommends "${missing[@]}") >/dev/null 2>&1 ||
        say "${missing[*]} could not be installed; the tests that need it will say so"
}
