"""Flags on real hosts: from wherever the admin has put them, `harden apply` ends with a daemon that is
up and has every setting in force or honestly left, and `harden rollback` restores every byte."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from applies import CONFIG, apply, assert_docker_works, reported, rollback, row, states
from hosts import Host, HostError, differences

FOLDER = "/etc/systemd/system/docker.service.d"
UNIT = "/etc/systemd/system/docker.service"
DEFAULT = "/etc/default/docker"
PACKAGED = "/usr/lib/systemd/system/docker.service"
BASE = "-H fd:// --containerd=/run/containerd/containerd.sock"
SUITES = ("bookworm", "trixie", "sid")

# It moves the data root, which takes time and has nothing to do with where a flag stands.
SPARED = ("--skip", "userns-remap")

# What dockerd 20.10 makes for itself at a start.
OWN = ("/etc/docker/key.json",)


def override(flags: str, name: str = "override.conf", more: str = "") -> dict[str, str]:
    """A drop-in that resets ExecStart= and says it anew."""
    text = f"[Service]\n{more}ExecStart=\nExecStart=/usr/sbin/dockerd {BASE} {flags}\n"
    return {f"{FOLDER}/{name}": text}


def unit(execstart: str, more: str = "") -> dict[str, str]:
    """The admin's own unit in place of the packaged one; the text is completed on the host."""
    return {UNIT: f"@PACKAGED@ExecStart={execstart}\n{more}"}


@dataclass
class Start:
    name: str
    files: dict[str, str] = field(default_factory=dict)
    config: Any = None
    # What becomes of settings; those that are not named must only be decided honestly.
    becomes: dict[str, str] = field(default_factory=dict)
    # Words of dockerd's command line afterwards, and what no word begins with.
    keeps: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    # Members of daemon.json afterwards, and bytes of files that are there afterwards.
    holds: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    starts: bool = True  # dockerd starts before
    status: tuple[int, ...] = (0, 5)
    everywhere: bool = False  # on every suite; else on one of them
    suites: tuple[str, ...] = SUITES


GONE = "applied"

