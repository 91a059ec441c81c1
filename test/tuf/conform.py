#!/usr/bin/python3
"""The workflow of a TUF client, 5.1 to 5.7 of the specification, against a repository of our own
making. usage: conform.py BEDWARDEN [CASE]..."""
import copy
import datetime
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import *  # noqa

cases = []


def case(f):
    def run():
        clients = []

        def client(*args, **kw):
            clients.append(Client(*args, **kw))
            return clients[-1]
        try:
            f(client)
        finally:
            for c in clients:
                c.close()
    run.__name__, run.__doc__ = f.__name__, f.__doc__
    cases.append(run)
    return run


def asked(c):
    """Metadata that were asked for, as (role, version)."""
    out = []
    for path in c.repo.requests:
        if path.startswith("metadata/"):
            version, _, rest = path[9:-5].partition(".")
            out.append((rest, int(version)) if version.isdigit() and rest else (path[9:-5], None))
    return out


# --- the basics


@case
def basic(client):
    """a refresh asks for root, timestamp, snapshot and targets, in this order"""
    c = client()
    assert c.refresh() == 0, c.said
    assert asked(c) == [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)], asked(c)
    assert c.trusted() == {r: 1 for r in TOP}


@case
def implicit(client):
    """a download refreshes first"""
    c = client()
    assert c.download("nothing there") == 1
    assert asked(c) == [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)]
    assert c.trusted() == {r: 1 for r in TOP}


@case
def bad_initial_root(client):
    """a first root without a version, or with another's signature, is not trusted and nothing is asked"""
    repo = Repo()
    for spoil in ("version", "signature"):
        root = json.loads(repo.files["metadata/1.root.json"])
        if spoil == "version":
            del root["signed"]["version"]
        else:
            root["signatures"][0]["sig"] = "30" + "45" * 70
        c = client(repo=repo, root=json.dumps(root).encode(), init=False)
        assert c.init() == 1
        with open(os.path.join(c.dir, "root.json"), "wb") as f:
            f.write(c.root)
        assert c.refresh() == 1 and not repo.requests


@case
def unsigned(client):
    """a role without a signature stops the refresh where it stands"""
    for role, left in (("root", {"root"}), ("timestamp", {"root"}), ("snapshot", {"root", "timestamp"}),
                       ("targets", {"root", "timestamp", "snapshot"})):
        c = client()
        c.repo.signers[role] = []
        c.repo.publish(*(["root"] if role == "root" else ["targets", "snapshot", "timestamp"]))
        assert c.refresh() == 1
        assert set(c.trusted()) == left, (role, c.trusted())


@case
def bytes_match(client):
    """metadata are kept byte for byte"""
    c = client()
    data = c.repo.files["metadata/timestamp.json"] + b" \n "
    c.repo.files["metadata/timestamp.json"] = data
    assert c.refresh() == 0, c.said
    assert c.raw("timestamp") == data


@case
def unknown_fields(client):
    """unknown fields are kept and signed for; unknown kinds of keys and hashes are no error"""
    c = client()
    root = c.repo.root
    root["custom"] = {"é": [1, -5, True, None, 'a "quoted" \\ text', "\u2028 \x7f", 1 << 62]}
    key = root["roles"]["root"]["keyids"][0]
    root["keys"][key]["extra"] = {"b": 2, "a": 1}
    root["keys"]["odd"] = {"keytype": "sphincs", "scheme": "sphincs", "keyval": {"public": "?"}}
    root["keys"]["odder"] = {"keytype": 5}
    root["keys"]["oddest"] = "what"
    root["roles"]["timestamp"]["keyids"] += ["odd", "odder", "oddest", "missing"]
    root["roles"]["snapshot"]["more"] = "x"
    root["roles"]["mirrors"] = {"keyids": [], "threshold": 1}
    c.repo.publish("root")
    assert c.refresh() == 0, c.said
    assert c.version("root") == 2


