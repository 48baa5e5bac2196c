#!/usr/bin/env bash
# Sets up what is missing, then runs batchd. Needs only bash and Python 3.11 or newer.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: ./run_batch.sh COMMAND [options]

  demo        a table of résumés, filled by way of a local vendor: no key, no network
  submit      build batches from pending rows and send them
  check ID    ask about one batch; apply its results if it has ended
  run         keep going: claim, submit, poll, collect, apply
  test        lint, types, layers, the wheel and all tests
  help        this text

Any other command of batchd works as well (status, failures, show ID, ...); all of them: ./run_batch.sh --help
The first call sets up .venv beside this script. PYTHON=/path/to/python3 chooses the Python for it.
TEXT
}

# This file's own folder, also when called through a symbolic link.
own_folder() {
    local file="${BASH_SOURCE[0]}" target
    while [[ -L "$file" ]]; do
        target="$(readlink "$file")"
        [[ "$target" == /* ]] || target="$(dirname "$file")/$target"
        file="$target"
    done
    cd "$(dirname "$file")" && pwd -P
}

# batchd looks for a config in the current folder and in /etc. Where there is none, the repository's own is used.
choose_config() { # command line…
    if [[ -n "${BATCHD_CONFIG:-}" || -e config.toml || -e /etc/batchd/config.toml ]]; then return; fi
    local word
    for word in "$@"; do
        case "$word" in
            demo | init | sandbox | config-schema | --config | --config=* | --help | --version) return ;;
        esac
    done
    say "no config.toml in this folder: using $ROOT/config.toml"
    export BATCHD_CONFIG="$ROOT/config.toml"
}

# The repository's config speaks of the demo's database; batchd itself can't know that the demo makes it.
point_to_demo() {
    local config="${BATCHD_CONFIG:-config.toml}"
    if [[ "$config" -ef "$ROOT/config.toml" && ! -e "$ROOT/demo/candidates.db" && "${1:-}" != demo ]]; then
        say "the repository's config.toml works on the demo's database, which is not there yet: ./run_batch.sh demo"
    fi
}

source "$(own_folder)/scripts/_setup.sh"

case "${1:-help}" in
    help) usage ;;
    test) exec "$ROOT/scripts/test" "${@:2}" ;;
    *)
        ensure_venv run
        choose_config "$@"
        point_to_demo "$@"
        # So that the commands batchd tells people to run next are the ones they can run.
        export BATCHD_CALLED_AS="$0"
        exec "$VENV/bin/batchd" "$@"
        ;;
esac
