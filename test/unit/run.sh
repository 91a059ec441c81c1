#!/usr/bin/env bash
# run.sh PROGRAM: a cmocka program's results as `ok - text` lines.
name=${1##*/unit-}
out=$(CMOCKA_MESSAGE_OUTPUT=stdout "$1" 2>&1)
code=$?
sed -n "s/^\[       OK \] \(.*\)/ok - $name: \1/p; s/^\[  FAILED  \] \([a-z_0-9A-Z]*\)$/not ok - $name: \1/p; s/^\[  SKIPPED \] \([a-z_0-9A-Z]*\)$/skip - $name: \1: see its message/p" <<<"$out" | awk '!seen[$0]++'
[ $code = 0 ] || { printf '%s\n' "$out" | tail -40; exit 1; }