@case
def same_timestamp(client):
    """a timestamp of the same version changes nothing"""
    c = client()
    assert c.refresh() == 0
    c.repo.signed["timestamp"]["meta"]["snapshot.json"]["version"] = 100
    c.repo.publish("timestamp", bump=False)
    assert c.refresh() == 0, c.said
    assert asked(c)[-1] == ("timestamp", None)
    assert json.loads(c.raw("timestamp"))["signed"]["meta"]["snapshot.json"]["version"] == 1


@case
def unannounced(client):
    """a targets version that no snapshot announces is not fetched"""
    c = client()
    assert c.refresh() == 0
    c.repo.publish("targets")
    assert c.refresh() == 0 and c.version("targets") == 1
    assert asked(c)[-1] == ("timestamp", None)


@case
def meta_hashes(client):
    """hashes and lengths of metadata are held to, and short-cut nothing"""
    c = client()
    c.repo.hashes = True
    c.repo.publish_all()
    assert c.refresh() == 0, c.said
    c.repo.publish("targets")
    c.repo.signed["snapshot"]["meta"]["targets.json"]["hashes"]["sha256"] = "46" * 32
    c.repo.publish("snapshot", "timestamp")
    assert c.refresh() == 1
    assert c.version("snapshot") == 3 and c.version("targets") == 2


@case
def not_consistent(client):
    """a repository without consistent snapshots"""
    c = client(repo=Repo(consistent=False))
    c.repo.add_target("a/b.bin", b"content")
    c.repo.delegate("targets", "role/1", paths=["x/*"])
    c.repo.add_target("x/y", b"other", role="role/1")
    c.repo.publish("role/1")
    c.repo.publish_all()
    assert c.download("a/b.bin", "x/y") == 0, c.said
    assert "targets/a/b.bin" in c.repo.requests and "metadata/role%2F1.json" in c.repo.requests
    assert c.got() == [b"content", b"other"]


@case
def new_folders(client):
    """folders that are not there are made"""
    c = client(init=False)
    c.dir, c.into = c.dir + "/a/b/", c.into + "/c/d"
    c.repo.add_target("t", b"x")
    c.repo.publish_all()
    assert c.init() == 0, c.said
    assert c.download("t") == 0 and c.got() == [b"x"], c.said
    c.dir = ""
    assert c.refresh() == 1


# --- keys and signatures


@case
def key_kinds(client):
    """ed25519, ECDSA in both spellings, RSA-PSS and PKCS#1: taken when right, refused when not"""
    for scheme, keytype in (("ed25519", None), ("ecdsa-sha2-nistp256", None),
                            ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"), ("rsassa-pss-sha256", None),
                            ("rsa-pkcs1v15-sha256", None)):
        c = client()
        key = Key(scheme, keytype)
        c.repo.add_key("root", key)
        c.repo.signers["root"].append(key)
        c.repo.root["roles"]["root"]["threshold"] = 2
        c.repo.publish("root")
        assert c.refresh() == 0, (scheme, c.said)
        assert c.version("root") == 2
        c.repo.publish("root")
        root = json.loads(c.repo.files["metadata/3.root.json"])
        good = c.repo.files["metadata/2.root.json"]
        root["signatures"][1]["sig"] = json.loads(good)["signatures"][1]["sig"]
        c.repo.files["metadata/3.root.json"] = json.dumps(root).encode()
        assert c.refresh() == 1 and c.version("root") == 2, scheme


@case
def threshold(client):
    """below the threshold nothing is taken"""
    c = client()
    keys = [Key() for _ in range(3)]
    c.repo.rotate("snapshot", *keys)
    c.repo.root["roles"]["snapshot"]["threshold"] = 3
    c.repo.publish("root", "targets", "snapshot", "timestamp")
    assert c.refresh() == 0, c.said
    c.repo.signers["snapshot"].pop()
    c.repo.publish_all()
    assert c.refresh() == 1 and c.version("snapshot") == 2
    c.repo.root["roles"]["snapshot"]["threshold"] = 4
    c.repo.signers["snapshot"] = keys
    c.repo.publish("root", "snapshot", "timestamp")
    assert c.refresh() == 1 and c.version("root") == 3 and c.version("snapshot") != 4


