#!/usr/bin/env bash
# Fails on any #include that test/layers.txt does not allow.
cd "$(dirname "$0")/.." || exit 1
bad=$(git ls-files -co --exclude-standard '*.c' '*.h' | grep -E '^(src|bpf|demo|agent)/' | xargs grep -nH '^#include "' | awk -v table=test/layers.txt '
BEGIN {
	while ((getline line < table) > 0) {
		if (line ~ /^#/ || line !~ /:/) continue
		split(line, kv, /:[ \t]*/)
		may[kv[1]] = kv[2]
	}
}
{
	split($0, at, ":")
	file = at[1]
	match($0, /"[^"]*"/)
	inc = substr($0, RSTART + 1, RLENGTH - 2)
	sub(/^(\.\.\/)+(src\/)?/, "", inc)
	best = ""
	for (folder in may)
		if (index(file, folder "/") == 1 && length(folder) > length(best)) best = folder
	if (best == "") { print file ": no line in " table " covers it"; next }
	own = best; sub(/^src\//, "", own)
	if (index(inc, own "/") == 1 || inc !~ /\//) {
		if (inc !~ /\// && inc ~ /skel\.h$/ && index(" " may[best] " ", " " inc " ") == 0 && may[best] !~ /(^| )guard( |$)/)
			print file ":" at[2] ": may not include " inc
		next
	}
	n = split(may[best], ok, " ")
	for (i = 1; i <= n; i++)
		if (inc == ok[i] || index(inc, ok[i] "/") == 1) next
	print file ":" at[2] ": " best " may not include " inc
}')
if [ -n "$bad" ]; then printf '%s\nnot ok - layers\n' "$bad"; exit 1; fi
echo "ok - every #include keeps to test/layers.txt"

calls=$(grep -rnE '\b(system|popen|strcpy|strcat|sprintf|gets)\(' --include='*.c' --include='*.h' src bpf demo agent | grep -vE '^\S+:\s*(/?\*|//)' )
if [ -n "$calls" ]; then printf '%s\nnot ok - forbidden calls\n' "$calls"; exit 1; fi
echo "ok - no shell and no unbounded string calls"

pure=$(grep -rsnE '\b(open|fopen|socket|time|gettimeofday|clock_gettime|clock_wall_ns|clock_mono_ns|fprintf|printf|log_(error|warn|info))\(' \
	--include='*.c' src/guard/proto src/guard/rules src/guard/vitals src/guard/policy)
if [ -n "$pure" ]; then printf '%s\nnot ok - a pure room opens files, asks the time or prints\n' "$pure"; exit 1; fi
echo "ok - proto, rules, vitals and policy touch no file, socket or clock"

# What a header offers, somebody takes: another file, or a test. (What nobody does is static, or goes.)
for t in build build-asan; do
	[ -f $t/libbedwarden.a ] || { echo "skip - callers: $t has not been built"; exit 0; }
done
taken=$({ nm build/libbedwarden.a build/{bedwarden,agent/bedwarden-agent}.p/*.o build/{bench,test}/*.p/*.o | awk '$1 == "U" { print $2 }'
	nm build-asan/{test,fuzz}/*.p/*.o | awk '{ print $NF }'; } 2>/dev/null | sort -u)
spare=$(comm -23 <(nm build/libbedwarden.a 2>/dev/null | awk '$2 ~ /^[TDBR]$/ { print $3 }' | sort -u) <(echo "$taken"))
if [ -n "$spare" ]; then printf '%s\nnot ok - nobody but its own file uses it\n' "$spare"; exit 1; fi
echo "ok - every public name is used by another file, or by a test"
