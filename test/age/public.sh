#!/usr/bin/env bash
# public.sh [BEDWARDEN]: the public kit of age vectors (C2SP/CCTV, age/testdata) through kit.sh. Its authors publish
# it as an npm package; nothing of it is kept here, and what is not exactly the edition below is not used.
# AGE_TESTKIT=FOLDER: the kit is there already.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bedwarden=${1:-build/bedwarden}
edition=cctv-age@0.2.0
sha512=d5f88601a5abfac9ea82ef3eb820bba8f780a40bae78e112113da7a4a7b41552d8f87b9ff8a9226bcf51c9bc7fba818d0a6977d528008e2408785398e0adcd7b
skip() { echo "skip - the public kit of age vectors: $*"; exit 0; }
[ -z "${AGE_TESTKIT:-}" ] || exec test/age/kit.sh "$bedwarden"

for tool in npm node; do
	command -v $tool >/dev/null || skip "$tool is not installed; AGE_TESTKIT=FOLDER names one that is there"
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && timeout 60 npm pack --silent --ignore-scripts $edition >/dev/null 2>&1)
package=$(find "$tmp" -name '*.tgz')
[ -f "$package" ] || skip "npm cannot fetch $edition; AGE_TESTKIT=FOLDER names one that is there"
sha512sum --quiet -c <<<"$sha512  $package" 2>/dev/null ||
	{ echo "not ok - $edition is not what it was: $(sha512sum <"$package" | cut -c1-32)..."; exit 1; }
tar -xzf "$package" -C "$tmp" && mkdir "$tmp/kit" && node --input-type=module - "$tmp" <<-'JS' || exit 1
	import { writeFileSync } from "node:fs";
	const tmp = process.argv[2];
	const kit = await import(tmp + "/package/index.js");
	for (const [name, vector] of Object.entries(kit.default ?? kit))
		if (/^\w+$/.test(name)) writeFileSync(tmp + "/kit/" + name, vector);
JS
AGE_TESTKIT=$tmp/kit test/age/kit.sh "$bedwarden" || exit 1