@case
def duplicate_keyids(client):
    """a key id listed many times does not reach a threshold"""
    c = client()
    key = Key()
    for _ in range(9):
        c.repo.add_key("snapshot", key)
    c.repo.signers["snapshot"].append(key)
    c.repo.root["roles"]["snapshot"]["threshold"] = 6
    c.repo.publish("root", "snapshot", "timestamp")
    md = json.loads(c.repo.files["metadata/2.snapshot.json"])
    md["signatures"] += [md["signatures"][-1]] * 8
    c.repo.files["metadata/2.snapshot.json"] = json.dumps(md).encode()
    assert c.refresh() == 1 and c.version("snapshot") is None


@case
def duplicate_keys(client):
    """one key under two ids counts once"""
    c = client()
    key = c.repo.signers["timestamp"][0]
    twin = copy.copy(key)
    twin.id = "ab" * 32
    c.repo.add_key("timestamp", twin)
    c.repo.signers["timestamp"].append(twin)
    c.repo.root["roles"]["timestamp"]["threshold"] = 2
    c.repo.publish("root", "timestamp")
    assert c.refresh() == 1 and c.version("root") == 2 and c.version("timestamp") is None


@case
def duplicate_signatures(client):
    """two signatures under one key id are refused"""
    c = client()
    md = json.loads(c.repo.files["metadata/1.snapshot.json"])
    md["signatures"].append(md["signatures"][0])
    c.repo.files["metadata/1.snapshot.json"] = json.dumps(md).encode()
    assert c.refresh() == 1 and c.version("snapshot") is None


@case
def spare_signatures(client):
    """a wrong, empty or odd signature beside enough good ones is no error"""
    c = client()
    second = Key()
    c.repo.add_key("timestamp", second)
    c.repo.publish("root")
    for sig in ("00" * 64, "", "xyz", "0"):
        c.repo.publish("timestamp")
        md = json.loads(c.repo.files["metadata/timestamp.json"])
        md["signatures"].insert(0, {"keyid": second.id, "sig": sig})
        md["signatures"].append({"keyid": "stranger", "sig": sig})
        c.repo.files["metadata/timestamp.json"] = json.dumps(md).encode()
        assert c.refresh() == 0, (sig, c.said)


def rotation(keys, versions, good):
    """versions: (keys, threshold, signers) of each root."""
    def run(client):
        repo = Repo()
        pool = [Key() for _ in range(keys)]
        for path in [p for p in repo.files if p.endswith("root.json")]:
            del repo.files[path]
        repo.root["version"] = 0
        for who, threshold, signers in versions:
            repo.rotate("root", *[pool[i] for i in who])
            repo.root["roles"]["root"]["threshold"] = threshold
            repo.signers["root"] = [pool[i] for i in signers]
            repo.publish("root")
        c = client(repo=repo)
        assert c.refresh() == (0 if good else 1), c.said
        last = len(versions) if good else len(versions) - 1
        assert c.raw("root") == repo.files[f"metadata/{last}.root.json"]
    return run


for name, args in {
    "one key is replaced": (5, [([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])], True),
    "signatures of strangers do not matter": (5, [([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])], True),
    "any three of five sign": (5, [(range(5), 3, [0, 2, 4]), (range(5), 3, [0, 4, 1]), (range(5), 3, [0, 1, 3])], True),
    "all five are replaced, with a step between": (10, [(range(5), 3, [0, 2, 4]), (range(5, 10), 3, [0, 2, 4, 5, 6, 7]),
                                                       (range(5, 10), 3, [5, 6, 7])], True),
    "the threshold rises": (4, [([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [1, 2])], True),
    "the threshold falls": (4, [([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])], True),
    "not signed with the old key": (5, [([1], 1, [1]), ([2], 1, [2, 3, 4])], False),
    "not signed with the new key": (5, [([1], 1, [1]), ([2], 1, [1, 3, 4])], False),
    "too few of the new keys": (6, [(range(5), 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4])], False),
    "too few of the old keys": (6, [(range(5), 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 5])], False),
    "the new threshold is not reached": (4, [([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [2])], False),
    "the old threshold is not reached": (4, [([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1])], False),
}.items():
    f = rotation(*args)
    f.__name__, f.__doc__ = "rotation", "root rotation: " + name
    case(f)


