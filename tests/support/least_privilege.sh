#!/bin/sh
# Starts the server under exactly the permissions it prints for its configuration.
# NGIT_GRASP_BIN=<this file> lets any test or demo run that way.
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
# The operator's commands read and write where they are told to.
case ${1-} in
'' | serve | -*) ;;
*) exec deno run -A --quiet --lock="$root/deno.lock" --frozen "$root/main.ts" "$@" ;;
esac
line=$(deno run -A --quiet --lock="$root/deno.lock" --frozen "$root/main.ts" --print-permissions "$@") || exit $?
line=$(printf '%s\n' "$line" | grep '^deno run ') || exec deno run -A --quiet "$root/main.ts" "$@"
eval "exec $line"
