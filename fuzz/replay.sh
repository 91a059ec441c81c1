#!/usr/bin/env bash
# replay.sh PROGRAM: a fuzz target's seeds, once each.
cd "$(dirname "$0")" || exit 1
name=${1##*/replay-}
shopt -s nullglob
seeds=(seeds/"$name"/*)
if [ ${#seeds[@]} = 0 ]; then echo "not ok - $name has no seeds in fuzz/seeds/$name"; exit 1; fi
if out=$("../$1" "${seeds[@]}" 2>&1); then echo "ok - $name: $out"; else echo "$out"; echo "not ok - $name"; exit 1; fi