@case
def root_versions(client):
    """a root that skips or repeats a version is refused; intermediate roots may have expired"""
    c = client()
    c.repo.publish("root")
    c.repo.files["metadata/3.root.json"] = c.repo.files["metadata/2.root.json"]
    assert c.refresh() == 1 and c.version("root") == 2
    c = client()
    c.repo.root["expires"] = when(-5)
    c.repo.publish("root")
    assert c.refresh() == 1 and c.version("root") == 2 and "expired" in c.said
    c.repo.root["expires"] = when(5)
    c.repo.publish("root")
    assert c.refresh() == 0 and c.version("root") == 3, c.said


@case
def many_roots(client):
    """hundreds of root rotations are caught up with"""
    c = client()
    for _ in range(280):
        c.repo.publish("root")
    assert c.refresh() == 0, c.said
    assert c.version("root") == 257
    assert c.refresh() == 0 and c.version("root") == 281


# --- expiry


@case
def expiry(client):
    """an expired role is refused, and what was there stays"""
    for role, expected in (("timestamp", (1, 1, 1)), ("snapshot", (2, 1, 1)), ("targets", (2, 2, 1))):
        c = client()
        assert c.refresh() == 0
        c.repo.signed[role]["expires"] = when(-1)
        c.repo.publish_all()
        assert c.refresh() == 1 and "expired" in c.said
        assert tuple(c.version(r) for r in ("timestamp", "snapshot", "targets")) == expected


@case
def expired_local(client):
    """what has expired in the folder still guards against rollback, and is replaced"""
    c = client()
    c.repo.signed["timestamp"]["expires"] = when(7)
    c.repo.publish("timestamp")
    assert c.refresh() == 0
    c.repo.signed["timestamp"]["expires"] = when(21)
    c.repo.publish_all()
    assert c.refresh(ahead=18) == 0, c.said
    assert (c.version("timestamp"), c.version("snapshot"), c.version("targets")) == (3, 2, 2)
    c = client()
    c.repo.signed["timestamp"]["expires"] = when(7)
    c.repo.publish("timestamp")
    assert c.refresh() == 0
    assert c.refresh(ahead=18) == 1 and "expired" in c.said


@case
def expired_delegation(client):
    """an expired delegated role is neither taken nor used from the folder"""
    c = client()
    c.repo.delegate("targets", "d", paths=["d/*"])
    c.repo.add_target("d/1", b"one", role="d")
    c.repo.add_target("d/2", b"two", role="d")
    c.repo.signed["d"]["expires"] = when(-1)
    c.repo.publish("d", "targets", "snapshot", "timestamp")
    assert c.refresh() == 0
    assert c.download("d/1") == 1 and c.got() == [] and "d" not in c.trusted()
    c.repo.signed["d"]["expires"] = when(7)
    c.repo.publish("d", "snapshot", "timestamp")
    assert c.download("d/1") == 0, c.said
    assert c.download("d/2", ahead=18) == 1 and c.got() == [b"one"]
    c.repo.signed["d"]["expires"] = when(21)
    c.repo.publish("d", "snapshot", "timestamp")
    assert c.download("d/2", ahead=18) == 0, c.said
    assert c.got() == [b"one", b"two"]


# --- rollback and recovery


@case
def timestamp_rollback(client):
    """an older timestamp is refused"""
    c = client()
    old = c.repo.files["metadata/timestamp.json"]
    c.repo.publish("timestamp")
    assert c.refresh() == 0
    c.repo.files["metadata/timestamp.json"] = old
    assert c.refresh() == 1 and c.version("timestamp") == 2 and asked(c)[-1] == ("timestamp", None)


@case
def snapshot_rollback(client):
    """an older snapshot is refused with the timestamp that announces it"""
    for with_hashes in (False, True):
        c = client()
        c.repo.hashes = with_hashes
        c.repo.publish("snapshot", "timestamp")
        assert c.refresh() == 0
        c.repo.signed["snapshot"]["version"] = 0
        c.repo.publish("snapshot", "timestamp")
        assert c.refresh() == 1
        assert c.version("timestamp") == 2 and c.version("snapshot") == 2
        assert asked(c)[-1] == ("timestamp", None)


