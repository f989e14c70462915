"""dockerd is the oracle: whether it will start with these flags and this daemon.json, and because of
which key not, harden says as `dockerd --validate` does."""

from __future__ import annotations

import json
import random
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hosts import REPO, Host

COUNT = 600
SEED = 20261125

# Option: the ways to give it as a flag, and values in daemon.json under its key. Right and wrong ones.
OPTIONS: dict[str, tuple[list[list[str]], dict[str, list[Any]]]] = {
    "debug": ([["-D"], ["--debug"], ["--debug=false"], ["--debug", "false"]],
              {"debug": [True, False, "yes", None, 1]}),
    "log-level": ([["-l", "debug"], ["-lwarn"], ["--log-level=loud"], ["--log-level"]],
                  {"log-level": ["info", "error", "loud", 3, ""]}),
    "icc": ([["--icc=false"], ["--icc"], ["--icc=no"]], {"icc": [True, False, "false", None]}),
    "hosts": ([["-H", "fd://"], ["-H=unix:///x.sock"], ["--host", "tcp://127.0.0.1:2375"], ["-Hnonsense://x"]],
              {"hosts": [["unix:///x.sock"], [], "unix:///x.sock", ["nonsense://x"]]}),
    "labels": ([["--label", "a=b"], ["--label=a=b", "--label=c=d"], ["--label=novalue"],
                ["--label=com.docker.x=y"]],
               {"labels": [["x=y"], ["novalue"], "x=y", [], ["x=y", "x=z"]], "label": [["x=y"], {"x": "y"}]}),
    "mtu": ([["--mtu", "1400"], ["--mtu=x"], ["--mtu=-1"]], {"mtu": [1400, "1400", 1.5, -1, 0]}),
    "dns": ([["--dns", "1.1.1.1"], ["--dns=x"]], {"dns": [["1.1.1.1"], ["x"], "1.1.1.1"]}),
    "dns-search": ([["--dns-search", "example.org"], ["--dns-search=."]],
                   {"dns-search": [["example.org"], ["bad domain"], ["."], ["a-.b"], ["1.2"], ["x."]]}),
    "dns-opts": ([["--dns-opt", "timeout:1"]], {"dns-opts": [["timeout:1"]], "dns-opt": [["timeout:1"]]}),
    "data-root": ([["--data-root", "/x"]], {"data-root": ["/x", 1, ["x"]]}),
    "graph": ([["-g", "/x"], ["--graph=/x"]], {"graph": ["/x"]}),
    "storage-opts": ([["--storage-opt", "a=b"]], {"storage-opts": [["a=b"], {"a": "b"}]}),
    "exec-opts": ([["--exec-opt", "native.cgroupdriver=systemd"]],
                  {"exec-opts": [["native.cgroupdriver=systemd"], ["other=x"], "x"]}),
    "insecure-registries": ([["--insecure-registry", "10.0.0.0/8"]],
                            {"insecure-registries": [["r.example:5000"], []], "insecure-registry": [["r"]]}),
    "registry-mirrors": ([["--registry-mirror", "https://m.example"], ["--registry-mirror=ftp://x"]],
                         {"registry-mirrors": [["https://m.example"], ["not a url"], "https://m.example"]}),
    "log-opts": ([["--log-opt", "max-size=1m"], ["--log-opt", "novalue"]],
                 {"log-opts": [{"max-size": "1m"}, {"max-file": 3}, {}, []], "log-opt": [{"max-size": "1m"}]}),
    "log-driver": ([["--log-driver=journald"]], {"log-driver": ["journald", 5]}),
    "default-ulimits": ([["--default-ulimit", "nofile=1:2"], ["--default-ulimit=nofile"], ["--default-ulimit=x=1"]],
                        {"default-ulimits": [{"nofile": {"Name": "nofile", "Hard": 2, "Soft": 1}}, {"nofile": 5}, []],
                         "default-ulimit": [True]}),
    "max-concurrent-downloads": ([["--max-concurrent-downloads", "3"], ["--max-concurrent-downloads=-1"]],
                                 {"max-concurrent-downloads": [3, -1, 0, "3"]}),
    "max-download-attempts": ([["--max-download-attempts", "5"]], {"max-download-attempts": [5, -1]}),
    "shutdown-timeout": ([["--shutdown-timeout", "10"]], {"shutdown-timeout": [10, "10"]}),
    "live-restore": ([["--live-restore"]], {"live-restore": [True, False, "true"]}),
    "userland-proxy": ([["--userland-proxy=false"]], {"userland-proxy": [False, True, 0]}),
    "no-new-privileges": ([["--no-new-privileges"]], {"no-new-privileges": [True, "x"]}),
    "experimental": ([["--experimental"]], {"experimental": [True]}),
    "bip": ([["--bip", "10.9.0.1/24"]], {"bip": ["10.9.0.1/24", 1]}),
    "fixed-cidr-v6": ([["--fixed-cidr-v6", "2001:db8::/64"], ["--fixed-cidr-v6=x"]],
                      {"fixed-cidr-v6": ["2001:db8::/64", "x"]}),
    "ip": ([["--ip", "127.0.0.1"], ["--ip=x"]], {"ip": ["127.0.0.1", "x", ""]}),
    "default-gateway": ([["--default-gateway", "10.0.0.1"]], {"default-gateway": ["10.0.0.1", "x"]}),
    "default-ipc-mode": ([["--default-ipc-mode", "private"], ["--default-ipc-mode=x"]],
                         {"default-ipc-mode": ["shareable", "x"]}),
    "default-cgroupns-mode": ([["--default-cgroupns-mode", "host"]], {"default-cgroupns-mode": ["private", "x"]}),
    "default-shm-size": ([["--default-shm-size", "64M"], ["--default-shm-size=x"]],
                         {"default-shm-size": ["64M", "x", 64]}),
    "default-address-pools": ([["--default-address-pool", "base=10.0.0.0/8,size=24"], ["--default-address-pool", "x"]],
                              {"default-address-pools": [[{"base": "10.0.0.0/8", "size": 24}], {}]}),
    "runtimes": ([["--add-runtime", "a=/bin/true"], ["--add-runtime", "a"]],
                 {"runtimes": [{"b": {"path": "/bin/true"}}, []], "add-runtime": [["x"]]}),
    "features": ([["--feature", "buildkit=true"]], {"features": [{"buildkit": True}, {"buildkit": "x"}]}),
    "builder": ([], {"builder": [{"gc": {"enabled": True}}, []]}),
    "proxies": ([["--http-proxy", "http://p:3128"]],
                {"proxies": [{"http-proxy": "http://p:3128"}, {"http-proxy": 5}, {"other": 1}],
                 "http-proxy": ["http://p"]}),
    "pidfile": ([["-p", "/x.pid"]], {"pidfile": ["/x.pid"]}),
    "group": ([["-G", "root"]], {"group": ["root", 0]}),
    "seccomp-profile": ([["--seccomp-profile", "unconfined"]], {"seccomp-profile": ["unconfined"]}),
    "node-generic-resources": ([["--node-generic-resource", "gpu=1"], ["--node-generic-resource", "bad"]],
                               {"node-generic-resources": [["gpu=1"], ["bad"], "gpu=1", ["a=b", "a=c"], ["a=b", "a=1"]]}),
    "host-gateway-ips": ([["--host-gateway-ip", "10.0.0.1"]],
                         {"host-gateway-ips": [["10.0.0.1"], "10.0.0.1"], "host-gateway-ip": ["10.0.0.1", "x"]}),
    "tls": ([["--tls=false"], ["--tlsverify=false"]], {"tlsverify": [False, True], "tls": [False]}),
    "network-diagnostic-port": ([["--network-diagnostic-port", "9999"]], {"network-diagnostic-port": [9999, 70000]}),
    "removed": ([["--disable-legacy-registry"], ["--cluster-store", "x"], ["--oom-score-adjust", "-5"],
                 ["--api-cors-header", "*"]],
                {"disable-legacy-registry": [True], "cluster-store": ["x"], "oom-score-adjust": [-5],
                 "api-cors-header": ["*", ""]}),
    "unknown": ([["--nonsense"], ["-z"], ["stray"], ["--"]],
                {"nonsense": [1], "ICC": [False], "wrapper": [{}, {"icc": False}, {"nonsense": 1}], "D": [True],
                 "resolv-conf": ["/x"], "default-init": [True]}),
}

