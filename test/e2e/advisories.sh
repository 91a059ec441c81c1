#!/usr/bin/env bash
# A known weakness behind a whole gateway: an advisory names a device, its virtual patch is rehearsed (the attack
# still arrives, and is told), enforced (it does not, and an open conversation ends) and taken away; what is
# lived with is kept and audited; and the report shows it all, each figure by a command that gives it.
# usage: test/e2e/advisories.sh [BINARY]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bw=$(realpath "${1:-build/bedwarden}")
id=bwa$$
spaces="gw sw pump hos"
. test/e2e/lib.sh

[ "$(id -u)" = 0 ] || skip_all "advisories: needs root for network namespaces"

workdir
make_ward pump || skip_all "advisories: no network namespaces here"
machine pump 02:00:00:95:00:11 10.95.0.11/24
machine hos 02:00:00:95:00:01 10.95.0.1/24

mkdir -p "$dir/csaf" "$dir/www"
echo "settings" >"$dir/www/index.html"
cat >"$dir/bw.yaml" <<Y
gateway: {name: e2e, state_dir: $dir/state, run_dir: $dir/run, bpf_dir: $dir/bpf/bedwarden}
console: {on: no}
segments:
  - {name: icu, ward: w0, hospital: h0, isolated: no, mode: enforce}
hosts:
  - {name: desk, ip: [10.95.0.1], mac: "02:00:00:95:00:01", role: [maintenance]}
devices:
  # Written by people, and to stay so.
  - name: pump-1
    segment: icu
    mac: "02:00:00:95:00:11"
    ip: [10.95.0.11]
    vendor: Acme Medical
    model: InfuMax 300
    version: "1.4"
    accepts:
      - {service: settings, proto: tcp, port: [8080], peer: maintenance}
      - {service: readings, proto: tcp, port: [8081], peer: maintenance}