@case
def targets_rollback(client):
    """a snapshot that lists an older targets role, or lists one no more, is refused"""
    for with_hashes in (False, True):
        c = client()
        c.repo.hashes = with_hashes
        c.repo.publish_all()
        assert c.refresh() == 0
        c.repo.signed["targets"]["version"] = 0
        c.repo.publish_all()
        assert c.refresh() == 1 and c.version("snapshot") == 2 and c.version("targets") == 2
    c = client()
    c.repo.delegate("targets", "d", paths=["d/*"])
    c.repo.publish("d", "targets", "snapshot", "timestamp")
    assert c.refresh() == 0
    del c.repo.signed["snapshot"]["meta"]["d.json"]
    c.repo.publish("snapshot", "timestamp")
    assert c.refresh() == 1 and c.version("snapshot") == 2


@case
def fast_forward(client):
    """after a fast-forward, new keys for timestamp or snapshot bring the versions back"""
    for role in ("timestamp", "snapshot", "targets"):
        c = client()
        c.repo.delegate("targets", "d", paths=["d/*"])
        c.repo.publish("d")
        c.repo.signed[role]["version"] = 99999
        c.repo.publish(*{"timestamp": ["timestamp"], "snapshot": ["snapshot", "timestamp"],
                         "targets": ["targets", "snapshot", "timestamp"]}[role])
        assert c.refresh() == 0 and c.version(role) == 100000, c.said
        c.repo.signed[role]["version"] = 0
        if role == "targets":
            del c.repo.signed["snapshot"]["meta"]["d.json"]
        c.repo.publish_all() if role != "timestamp" else c.repo.publish("timestamp")
        assert c.refresh() == 1
        c.repo.rotate("snapshot" if role == "targets" else role)
        if role == "snapshot":
            c.repo.rotate("timestamp")
        c.repo.signed[role]["version"] = 0
        c.repo.publish("root")
        c.repo.publish_all()
        assert c.refresh() == 0, (role, c.said)
        assert c.version(role) == 1


@case
def fast_forward_one_key(client):
    """rotating the snapshot key alone recovers from a fast-forwarded snapshot"""
    c = client()
    c.repo.signed["snapshot"]["version"] = 500
    c.repo.publish("snapshot", "timestamp")
    assert c.refresh() == 0 and c.version("snapshot") == 501
    c.repo.rotate("snapshot")
    c.repo.signed["snapshot"]["version"] = 1
    c.repo.publish("root", "snapshot", "timestamp")
    assert c.refresh() == 0, c.said
    assert c.version("snapshot") == 2


@case
def added_key(client):
    """a key that is added is no rotation: rollback protection stays"""
    c = client()
    old = c.repo.files["metadata/timestamp.json"]
    c.repo.publish("timestamp")
    assert c.refresh() == 0
    c.repo.add_key("timestamp", Key())
    c.repo.publish("root")
    c.repo.files["metadata/timestamp.json"] = old
    assert c.refresh() == 1 and c.version("timestamp") == 2


@case
def mix_and_match(client):
    """a snapshot or targets file of another version than announced is refused"""
    c = client()
    first = c.repo.files["metadata/1.targets.json"]
    c.repo.publish_all()
    c.repo.files["metadata/2.targets.json"] = first
    assert c.refresh() == 1 and c.version("targets") is None and c.version("snapshot") == 2
    c = client()
    first = c.repo.files["metadata/1.snapshot.json"]
    c.repo.publish_all()
    c.repo.files["metadata/2.snapshot.json"] = first
    assert c.refresh() == 1 and c.version("snapshot") is None and c.version("timestamp") == 2


# --- delegations