# What only the start sees, and not --validate (facts, b.11): harden may say no where it says yes.
AT_START = {"icc", "log-opts", "log-driver", "default-ulimits", "storage-driver", "runtimes", "bip",
            "exec-opts", "insecure-registries", "ip6tables", "bridge", "registry-mirrors"}

# The flag of an option, where it is not the key.
FLAGS = {"host": "hosts", "label": "labels", "log-opt": "log-opts", "registry-mirror": "registry-mirrors",
         "node-generic-resource": "node-generic-resources", "default-ulimit": "default-ulimits",
         "add-runtime": "runtimes", "exec-opt": "exec-opts", "insecure-registry": "insecure-registries",
         "default-address-pool": "default-address-pools", "dns-opt": "dns-opts"}


def pair(number: int) -> tuple[list[str], str | None]:
    source = random.Random(SEED + number)
    names = list(OPTIONS)
    flags: list[str] = []
    document: dict[str, Any] = {}
    chosen = source.sample(names, source.randint(1, 4))
    for name in chosen:
        ways, keys = OPTIONS[name]
        place = source.choice(("flag", "file", "both"))
        # What is right should be in the majority, or nothing but the first mistake is looked at.
        if ways and place != "file":
            flags += ways[0] if source.random() < 0.6 else source.choice(ways)
        if place != "flag":
            key = list(keys)[0] if source.random() < 0.7 else source.choice(list(keys))
            values = keys[key]
            document[key] = values[0] if source.random() < 0.5 else source.choice(values)
    shape = source.random()
    if shape < 0.03:
        return flags, source.choice(("", " \n", "null", "[]", "{", '{"icc": false,}', "\ufeff{}", "{} x"))
    return flags, json.dumps(document, ensure_ascii=False)