STARTS = [
    # --- in the environment file
    Start("environment file, --flag=value", {DEFAULT: 'DOCKER_OPTS="--icc=true"\n'},
          becomes={"icc": GONE}, loses=("--icc",), texts={DEFAULT: 'DOCKER_OPTS=""\n'},
          everywhere=True),
    Start("environment file, --flag value", {DEFAULT: 'DOCKER_OPTS="--log-driver json-file --mtu 1400"\n'},
          becomes={"log-driver": GONE}, keeps=("--mtu", "1400"), loses=("--log-driver",),
          texts={DEFAULT: 'DOCKER_OPTS="--mtu 1400"\n'}),
    Start("environment file, comments and other variables",
          {DEFAULT: "# Docker\n\nA=1\nDOCKER_OPTS='--mtu 1400 --userland-proxy=true'  \n; end\nB = 2\n"},
          becomes={"userland-proxy": GONE}, keeps=("--mtu",), loses=("--userland-proxy",),
          texts={DEFAULT: "# Docker\n\nA=1\nDOCKER_OPTS='--mtu 1400'  \n; end\nB = 2\n"}),
    Start("environment file, continuation lines",
          {DEFAULT: 'DOCKER_OPTS="--mtu=1400 \\\n  --icc=true \\\n  --label=a=b"\n'},
          becomes={"icc": GONE}, keeps=("--mtu=1400", "--label=a=b"), loses=("--icc",)),
    Start("environment file, no quotes", {DEFAULT: "DOCKER_OPTS=--debug --log-level debug\n"},
          becomes={"log-level": GONE}, keeps=("--debug",), loses=("--log-level",),
          texts={DEFAULT: "DOCKER_OPTS=--debug\n"}),
    Start("environment file, quoted value with spaces",
          {DEFAULT: "DOCKER_OPTS=\"--icc=true --label 'who=the admin' --mtu=1400\"\n"},
          becomes={"icc": GONE}, keeps=("--label", "who=the admin", "--mtu=1400"), loses=("--icc",),
          texts={DEFAULT: "DOCKER_OPTS=\"--label 'who=the admin' --mtu=1400\"\n"}),
    Start("environment file, set twice", {DEFAULT: "DOCKER_OPTS=--icc=true\nDOCKER_OPTS=--icc=true --mtu=1400\n"},
          becomes={"icc": GONE}, keeps=("--mtu=1400",), loses=("--icc",),
          texts={DEFAULT: "DOCKER_OPTS=--icc=true\nDOCKER_OPTS=--mtu=1400\n"}),
    Start("environment file, CRLF", {DEFAULT: 'A=1\r\nDOCKER_OPTS="--icc=true --mtu=1400"\r\n'},
          becomes={"icc": GONE}, keeps=("--mtu=1400",), loses=("--icc",),
          texts={DEFAULT: 'A=1\r\nDOCKER_OPTS="--mtu=1400"\r\n'}),
    Start("environment file, repeated list flags",
          {DEFAULT: 'DOCKER_OPTS="--log-opt max-size=1m --log-opt max-file=2 --label a=b --label c=d"\n'},
          becomes={"log-driver": GONE}, keeps=("a=b", "c=d"), loses=("--log-opt",)),
    Start("two environment files",
          {**override("$A $B", more="EnvironmentFile=/etc/default/docker-a\nEnvironmentFile=-/etc/default/docker-*.more\n"),
           "/etc/default/docker-a": "A=--icc=true\n", "/etc/default/docker-b.more": "B=--log-level=warn --mtu=1400\n"},
          becomes={"icc": GONE, "log-level": GONE}, keeps=("--mtu=1400",), loses=("--icc", "--log-level"),
          texts={"/etc/default/docker-a": "A=\n", "/etc/default/docker-b.more": "B=--mtu=1400\n"}),
    Start("environment file that is a symbolic link",
          {DEFAULT: "->/etc/docker-real-defaults", "/etc/docker-real-defaults": 'DOCKER_OPTS="--icc=true"\n'},
          becomes={"icc": GONE}, loses=("--icc",),
          texts={"/etc/docker-real-defaults": 'DOCKER_OPTS=""\n'}),
    Start("variable that is not set", {DEFAULT: "# nothing\n"}, becomes={"icc": GONE},
          texts={DEFAULT: "# nothing\n"}),
    Start("environment file that is not there", {DEFAULT: "!"}, becomes={"icc": GONE}),
    # --- in override.conf and other drop-ins
    Start("override.conf, --flag=value", override("--icc=true $DOCKER_OPTS"), becomes={"icc": GONE},
          loses=("--icc",)),
    Start("override.conf, --flag value", override("--log-driver json-file --mtu 1400"),
          becomes={"log-driver": GONE}, keeps=("--mtu", "1400"), loses=("--log-driver",)),
    Start("override.conf, shorthands", override("-D -l debug"), becomes={"log-level": GONE},
          keeps=("-D",), loses=("-l",)),
    Start("override.conf, a group of shorthands", override("-Dldebug"), becomes={"log-level": GONE},
          keeps=("-D",), loses=("-Dl",)),
    Start("override.conf, a compliant flag stays", override("--icc=false --live-restore"),
          becomes={"icc": "ok", "live-restore": "ok", "userland-proxy": GONE},
          keeps=("--icc=false", "--live-restore")),
    Start("override.conf, quotes, dollars and percents",
          override("--icc=true --label \"a=b c\" '--label=d=$$HOME %% ; \"x\"' --label=e=back\\\\slash"),
          becomes={"icc": GONE}, keeps=("a=b c", '--label=d=$HOME % ; "x"', "--label=e=back\\slash"),
          loses=("--icc",), everywhere=True),
    Start("override.conf, specifiers stay", override("--icc=true --label=unit=%n --label=host=%H"),
          becomes={"icc": GONE}, keeps=("--label=unit=docker.service",), loses=("--icc",)),
    Start("override.conf, a backslash at the end of a line",
          {f"{FOLDER}/override.conf": f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd \\\n  {BASE} \\\n# why\n  --icc=true \\\n  --mtu=1400\n"},
          becomes={"icc": GONE}, keeps=("--mtu=1400",), loses=("--icc",)),
    Start("override.conf, prefix and a name of its own",
          {f"{FOLDER}/override.conf": f"[Service]\nExecStart=\nExecStart=-@/usr/sbin/dockerd dockerd {BASE} --icc=true\n"},
          becomes={"icc": GONE}, loses=("--icc",)),
    Start("override.conf, nothing is expanded",
          {f"{FOLDER}/override.conf": f"[Service]\nExecStart=\nExecStart=:/usr/sbin/dockerd {BASE} --icc=true --label=a=$HOME\n"},
          becomes={"icc": GONE}, keeps=("--label=a=$HOME",), loses=("--icc",)),
    Start("override.conf, ${VARIABLE} in a word",
          override("--log-level=${LEVEL} --label=a=${LEVEL}", more="Environment=LEVEL=debug\n"),
          becomes={"log-level": GONE}, keeps=("--label=a=debug",), loses=("--log-level",)),
    Start("Environment= in a drop-in",
          {f"{FOLDER}/env.conf": '[Service]\nEnvironment="DOCKER_OPTS=--icc=true --label \'a=b c\'" OTHER=1\n', DEFAULT: "!"},
          becomes={"icc": GONE}, keeps=("a=b c",), loses=("--icc",)),
    Start("two drop-ins",
          {**override("--icc=true $DOCKER_OPTS", "10-first.conf"),
           **override("--icc=true --log-driver=json-file --mtu=1400", "20-second.conf")},
          becomes={"icc": GONE, "log-driver": GONE}, keeps=("--mtu=1400",), loses=("--icc", "--log-driver")),
    Start("a drop-in named zz-local.conf", override("--icc=true --mtu=1400", "zz-local.conf"),
          becomes={"icc": GONE}, keeps=("--mtu=1400",), loses=("--icc",), everywhere=True),
    Start("a drop-in named ~last.conf", override("--icc=true --mtu=1400", "~last.conf"),
          becomes={"icc": GONE}, keeps=("--mtu=1400",), loses=("--icc",)),
    Start("a drop-in for all services",
          {"/etc/systemd/system/service.d/zzz-all.conf": "[Service]\nEnvironment=ALL=1\n",
           **override("--icc=true")}, becomes={"icc": GONE}, loses=("--icc",)),
    Start("a flag in the unit and one in the environment file",
          {**override("--icc=true $DOCKER_OPTS"), DEFAULT: 'DOCKER_OPTS="--log-driver=json-file"\n'},
          becomes={"icc": GONE, "log-driver": GONE}, loses=("--icc", "--log-driver")),
    Start("the value of a flag in a variable",
          override("--log-level $LEVEL --mtu=1400", more="Environment=LEVEL=debug\n"),
          becomes={"log-level": GONE}, keeps=("--mtu=1400",), loses=("--log-level", "debug")),
    # --- the admin's own unit
    Start("own docker.service", unit(f"/usr/sbin/dockerd {BASE} --icc=true --mtu=1400"),
          becomes={"icc": GONE}, keeps=("--mtu=1400",), loses=("--icc",)),
    Start("own docker.service without environment file",
          unit(f"/usr/sbin/dockerd {BASE} --userland-proxy --log-level error"),
          becomes={"userland-proxy": GONE, "log-level": GONE}, loses=("--userland-proxy", "--log-level")),
    # --- given twice
    Start("given twice, alike", override("--icc=false"), {"icc": False}, becomes={"icc": GONE},
          loses=("--icc",), holds={"icc": False}, starts=False),
    Start("given twice, unlike", override("--icc=true"), {"icc": False}, becomes={"icc": GONE},
          loses=("--icc",), holds={"icc": False}, starts=False),
    Start("given twice, only the flag complies", override("--log-driver=journald"),
          {"log-driver": "json-file"}, becomes={"log-driver": GONE}, loses=("--log-driver",),
          holds={"log-driver": "journald"}, starts=False),
    Start("given twice, no setting of the profile", override("--debug"), {"debug": True},
          loses=("--debug",), holds={"debug": True}, starts=False),
    Start("given twice, a list", {DEFAULT: 'DOCKER_OPTS="--label a=b --label c=d"\n'},
          {"labels": ["x=y", "a=b"]}, loses=("--label",), holds={"labels": ["x=y", "a=b", "c=d"]},
          texts={DEFAULT: 'DOCKER_OPTS=""\n'}, starts=False),
    Start("given twice, null in the file", override("--mtu=1400"), {"mtu": None}, keeps=("--mtu=1400",),
          starts=False),
    Start("given twice, log-opts", override("--log-opt env=A"),
          {"log-driver": "json-file", "log-opts": {"max-size": "1m", "tag": "x"}},
          becomes={"log-driver": GONE}, loses=("--log-opt",),
          holds={"log-opts": {"tag": "x", "env": "A"}}, starts=False),
    Start("log-opts of another driver in the file, a good one as a flag", override("--log-opt env=A"),
          {"log-driver": "json-file", "log-opts": {"max-size": "1m"}}, becomes={"log-driver": GONE},
          keeps=("--log-opt", "env=A"), holds={"log-opts": None}, starts=False),
    Start("hosts in the file, the same socket", {}, {"hosts": ["unix:///var/run/docker.sock"]},
          becomes={"hosts": GONE}, loses=("-H",), holds={"hosts": ["fd://"]}, starts=False, everywhere=True),
    Start("hosts in the file, another place", {}, {"hosts": ["tcp://127.0.0.1:2375"]},
          becomes={"hosts": GONE}, loses=("-H",), holds={"hosts": ["fd://", "tcp://127.0.0.1:2375"]},
          starts=False),
    Start("hosts in the file, open to the network", {}, {"hosts": ["tcp://0.0.0.0:2375"]},
          starts=False, status=(2,), keeps=("-H",)),
    # --- others
    Start("-H tcp:// without TLS is told, and stays", override("-H tcp://0.0.0.0:2375"),
          becomes={"hosts": "manual", "icc": GONE}, keeps=("tcp://0.0.0.0:2375",)),
    Start("-H tcp:// on loopback", override("-H tcp://127.0.0.1:2375"),
          becomes={"hosts": "ok", "icc": GONE}, keeps=("tcp://127.0.0.1:2375",)),
    Start("a list is held, consent is given", override("--insecure-registry 10.0.0.0/8 --label a=b"),
          becomes={"insecure-registries": "held"}, keeps=("--insecure-registry", "10.0.0.0/8"), status=(5,)),
    Start("a list is taken out with consent", override("--insecure-registry 10.0.0.0/8 --label a=b"),
          becomes={"insecure-registries": GONE}, keeps=("--label",), loses=("--insecure-registry",),
          options=("--accept", "insecure-registries")),
    Start("--config-file in ExecStart=", {**override("--config-file /etc/docker/other.json --icc=true"),
          "/etc/docker/other.json": '{"debug": true}\n'}, becomes={"icc": GONE}, loses=("--icc",),
          keeps=("--config-file",)),
    Start("a setting of --set that a flag gives", override("--mtu=1400"), becomes={"mtu": GONE},
          loses=("--mtu",), holds={"mtu": 1450}, options=("--set", "mtu=1450")),
    Start("a member of --set of a map that a flag gives", override("--log-driver=syslog --log-opt tag=x"),
          becomes={"log-driver": "ok", "log-opts.env": GONE}, loses=("--log-opt",),
          holds={"log-opts": {"tag": "x", "env": "A"}}, options=("--set", "log-opts.env=A")),
    Start("a removed flag", override("--disable-legacy-registry"),
          becomes={"disable-legacy-registry": GONE}, loses=("--disable-legacy-registry",), starts=False),
    Start("the article: limits, a driver and keys of another time", {},
          {"default-ulimit": True, "disable-legacy-registry": True, "storage-driver": "aufs",
           "log-driver": "json-file", "log-opts": {"max-size": "10m"}},
          becomes={"default-ulimits": GONE, "disable-legacy-registry": GONE, "log-driver": GONE},
          starts=False, everywhere=True, options=("--accept", "storage-driver")),
    Start("--no-restart", override("--icc=true --mtu=1400"), becomes={"icc": "pending"},
          options=("--no-restart",), status=(5,)),
]


def chosen(suite: str) -> list[Start]:
    """All of them over the three suites, the commonest on each."""
    place = SUITES.index(suite)
    others = [start for start in STARTS if not start.everywhere]
    return [
        start
        for start in STARTS
        if start.everywhere or others.index(start) % len(SUITES) == place
    ]


# --- setting up


def write(host: Host, path: str, text: str) -> None:
    target = host.path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if text == "!":
        return
    if text.startswith("->"):
        target.symlink_to(text[2:])
        return
    if text.startswith("@PACKAGED@"):
        lines = host.path(PACKAGED).read_text(encoding="utf-8").splitlines(keepends=True)
        own = "".join(line for line in lines if not line.startswith(("ExecStart=", "EnvironmentFile=")))
        text = own.replace("[Service]\n", "[Service]\n" + text.removeprefix("@PACKAGED@"))
    target.write_bytes(text.encode())


def clear(host: Host) -> None:
    host.run(
        f"rm -rf {FOLDER} {UNIT} /etc/systemd/system/service.d {CONFIG} /etc/docker/other.json"
        " /etc/default/docker*"
        " /etc/docker-real-defaults"
    )
    write(host, DEFAULT, PRISTINE[host.name])


PRISTINE: dict[str, str] = {}


@pytest.fixture(scope="module")
def prepared(host: Host) -> Iterator[Host]:
    PRISTINE[host.name] = host.path(DEFAULT).read_text(encoding="utf-8")
    yield host


def start_docker(host: Host) -> bool:
    host.run("systemctl daemon-reload; systemctl reset-failed docker.service docker.socket", check=False)
    done = host.run("systemctl restart docker.socket docker.service", check=False)
    return done.returncode == 0


def command_line(host: Host) -> list[str]:
    pid = host.dockerd_pid()
    raw = host.live_path(f"/proc/{pid}/cmdline").read_bytes()
    return raw.decode().split("\0")[:-1]


# --- checks


def check_words(start: Start, words: list[str]) -> None:
    for word in start.keeps:
        assert word in words, f"{start.name}: {word!r} is gone: {words}"
    for beginning in start.loses:
        left = [word for word in words[1:] if word.startswith(beginning)]
        assert not left, f"{start.name}: {left} is still there: {words}"


def check_files(host: Host, start: Start) -> None:
    document = host.path(CONFIG)
    content = json.loads(document.read_text(encoding="utf-8")) if document.exists() else {}
    for key, value in start.holds.items():
        assert content.get(key) == value, f"{start.name}: {key} is {content.get(key)!r}"
    for path, text in start.texts.items():
        assert host.path(path).read_bytes().decode() == text, f"{start.name}: {path}"


def check_settings(start: Start, answer: dict[str, Any]) -> None:
    became = states(answer)
    for key, state in start.becomes.items():
        assert became[key] == state, f"{start.name}: {key} is {became[key]}: {row(answer, key)['reason']}"
    for setting in answer["settings"]:
        assert setting["state"] in ("ok", "applied", "pending", "skipped", "held", "manual", "blocked")
        if setting["state"] in ("held", "manual", "blocked", "skipped"):
            assert setting["reason"], f"{start.name}: {setting['key']}"


def check_in_force(host: Host, start: Start, answer: dict[str, Any]) -> None:
    """What the daemon itself says."""
    said = reported(host)
    became = states(answer)
    if became["icc"] in ("ok", "applied"):
        assert said["bridge"]["com.docker.network.bridge.enable_icc"] == "false", start.name
    if became["live-restore"] in ("ok", "applied"):
        assert said["live-restore"] is True, start.name
    if became["log-driver"] in ("ok", "applied"):
        assert said["log-driver"] != "json-file", start.name


def drop_in(answer: dict[str, Any]) -> str:
    paths = [f["path"] for f in answer["files"] if f["path"].startswith("/etc/systemd/")]
    return paths[0].rpartition("/")[2] if paths else ""


def check_last(host: Host, answer: dict[str, Any], start: Start) -> None:
    """harden's drop-in is the last that systemd reads."""
    name = drop_in(answer)
    if name:
        shown = host.run("systemctl show --property=DropInPaths --value docker.service").stdout.split()
        assert shown[-1].endswith("/" + name), f"{start.name}: {shown}"


def go(host: Host, start: Start) -> str:
    clear(host)
    for path, text in start.files.items():
        write(host, path, text)
    if start.config is not None:
        write(host, CONFIG, json.dumps(start.config, indent=2) + "\n")
    assert start_docker(host) == start.starts, f"{start.name}: {host.journal('docker.service')[-2000:]}"
    if not start.starts:
        # It would try again and again.
        host.run("systemctl stop docker.socket docker.service", check=False)
    before = host.snapshot(under="/etc", dir_times=False, exclude=OWN)
    words_before = command_line(host) if start.starts else []

    if start.status == (2,):
        answer = apply(host, *SPARED, *start.options, status=2)
        assert answer["result"] == "refused"
        assert differences(before, host.snapshot(under="/etc", dir_times=False, exclude=OWN)) == []
        return "refused: " + answer["error"][:60]

    # Of a daemon that is stopped nobody knows what limits it may give: where it may give less than the
    # profile wants, the rehearsal's canary would find out.
    words = [*SPARED, *start.options, *([] if start.starts else ["--no-canary"])]
    if not start.everywhere:
        words.append("--no-rehearsal")
    done = host.run(["harden", "apply", "--yes", "--json", *words], check=False)
    answer = json.loads(done.stdout)
    assert done.returncode in start.status + (() if start.starts else (5,)), (
        f"{start.name}: exit {done.returncode}\n{done.stderr}\n{answer.get('error')}"
    )
    if not start.starts:
        for key, state in start.becomes.items():
            start.becomes[key] = "pending" if state == GONE and states(answer)[key] == "pending" else state
        assert start_docker(host), f"{start.name}: {host.journal('docker.service')[-2000:]}"
    assert_docker_works(host)
    check_settings(start, answer)
    words = command_line(host)
    if "--no-restart" in start.options:
        assert words == words_before
    else:
        check_words(start, words)
        check_in_force(host, start, answer)
    check_files(host, start)
    check_last(host, answer, start)

    if not start.starts:
        # A rollback proves that dockerd runs with the old files, and with these it never did.
        host.run("systemctl stop docker.socket docker.service", check=False)
    rollback(host)
    left = differences(before, host.snapshot(under="/etc", dir_times=False, exclude=OWN))
    assert left == [], f"{start.name}: {left}"
    if start.starts:
        assert_docker_works(host)
        assert command_line(host) == words_before
    counts = [f"{n} {s}" for s in ("applied", "pending", "ok", "held", "manual", "blocked")
              if (n := list(states(answer).values()).count(s))]
    return f"exit {done.returncode}: {', '.join(counts)}; {drop_in(answer) or 'no drop-in'}"


# --- besides the table


def set_up(host: Host, files: dict[str, str]) -> None:
    clear(host)
    for path, text in files.items():
        write(host, path, text)
    assert start_docker(host), host.journal("docker.service")[-2000:]


def test_another_file_that_has_the_last_word_undoes_it(prepared: Host) -> None:
    """systemd's command line after daemon-reload is not the plan's: a generator has a word in it."""
    host = prepared
    set_up(host, override("--icc=true"))
    generator = host.path("/etc/systemd/system-generators/late")
    generator.parent.mkdir(parents=True, exist_ok=True)
    generator.write_text(
        "#!/bin/sh\nmkdir -p $1/docker.service.d\n"
        f"printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/dockerd {BASE} --icc=true\\n'"
        " >$1/docker.service.d/~~~.conf\n"
    )
    generator.chmod(0o755)
    before = host.snapshot(under="/etc", dir_times=False, exclude=OWN)
    pid = host.dockerd_pid()
    answer = apply(host, *SPARED, status=3)
    assert answer["result"] == "rolled-back"
    assert "another file of the unit has the last word" in answer["error"]
    assert differences(before, host.snapshot(under="/etc", dir_times=False, exclude=OWN)) == []
    # It had not come to a restart.
    assert host.dockerd_pid() == pid
    generator.unlink()
    host.run("systemctl daemon-reload")
    assert_docker_works(host)


def test_containers_run_on(prepared: Host) -> None:
    host = prepared
    set_up(host, {**override("--userland-proxy=true $DOCKER_OPTS"), DEFAULT: "DOCKER_OPTS=--log-level=debug\n"})
    container = host.run_container()
    pid = host.api(f"/containers/{container}/json")["State"]["Pid"]
    answer = apply(host, *SPARED, "--skip", "icc")
    assert answer["result"] == "applied", answer["_stderr"]
    assert answer["action"] == "reload+restart"
    assert (answer["containers"]["before"], answer["containers"]["kept"]) == (1, 1)
    assert host.api(f"/containers/{container}/json")["State"]["Pid"] == pid
    rollback(host)
    assert host.api(f"/containers/{container}/json")["State"]["Pid"] == pid
    host.run(["docker", "rm", "-f", container])


def test_no_flag_is_worth_a_container(prepared: Host) -> None:
    """What needs a restart that would stop containers is held, and its flag stays; one that is given
    twice is put right for the next start, which need not be now."""
    host = prepared
    set_up(host, override("--userland-proxy=true --label a=b $DOCKER_OPTS"))
    write(host, CONFIG, '{"labels": ["c=d"]}\n')
    container = host.run_container()
    words, pid = command_line(host), host.dockerd_pid()
    answer = apply(host, *SPARED, "--skip", "live-restore", status=5)
    assert states(answer)["userland-proxy"] == "held"
    assert "--accept restart" in row(answer, "userland-proxy")["reason"]
    assert answer["action"] == "none" and host.dockerd_pid() == pid and command_line(host) == words
    assert json.loads(host.path(CONFIG).read_bytes())["labels"] == ["c=d", "a=b"]
    shown = host.run("systemctl show --property=ExecStart --value docker.service").stdout
    assert "--userland-proxy=true" in shown and "--label" not in shown
    # The daemon was not told of it, so it need not be told of the way back.
    rollback(host)
    assert host.dockerd_pid() == pid
    host.run(["docker", "rm", "-f", container])


def test_the_second_flag_goes_into_the_same_drop_in(prepared: Host) -> None:
    host = prepared
    set_up(host, override("--userland-proxy=true --log-level=debug"))
    # What it repeats may be a secret.
    host.path(f"{FOLDER}/override.conf").chmod(0o600)
    before = host.snapshot(under="/etc", dir_times=False, exclude=OWN)
    apply(host, "--only", "userland-proxy")
    between = host.snapshot(under="/etc", dir_times=False, exclude=OWN)
    answer = apply(host, "--only", "log-level")
    (file,) = [f for f in answer["files"] if f["path"].startswith(FOLDER)]
    assert (file["path"], file["action"]) == (f"{FOLDER}/zz-harden.conf", "modify")
    assert host.path(file["path"]).stat().st_mode & 0o7777 == 0o600
    assert "--userland-proxy" in host.path(file["path"]).read_text(encoding="utf-8")
    assert command_line(host)[1:] == BASE.split()
    assert apply(host, "--only", "log-level")["result"] == "unchanged"
    rollback(host)
    assert differences(between, host.snapshot(under="/etc", dir_times=False, exclude=OWN)) == []
    rollback(host)
    assert differences(before, host.snapshot(under="/etc", dir_times=False, exclude=OWN)) == []


def test_a_unit_that_systemd_does_not_load_is_explained(prepared: Host) -> None:
    host = prepared
    clear(host)
    host.run("systemctl stop docker.socket docker.service", check=False)
    write(host, f"{FOLDER}/override.conf", f"[Service]\nExecStart=/usr/sbin/dockerd {BASE}\n")
    host.run("systemctl daemon-reload")
    said = host.run(["harden", "plan", "--json"]).stdout
    assert "more than one ExecStart=" in said
    assert "an empty ExecStart= takes away those before it" in said


def test_from_wherever_it_starts(prepared: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host = prepared
    lines, failures = [], []
    began = time.monotonic()
    for start in chosen(host.suite):
        try:
            said = go(host, start)
        except (AssertionError, HostError) as error:
            said = "FAILED"
            failures.append(f"{start.name}: {error}")
        lines.append(f"  {start.name:<52} {said}")
    with capsys.disabled():
        print(f"\n{host.suite}: {len(lines)} of {len(STARTS)} starting points"
              f" in {time.monotonic() - began:.0f} s\n" + "\n".join(lines))
    assert not failures, "\n\n".join(failures)