GRAPHS = {
    "one": ([("targets", "A")], ["A"]),
    "two beside each other": ([("targets", "A"), ("targets", "B")], ["A", "B"]),
    "two levels": ([("targets", "A"), ("targets", "B"), ("B", "C")], ["A", "B", "C"]),
    "depth first": ([("targets", "A"), ("targets", "B"), ("A", "C"), ("A", "D")], ["A", "C", "D", "B"]),
    "three levels": ([("targets", "A"), ("targets", "B"), ("A", "C"), ("C", "D")], ["A", "C", "D", "B"]),
    "terminating": ([("targets", "A"), ("targets", "B"), ("A", "C", True), ("A", "D")], ["A", "C"]),
    "terminating, its own go on": ([("targets", "A"), ("targets", "B"), ("A", "C", True), ("C", "D")], ["A", "C", "D"]),
    "paths do not fit": ([("targets", "A", False, ["*.py"]), ("targets", "B"), ("A", "C")], ["B"]),
    "paths do not fit below": ([("targets", "A"), ("targets", "B"), ("A", "C", False, ["*.py"]), ("C", "D")], ["A", "B"]),
    "a circle": ([("targets", "A"), ("targets", "B"), ("B", "C"), ("C", "D"), ("D", "B")], ["A", "B", "C", "D"]),
    "two lead to one": ([("targets", "A"), ("targets", "B"), ("B", "C"), ("A", "C")], ["A", "C", "B"]),
    "two lead to one, by other paths": ([("targets", "A"), ("targets", "B"), ("B", "C"), ("A", "C", False, ["*.py"])],
                                        ["A", "B", "C"]),
}


@case
def graphs(client):
    """delegations are searched in pre-order, depth first, each role once"""
    for name, (edges, order) in GRAPHS.items():
        c = client()
        for by, to, *rest in edges:
            c.repo.delegate(by, to, rest[0] if rest else False, paths=rest[1] if len(rest) > 1 else ["*"])
        c.repo.publish(*{e[1] for e in edges}, "targets", "snapshot", "timestamp")
        assert c.download("missing") == 1
        assert asked(c)[4:] == [(r, 1) for r in order], (name, asked(c))


@case
def tree(client):
    """a target is found through the roles that its path is entrusted to, and only there"""
    files = {"targetfile": "targets", "README.md": "A", "releases/x/x_v1": "C", "releases/y/y_v1.zip": "D",
             "releases/z/z_v1.zip": "D"}
    for path, order, found in (("targetfile", [], True), ("README.md", ["A"], True),
                               ("releases/x/x_v1", ["B", "C"], True), ("releases/y/y_v1.zip", ["B", "D"], True),
                               ("releases/z/z_v1.zip", ["B"], False)):
        c = client()
        for by, to, paths in (("targets", "A", ["*.doc", "*.md"]), ("targets", "B", ["releases/*/*"]),
                              ("B", "C", ["releases/x/*"]), ("B", "D", ["releases/y/*.zip"])):
            c.repo.delegate(by, to, paths=paths)
        for p, role in files.items():
            c.repo.add_target(p, p.encode(), role=role)
        c.repo.publish("A", "B", "C", "D", "targets", "snapshot", "timestamp")
        assert c.download(path) == (0 if found else 1), c.said
        assert asked(c)[4:] == [(r, 1) for r in order], (path, asked(c))
        assert c.got() == ([path.encode()] if found else [])


@case
def hash_prefixes(client):
    """delegation by the hash of a path"""
    c = client()
    mine = hashlib.sha256(b"pump/fw.bin").hexdigest()
    c.repo.delegate("targets", "no", path_hash_prefixes=["%x" % (15 - int(mine[0], 16))])
    c.repo.delegate("targets", "yes", path_hash_prefixes=["zz", mine[:3]])
    c.repo.add_target("pump/fw.bin", b"fw", role="yes")
    c.repo.publish("no", "yes", "targets", "snapshot", "timestamp")
    assert c.download("pump/fw.bin") == 0, c.said
    assert asked(c)[4:] == [("yes", 1)]