def named(message: str) -> set[str]:
    """The keys and flags that dockerd blames, where it names them."""
    names: set[str] = set()
    if found := re.search(r"any configuration option: ([^\n]*)", message):
        names |= {name.strip().rstrip('"') for name in found.group(1).split(",")}
    if found := re.search(r"in the configuration file: ([^\n]*)", message):
        names |= set(re.findall(r"(?:^|, )([a-z0-9-]+): \(from flag", found.group(1)))
    if found := re.search(r"unknown flag: (--[^\s]*)", message):
        names.add(found.group(1))
    if found := re.search(r'for "(?:-\w, )?(--[a-z0-9-]+)" flag', message):
        names.add(found.group(1))
    return names


def ask_dockerd(host: Host, pairs: list[tuple[list[str], str | None]]) -> list[tuple[bool, str]]:
    folder = host.path("/root/validate")
    folder.mkdir(parents=True, exist_ok=True)
    script = []
    for number, (flags, text) in enumerate(pairs):
        (folder / f"{number}.json").write_text(text or "", encoding="utf-8")
        words = shlex.join(["dockerd", "--validate", "--config-file", f"/root/validate/{number}.json", *flags])
        (folder / f"{number}.sh").write_text(f"{words} >/root/validate/{number}.out 2>&1; echo $? >/root/validate/{number}.rc\n")
    host.run("seq 0 " + str(len(pairs) - 1) + " | xargs -P 4 -I N sh /root/validate/N.sh", timeout=200)
    answers = []
    for number in range(len(pairs)):
        text = (folder / f"{number}.out").read_text(encoding="utf-8", errors="replace")
        status = int((folder / f"{number}.rc").read_text(encoding="utf-8"))
        # --help and --version end well without having looked at anything.
        answers.append((status == 0 and "configuration OK" in text, text.strip()))
    return answers


