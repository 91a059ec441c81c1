#!/usr/bin/env bash
# Documents: manual pages are well-formed, links lead somewhere, the program
# speaks of itself alone, every command and reason is documented.
cd "$(dirname "$0")/.." || exit 1
code=0
result() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; code=1; fi; }

for page in doc/man/*.[1-9]; do
	[ -e "$page" ] || continue
	mandoc -Tlint -W warning "$page"
	result $? "manual ${page##*/} is well-formed"
done

broken=$(git ls-files -co --exclude-standard '*.md' | while read -r md; do
	grep -oE '\]\([^)#: ]+' "$md" | sed 's/^](//' | while read -r to; do
		[ -e "$(dirname "$md")/$to" ] || echo "$md: $to"
	done
done)
[ -z "$broken" ] || printf '%s\n' "$broken"
[ -z "$broken" ]; result $? "links in documents lead somewhere"

# A decision has a number of its own, and whoever names one names one that is there.
wrong=$(find doc/adr -name '[0-9]*.md' -printf '%f\n' | cut -c1-4 | sort | uniq -d | sed 's/$/: two decisions have that number/')
wrong+=$(git grep -hoE '\bADR [0-9]+|doc/adr/[0-9]{4}' -- . ':!doc/adr' | grep -oE '[0-9]+$' | sort -un | while read -r n; do
	compgen -G "doc/adr/$(printf %04d "$((10#$n))")-*.md" >/dev/null || echo "ADR $n is named, and is not there"
done)
wrong+=$(for f in doc/adr/[0-9]*.md; do grep -qF "(${f##*/})" doc/adr/README.md || echo "doc/adr/README.md does not lead to $f"; done)
wrong+=$(for f in doc/*.md; do grep -qF "($f)" README.md || echo "README.md does not lead to $f"; done)
[ -z "$wrong" ] || printf '%s\n' "$wrong"
[ -z "$wrong" ]; result $? "decisions and documents are found by what names them"

for c in $(build/bedwarden --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	grep -qE "^\.(It|Ss|Sh) .*\b$c\b" doc/man/bedwarden.8 2>/dev/null
	result $? "bedwarden.8 describes '$c'"
	build/bedwarden "$c" --help 2>/dev/null </dev/null | grep -q "^usage: bedwarden $c"
	result $? "'$c --help' says how it is used"
done
build/bedwarden policy learn -o x --help 2>/dev/null </dev/null | grep -q "^usage: bedwarden policy"
result $? "and so it does behind other words"
build/bedwarden statsu 2>&1 | grep -q "did you mean 'status'"
result $? "the nearest command is offered for one that is not there"
# Every reason of the table (doc/reasons.md: unit-options) is told by somebody; one that is only weighed (`case`) is not.
never=$(comm -23 <(sed -n 's/^\tX(\([A-Z0-9_]*\),.*/REASON_\1/p' src/base/reason.h | grep -v '_SPARE_' | sort) \
	<(git grep -h 'REASON_' -- src bpf ':!src/base/reason.h' | grep -v 'case REASON_' | grep -oE '\bREASON_[A-Z0-9_]+' | sort -u))
[ -z "$never" ] || printf '%s\n' "$never"
[ -z "$never" ]; result $? "every reason is told by somebody"

# Every key of an example is an option (the manual's list of them: unit-options).
unknown=$(comm -13 <(sed -n 's/^\.It Ic \([a-z0-9_]*\) : .*/\1/p' doc/man/bedwarden.yaml.5 | sort -u) \
	<({ sed -n '/^```yaml/,/^```$/p' README.md doc/*.md; sed -n '/^\.Bd -literal/,/^\.Ed/p' doc/man/*.[1-9]; grep -ohE '`[a-z_]+:( [^`]*)?`' README.md doc/*.md; } |
		grep -oE '(^ *(- )?|[`{,] *)[a-z0-9_]+:( |`|$)' | grep -oE '[a-z0-9_]+' | sort -u))
[ -z "$unknown" ] || printf '%s\n' "$unknown"
[ -z "$unknown" ]; result $? "every key that an example of a policy has is an option"

# Every test that the ASVS checklist names is there: "unit-x `a_test`, `another`".
lost=$(sed -n 's/^|.*| *\([^|]*\) |$/\1/p' doc/asvs.md | sed 's/([^)]*)//g' | grep -oE 'unit-[a-z_0-9]+|`[a-z_0-9]+`' | tr -d '`' |
	while read -r word; do
		case $word in
		unit-*) file=test/unit/${word#unit-}.c; [ -f "$file" ] || echo "no $file" ;;
		*) grep -q "\(cmocka_unit_test.*\|STAGED\)($word\b" "$file" || echo "no $word in $file" ;;
		esac
	done)
lost+=$(grep -oE '`[a-z]+\.py` "[^"]+"' doc/asvs.md | while IFS='`"' read -r _ file _ text _; do
	grep -qrF --include="$file" -- "$text\"" test || grep -qrF --include="$file" -- "$text:" test || echo "no '$text' in $file"
done)
# And each line names something: a test, a page, or why there is nothing to test.
lost+=$(sed -n 's/^| \([67]\.[0-9., ]*\) |.*| *\([^|]*\) |$/\1: \2/p' doc/asvs.md | grep -vE 'unit-|\.py|\.md|: there (is|are) no|: none are asked')
[ -z "$lost" ] || printf '%s\n' "$lost"
[ -z "$lost" ]; result $? "every test that asvs.md names is there"

# And every test by which messages.md says that an evasion fails.
lost=$(sed -n '/^| evasion | test |/,/^$/p' doc/messages.md | sed 's/^|[^|]*|//' | grep -oE '`[^`]+`' | tr -d '`' | sort -u |
	while read -r word; do
		case $word in
		*[./]*) compgen -G "$word" || compgen -G "test/$word" || compgen -G "test/*/$word" ;;
		*) grep -rE "cmocka_unit_test.*\($word\b|\bT\($word\b" test/unit ;;
		esac >/dev/null || echo "no $word"
	done)
[ -z "$lost" ] || printf '%s\n' "$lost"
[ -z "$lost" ]; result $? "every test that messages.md names is there"

if command -v shellcheck >/dev/null; then
	# shellcheck disable=SC2046 # words
	shellcheck -S error $(git ls-files -co --exclude-standard '*.sh' dev .ci/run)
	result $? "no script has an error (shellcheck)"
else
	echo "skip - scripts: shellcheck is not installed"
fi
exit $code