Y
cat >"$dir/csaf/a-1.json" <<'J'
{"document": {"category": "csaf_security_advisory", "csaf_version": "2.0", "title": "Acme InfuMax", "publisher": {"name": "Test"},
  "tracking": {"id": "A-1", "version": "1", "status": "final", "initial_release_date": "2024-01-01T00:00:00Z",
    "current_release_date": "2024-01-01T00:00:00Z", "revision_history": [{"number": "1", "date": "2024-01-01T00:00:00Z"}]}},
 "product_tree": {"branches": [{"category": "vendor", "name": "Acme Medical, Inc.", "branches": [{"category": "product_name",
   "name": "InfuMax 300", "branches": [{"category": "product_version_range", "name": "vers:intdot/<1.5",
     "product": {"name": "InfuMax 300", "product_id": "P1"}}]}]}]},
 "vulnerabilities": [{"cve": "CVE-2024-1", "product_status": {"known_affected": ["P1"]},
   "notes": [{"category": "summary", "text": "Settings can be changed over Port 8080/TCP without a password."}],
   "scores": [{"products": ["P1"], "cvss_v3": {"version": "3.1", "baseScore": 9.8, "baseSeverity": "CRITICAL",
     "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}],
   "remediations": [{"category": "none_available", "details": "None.", "product_ids": ["P1"]}]}]}
J
at pump python3 -m http.server -d "$dir/www" 8080 >/dev/null 2>&1 &
at pump python3 -m http.server -d "$dir/www" 8081 >/dev/null 2>&1 &

get() { at hos timeout 2 curl -s -m 1 "http://10.95.0.11:$1/" | grep -q settings; }
fails() { ! "$@"; }
update() { timeout 30 "$bw" update "$@" -c "$dir/bw.yaml" 2>&1; }
advisories() { update advisories --advisories "$dir/csaf" --json --all; }
todo() { advisories | grep -q "\"do\": \"$1\""; }
report() { timeout 60 "$bw" report "$@" -c "$dir/bw.yaml" --advisories "$dir/csaf"; }

start
[ "$(until_ms 15000 guarding)" != -1 ] || { not "the gateway starts"; tail "$dir/log"; exit 1; }
[ "$(until_ms 5000 get 8080)" != -1 ] || { not "the device answers"; exit 1; }
check "the advisory is about the device" todo shield
command=$(advisories | sed -n 's/.*"command": "bedwarden update \(.*\)".*/\1/p')
check "and its own words name the port" [ "$command" = "shield A-1 --device pump-1 --accepts --proto tcp --port 8080" ]

# shellcheck disable=SC2086 # words
update $command --reason "no update yet" >"$dir/said"
check "the shield that it leads to is taken" grep -q rehearsed "$dir/said"
check "is in the policy, and what people wrote is" grep -q "Written by people" "$dir/bw.yaml"
check "rehearsed, the attack still arrives" get 8080
check "and is told" [ "$(until_ms 5000 has_event policy.shielded '"would":"drop"')" != -1 ]
check "and it says to enforce it" todo enforce_shield

at hos python3 - "$dir/enforced" >"$dir/cut" 2>/dev/null <<'P' &
import os, socket, sys, time
s = socket.create_connection(("10.95.0.11", 8080), 3)
s.settimeout(8)
print("open", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
try:
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    print("answered" if b"settings" in s.recv(4096) + s.recv(4096) else "ended")
except OSError:
    print("ended")
P
talk=$!
check "a conversation is open" [ "$(until_ms 10000 grep -q open "$dir/cut")" != -1 ]
update shield A-1 --enforce >"$dir/said"
check "enforced" grep -q blocks "$dir/said"
touch "$dir/enforced"
[ "$(until_ms 5000 fails get 8080)" != -1 ] && ok "the attack does not arrive" || not "the attack does not arrive"
check "what else the device does it still does" get 8081
check "it is told who stopped it" has_event policy.shielded '"action":"drop"'
wait "$talk"
check "a conversation that was open does not go on" grep -q ended "$dir/cut"
check "the device counts as shielded" todo shielded

check "living with it for a while" update accept pump-1 A-1 --reason "until spring" --until "$(date -d '+30 days' +%F)" --socket "$dir/run/control"
check "is said beside the match" todo accepted
check "not for ever" fails update accept pump-1 A-1 --reason x --until 2099-01-01 --socket "$dir/run/control"
check "and is in the audit trail" sh -c "'$bw' audit ls --what advisory.accept -c '$dir/bw.yaml' --json | grep -q 'advisory:A-1'"
# --- the same by the API, found by a process of its own
cat >"$dir/call.py" <<'P'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(25)
s.connect(sys.argv[1])
s.sendall(json.dumps({"call": "advisory.matches", "args": json.loads(sys.argv[2])}).encode() + b"\n")
print(s.makefile().readline().strip())
P
matches() { python3 "$dir/call.py" "$dir/run/control" "$1"; }
cp "$dir/csaf/a-1.json" "$dir/state/advisories/a-1.json" 2>/dev/null || { mkdir -p "$dir/state/advisories" && cp "$dir/csaf/a-1.json" "$dir/state/advisories/"; }
echo '{"document": 1}' >"$dir/state/advisories/broken.json"
sed 's/A-1/A-2/; s/8080/8081/' "$dir/csaf/a-1.json" >"$dir/state/advisories/a-2.json"
cat >"$dir/same.py" <<'P'
import json, subprocess, sys
bw, folder = sys.argv[1:]
ask = lambda **a: json.loads(subprocess.run([sys.executable, folder + "/call.py", folder + "/run/control", json.dumps(a)],
                                            capture_output=True, text=True, check=True).stdout)
said = ask(all=True)
cli = json.loads(subprocess.run([bw, "update", "advisories", "-c", folder + "/bw.yaml", "--json", "--all"],
                                capture_output=True, text=True, check=True).stdout)
assert said["matches"] == cli["matches"] and len(said["matches"]) == 2, (said, cli)
assert said["advisories"] == 2 and said["devices"] == 1 and "next" not in said, said
assert len(said["refused"]) == 1 and "broken" in said["refused"][0]["file"], said["refused"]
open_ = ask()["matches"]  # A-1 is lived with
assert [m["advisory"] for m in open_] == ["A-2"] and open_[0]["do"] == "shield", open_
first = ask(all=True, limit=1)
second = ask(all=True, limit=1, cursor=first["next"])
assert first["matches"] + second["matches"] == said["matches"] and "next" not in second, (first, second)
assert ask(advisory="A-1")["matches"][0]["do"] == "accepted" and ask(device="other")["matches"] == []
for wrong in {"cursor": "x"}, {"limit": 0}, {"cursor": "-1"}:
    assert "call.argument" in ask(**wrong)["error"], wrong
P
check "by the API the same matches are told, in pages" python3 "$dir/same.py" "$bw" "$dir"
[ "$(pgrep -fc "_surveyor -c $dir/bw.yaml")" = 0 ]
check "and who found them is gone" [ $? = 0 ]
rm -r "$dir/state/advisories"

check "and can be taken back" update withdraw pump-1 A-1 --socket "$dir/run/control"
check "the trail is whole" timeout 20 "$bw" audit verify -c "$dir/bw.yaml"

report hipaa --json >"$dir/hipaa.json"
cat >"$dir/look.py" <<'P'
import json, subprocess, sys
bw, folder = sys.argv[1:]
r = json.load(open(folder + "/hipaa.json"))
rows = {i["section"] + "/p" * i["proposed"]: i for p in r["parts"] for i in p["requirements"]}
said = lambda s: " ".join(e["text"] for e in rows[s]["evidence"])
assert "virtual patches that block: 1" in said("164.308(a)(1)(ii)(B)"), said("164.308(a)(1)(ii)(B)")
assert "trail is whole" in said("164.312(b)"), said("164.312(b)")
assert rows["164.312(b)(2)/p"]["proposed"] and not rows["164.312(b)"]["proposed"]
assert rows["164.308(a)(2)"]["state"] == "organisation"
count, traced = 0, []
for row in rows.values():
    assert row["state"] in ("met", "partly", "not_met", "not_measured", "organisation")
    assert row["evidence"] or row["missing"] or row["state"] in ("organisation", "not_measured"), row
    for m in row["missing"]:
        assert m.get("trace") or not any(c.isdigit() for c in m["text"]), m
    for e in row["evidence"] + [m for m in row["missing"] if "trace" in m]:
        words = e["trace"].replace("FILE", folder + "/bw.yaml").split()
        assert words[0] == "bedwarden", e
        where = ["-c", folder + "/bw.yaml"] if words[1] != "policy" else []
        run = [bw] + words[1:] + where
        if run not in traced:
            done = subprocess.run(run, capture_output=True, timeout=30)
            assert done.returncode == 0 and done.stdout, (run, done)
            traced.append(run)
        count += 1
assert count > 40, count
P
check "the report says what is enforced, and every figure can be traced" python3 "$dir/look.py" "$bw" "$dir"
report csf -o "$dir/csf.html"
check "the page is whole" grep -q "</html>" "$dir/csf.html"
check "for nobody else to read" [ "$(stat -c %a "$dir/csf.html")" = 600 ]
[ -z "${KEEP_REPORT:-}" ] || { mkdir -p "$KEEP_REPORT"; report hipaa -o "$KEEP_REPORT/hipaa.html"; cp "$dir/csf.html" "$dir/hipaa.json" "$KEEP_REPORT"; }

update shield A-1 --remove >"$dir/said"
check "the shield goes" grep -q gone "$dir/said"
[ "$(until_ms 5000 get 8080)" != -1 ] && ok "and with it what it stopped" || not "and with it what it stopped"
[ $failed = 0 ] || { tail -5 "$dir/log"; cat "$dir/said"; python3 "$dir/look.py" "$bw" "$dir"; }
exit $failed