@case
def bins(client):
    """succinct hash bins: only the bin of the target is fetched"""
    for bits, count in ((1, 2), (5, 32), (8, 256), (12, 4096)):
        c = client()
        key = Key()
        c.repo.signed["targets"]["delegations"] = {
            "keys": {key.id: key.public},
            "succinct_roles": {"keyids": [key.id], "threshold": 1, "bit_length": bits, "name_prefix": "bin"}}
        digits = len("%x" % (count - 1))
        names = ["bin-%0*x" % (digits, i) for i in range(count)]
        path = "some/target %d.bin" % bits
        number = int(hashlib.sha256(path.encode()).hexdigest()[:8], 16) >> (32 - bits)
        for name in names:
            c.repo.signed["snapshot"]["meta"][name + ".json"] = {"version": 1}
        c.repo.signed[names[number]] = c.repo.empty()
        c.repo.signers[names[number]] = [key]
        c.repo.add_target(path, b"in a bin", role=names[number])
        c.repo.publish(names[number], "targets", "snapshot", "timestamp")
        assert c.download(path) == 0, c.said
        assert asked(c)[4:] == [(names[number], 1)], (bits, asked(c))


@case
def role_names(client):
    """strange names of roles are escaped on the way and stay inside the folder"""
    for name in ("?", "#", "/delegatedrole", "../delegatedrole", "..", ".", "a b", "%2e%2e/x", "\u00e9/\u2603", "x" * 300):
        c = client()
        c.repo.delegate("targets", name)
        c.repo.publish(name, "targets", "snapshot", "timestamp")
        assert c.download("nothing") == 1
        assert "metadata/1." + quote(name, "") + ".json" in c.repo.requests, (name, c.repo.requests, c.said)
        assert len([n for n in os.listdir(c.dir) if n.endswith(".json")]) == 5
        assert sorted(os.listdir(c.temp.name)) == ["initial.json", "metadata", "targets"]


@case
def reserved_names(client):
    """a delegated role cannot take the name, and the file, of a top-level one"""
    for name in TOP:
        c = client()
        c.repo.signed["targets"]["delegations"] = {"keys": {}, "roles": [
            {"name": name, "keyids": [], "threshold": 1, "terminating": False, "paths": ["*"]}]}
        c.repo.publish_all()
        assert c.download("nothing") == 1
        assert json.loads(c.raw("root"))["signed"]["_type"] == "root"
        assert c.version("targets") is None


@case
def diamond(client):
    """a role in the folder is verified against who delegates to it now, not who once did"""
    c = client()
    c.repo.delegate("targets", "A", paths=["a"])
    c.repo.delegate("targets", "B", paths=["b"])
    key = c.repo.delegate("A", "C", paths=["*"])
    c.repo.delegate("B", "C", paths=["*"])
    c.repo.signers["C"] = [key]  # A's alone
    c.repo.add_target("a", b"by a", role="C")
    c.repo.add_target("b", b"by b", role="C")
    c.repo.publish("A", "B", "C", "targets", "snapshot", "timestamp")
    assert c.download("a", "b") == 1
    assert c.got() == [b"by a"], c.got()
    assert c.download("b") == 1 and c.download("a") == 0
    both = client(repo=c.repo)
    data = canonical(c.repo.signed["C"]).encode()
    other = Key()
    d = c.repo.signed["B"]["delegations"]
    d["keys"][other.id] = other.public
    d["roles"][0]["keyids"] = [other.id]
    c.repo.signers["C"] = [key, other]
    c.repo.publish("C", "B", "snapshot", "timestamp")
    assert both.download("a", "b") == 0, both.said


@case
def changed_delegator(client):
    """a delegation whose key is replaced makes the old role worthless"""
    c = client()
    old = c.repo.delegate("targets", "d", paths=["*"])
    c.repo.add_target("x", b"x", role="d")
    c.repo.publish("d", "targets", "snapshot", "timestamp")
    assert c.download("x") == 0
    new = Key()
    d = c.repo.signed["targets"]["delegations"]
    d["keys"] = {new.id: new.public}
    d["roles"][0]["keyids"] = [new.id]
    c.repo.publish_all()
    assert c.download("x") == 1
    c.repo.signers["d"] = [new]
    c.repo.publish("d", "snapshot", "timestamp")
    assert c.download("x") == 0, c.said


