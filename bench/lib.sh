# shellcheck shell=bash
# What the benches in shell share: numbers of several runs, rows of the table, certificates. Sourced, never run.

row() { printf '| %s | %s | %s |\n' "$@"; } # WHAT MEASURED MUST
# Of numbers, one a line, in files or on standard input.
least() { sort -g "$@" | sed -n 1p; }
most() { sort -g "$@" | sed -n '$p'; }
median() { sort -g "$@" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
column() { cut -d' ' -f"$2" "$1"; } # FILE N
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'; }
# field NAME [FILE]: a number in an object of JSON on one line.
field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "${@:2}"; }
# against WHAT RIVAL OURS THEIRS PER UNIT MUST: a row with both numbers, so many to a UNIT.
against() {
	awk -v what="$1" -v rival="$2" -v a="$3" -v b="$4" -v per="$5" -v unit="$6" -v must="$7" 'BEGIN {
		printf "| %s, against %s (%.4g %s) | %.4g %s, %.2fx | %s |\n", what, rival, b / per, unit, a / per, unit, a / b, must }'
}
# spent PID: nanoseconds of CPU, of all its threads.
spent() { awk '{ n += $1 } END { printf "%.0f\n", n }' "/proc/$1/task/"*/schedstat; }
needs_tools() { # BENCH PACKAGES TOOL...
	local tool
	for tool in "${@:3}"; do
		command -v "$tool" >/dev/null || { echo "bench: $1: no $tool ($2)" >&2; exit 1; }
	done
}

# An authority in ca.pem and ca.key, and of it NAME.pem and NAME.key for either end of a connection.
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=bench -days 2 2>/dev/null
}
certificate() { # NAME
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "/CN=$1" -out "$1.csr" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -days 2 -out "$1.pem" 2>/dev/null \
		-extfile <(printf 'subjectAltName=DNS:%s,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' "$1")
}