def ask_harden(host: Host, pairs: list[tuple[list[str], str | None]]) -> list[list[dict[str, str]]]:
    version = re.match(r"[0-9.]+", host.version)
    assert version
    lines = [
        json.dumps({"version": version.group(0), "argv": ["dockerd", *flags], "config": text})
        for flags, text in pairs
    ]
    done = host.run(["oracle", "verdicts"], input="\n".join(lines) + "\n")
    return [json.loads(line) for line in done.stdout.splitlines()]


def option(name: str) -> str:
    plain = name.lstrip("-")
    return FLAGS.get(plain, plain) if name.startswith("--") else plain


def blamed(findings: list[dict[str, str]], text: str | None) -> set[str] | None:
    """The options that harden blames, and the members of what it says must be no object: dockerd reads
    those as options of their own. None where it may blame any."""
    keys = {option(finding["key"]) for finding in findings}
    try:
        document = json.loads(text or "{}")
    except ValueError:
        # harden goes no further than a file that is no JSON; dockerd reads its flags first.
        return None if "daemon.json" in keys else keys
    members = {
        member
        for key, value in (document or {}).items()
        if key in keys and isinstance(value, dict)
        for member in value
    } if isinstance(document, dict) else set()
    return keys | members


def test_the_verdict_is_dockerd_s(
    bare_host: Host, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if bare_host.suite == "bookworm":
        # 20.10 has no --validate: nothing to compare with, so nothing to fail.
        return
    target = bare_host.live_path("/usr/local/bin/oracle")
    target.write_bytes((REPO / Path(request.config.getoption("--build-dir")) / "oracle").read_bytes())
    target.chmod(0o755)
    pairs = [pair(number) for number in range(COUNT)]
    theirs, ours = ask_dockerd(bare_host, pairs), ask_harden(bare_host, pairs)
    assert len(ours) == len(theirs) == COUNT

    agree_yes = agree_no = 0
    optimistic, unexplained, explained, other_key = [], [], [], []
    for (flags, text), (starts, said), findings in zip(pairs, theirs, ours):
        shown = f"{shlex.join(flags)} {text}\n    dockerd: {said[-300:]}\n    harden: {[f['key'] for f in findings]}"
        if starts and not findings:
            agree_yes += 1
        elif not starts and findings:
            agree_no += 1
            ours_blamed = blamed(findings, text)
            if ours_blamed is not None and not {option(n) for n in named(said)} <= ours_blamed:
                other_key.append(shown)
        elif not starts:
            optimistic.append(shown)
        elif all(option(finding["key"]) in AT_START for finding in findings):
            explained.append(shown)
        else:
            unexplained.append(shown)
    with capsys.disabled():
        print(f"\n{bare_host.suite}, dockerd {bare_host.version}: {COUNT} pairs: both say it starts {agree_yes},"
              f" both say it does not {agree_no}, harden alone says it does not {len(explained)} (what only the"
              f" start sees) + {len(unexplained)}, harden alone says it does {len(optimistic)},"
              f" another key {len(other_key)}")
    wrong = [f"harden says it starts, and it does not: {shown}" for shown in optimistic]
    wrong += [f"harden says it does not start: {shown}" for shown in unexplained]
    wrong += [f"they blame different keys: {shown}" for shown in other_key]
    assert not wrong, "\n".join(wrong)
    assert agree_yes > COUNT / 8 and agree_no > COUNT / 4