@case
def crowded(client):
    """a thousand delegations: only what is needed is fetched; a chain without end ends"""
    c = client()
    key = Key()
    for i in range(1000):
        c.repo.delegate("targets", "maker%d" % i, key=key, paths=["maker%d/*" % i])
        c.repo.signed["snapshot"]["meta"]["maker%d.json" % i] = {"version": 1}
    c.repo.signers["maker777"] = [key]
    c.repo.add_target("maker777/fw", b"fw", role="maker777")
    c.repo.publish("maker777", "targets", "snapshot", "timestamp")
    before = time.monotonic()
    assert c.download("maker777/fw") == 0, c.said
    assert time.monotonic() - before < 10
    assert asked(c)[4:] == [("maker777", 1)]
    c = client()
    by = "targets"
    for i in range(200):
        c.repo.delegate(by, "r%d" % i)
        by = "r%d" % i
    c.repo.publish(*["r%d" % i for i in range(200)], "targets", "snapshot", "timestamp")
    assert c.download("nothing") == 1 and 20 < len(asked(c)) < 150


# --- targets


@case
def targets(client):
    """targets come, replaced ones too, and not again while they fit"""
    c = client()
    c.repo.add_target("path/to/a/file.txt", b"one")
    c.repo.add_target("empty", b"")
    c.repo.publish_all()
    assert c.refresh() == 0 and c.got() == []
    assert c.download("path/to/a/file.txt") == 0, c.said
    assert c.got() == [b"one"]
    assert c.download("path/to/a/file.txt") == 0
    assert not [r for r in c.repo.requests if r.startswith("targets/")]
    c.repo.add_target("path/to/a/file.txt", b"second")
    c.repo.publish_all()
    assert c.download("path/to/a/file.txt") == 0 and c.got() == [b"second"]
    assert c.download("empty") == 0 and sorted(c.got()) == [b"", b"second"], c.said
    name = os.path.join(c.into, quote("path/to/a/file.txt", ""))
    with open(name, "wb") as f:
        f.write(b"sec0nd")
    assert c.download("path/to/a/file.txt") == 0 and b"second" in c.got()


@case
def target_hashes(client):
    """SHA-256, SHA-512 or both; a target with unknown hashes alone is not taken"""
    for algorithms in (["sha256"], ["sha512"], ["sha256", "sha512"]):
        c = client()
        c.repo.add_target("t", b"content", algorithms=algorithms)
        c.repo.publish_all()
        assert c.download("t") == 0 and c.got() == [b"content"], c.said
        assert len([r for r in c.repo.requests if r.startswith("targets/")]) == 1
        c.repo.signed["targets"]["targets"]["t"]["hashes"][algorithms[-1]] = "00" * hashlib.new(algorithms[-1]).digest_size
        c.repo.publish_all()
        os.unlink(os.path.join(c.into, "t"))
        assert c.download("t") == 1 and c.got() == []
    c = client()
    c.repo.add_target("t", b"content")
    c.repo.signed["targets"]["targets"]["t"]["hashes"] = {"crc": "00"}
    c.repo.publish_all()
    assert c.download("t") == 1 and c.got() == []


@case
def substituted(client):
    """other bytes than the signed ones are thrown away, and what was there stays"""
    c = client()
    c.repo.add_target("a", b"one")
    c.repo.add_target("b", b"two")
    c.repo.publish_all()
    assert c.download("a") == 0
    for path in list(c.repo.files):
        if path.startswith("targets/"):
            c.repo.files[path] = b"bad"
    assert c.download("a") == 0 and c.got() == [b"one"]
    assert c.download("b") == 1 and c.got() == [b"one"]
    c.repo.add_target("a", b"new")
    c.repo.publish_all()
    for path in list(c.repo.files):
        if path.startswith("targets/"):
            c.repo.files[path] = b"newer"
    assert c.download("a") == 1 and c.got() == [b"one"]


if __name__ == "__main__":
    Client.binary = os.path.abspath(sys.argv[1])
    sys.exit(run_cases(cases, sys.argv[2:]))
