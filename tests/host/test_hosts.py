"""The harness itself: what every other test in this folder takes for granted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import basetree
import hosts
import pytest
from hosts import Host, HostError, differences


def mounts_under(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if str(folder) in line]


def network_links() -> set[str]:
    return set(os.listdir("/sys/class/net"))


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A zombie waits only for the machine's own process 1 to collect it.
    return stat.rpartition(")")[2].split()[0] not in "ZX"


# --- booting


def test_version_is_the_one_the_suite_is_here_for(bare_host: Host) -> None:
    assert bare_host.version.startswith(basetree.SUITES[bare_host.suite].docker + ".")


def test_systemd_has_settled_and_docker_is_untouched(bare_host: Host) -> None:
    assert bare_host.run("systemctl is-system-running").stdout.strip() == "running"
    assert bare_host.run("systemctl is-enabled docker.service").stdout.strip() == "enabled"
    assert not bare_host.path("/etc/docker/daemon.json").exists()
    assert bare_host.api("/containers/json?all=1") == []


def test_data_is_not_on_overlayfs(bare_host: Host) -> None:
    kind = bare_host.run("stat -f -c %T /var/lib/docker").stdout.strip()
    assert kind != "overlayfs"
    assert bare_host.api("/info")["Driver"] == "overlay2"


def test_a_container_runs_and_can_be_seen(bare_host: Host) -> None:
    container = bare_host.run_container()
    try:
        assert [c["Id"] for c in bare_host.api("/containers/json")] == [container]
        said = bare_host.run(["docker", "exec", container, "echo", "hello"]).stdout
        assert said == "hello\n"
    finally:
        bare_host.run(["docker", "rm", "-f", container])


def test_containers_reach_each_other_unless_icc_is_off(bare_host: Host) -> None:
    """The bridge really filters here: what tests of icc rest on."""
    for icc, reachable in ((True, True), (False, False)):
        bare_host.reset_docker({"icc": icc})
        server = bare_host.run_container()
        address = bare_host.api(f"/containers/{server}/json")["NetworkSettings"]["Networks"]
        ip = address["bridge"]["IPAddress"]
        ping = ["docker", "run", "--rm", hosts.IMAGE, "ping", "-c1", "-W1", ip]
        assert (bare_host.run(ping, check=False).returncode == 0) is reachable
    bare_host.reset_docker()


def test_a_nofile_limit_above_the_hard_limit_stops_containers(bare_host: Host) -> None:
    """Without CAP_SYS_RESOURCE dockerd starts with such a limit, but no container does."""
    pid = bare_host.dockerd_pid()
    status = bare_host.run(f"cat /proc/{pid}/status").stdout
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    may_raise = bool(int(effective, 16) >> 24 & 1)
    limits = bare_host.run(f"grep 'Max open files' /proc/{pid}/limits").stdout.split()
    hard = int(limits[4])
    wanted = hard + 1
    ulimit = {"Name": "nofile", "Soft": wanted, "Hard": wanted}
    bare_host.reset_docker({"default-ulimits": {"nofile": ulimit}})
    bare_host.import_image()
    done = bare_host.run(["docker", "run", "--rm", hosts.IMAGE, "true"], check=False)
    assert (done.returncode == 0) is may_raise, done.stderr
    bare_host.reset_docker()


# --- commands and files


def test_run_passes_input_user_env_and_status(bare_host: Host) -> None:
    assert bare_host.run("cat", input="text").stdout == "text"
    assert bare_host.run("id -un", user="nobody").stdout == "nobody\n"
    assert bare_host.run("echo $WORD", env={"WORD": "x y"}).stdout == "x y\n"
    assert bare_host.run(["sh", "-c", "exit 7"], check=False).returncode == 7
    with pytest.raises(hosts.CommandFailed, match="status 7"):
        bare_host.run("exit 7")


def test_run_is_inside(bare_host: Host) -> None:
    assert bare_host.run("cat /proc/1/comm").stdout == "systemd\n"
    assert bare_host.run("ls /sys/class/net").stdout.split() == ["docker0", "lo"]
    assert bare_host.run("stat -f -c %T /sys/fs/cgroup").stdout == "cgroup2fs\n"
    for space in ("net", "pid", "mnt", "uts", "ipc", "cgroup"):
        link = f"/proc/self/ns/{space}"
        assert bare_host.run(["readlink", link]).stdout.strip() != os.readlink(link)


def test_a_command_that_takes_too_long_is_killed(bare_host: Host) -> None:
    with pytest.raises(HostError, match="took over"):
        bare_host.run("sleep 4242", timeout=0.5)
    assert bare_host.run("pgrep -f 'sleep 424[2]'", check=False).stdout == ""


def test_dockerd_pid_inside_and_outside(bare_host: Host) -> None:
    inside, outside = bare_host.dockerd_pid(), bare_host.dockerd_pid(outside=True)
    assert bare_host.run(f"cat /proc/{inside}/comm").stdout == "dockerd\n"
    assert Path(f"/proc/{outside}/comm").read_text() == "dockerd\n"


def test_snapshot_of_a_quiet_host_is_stable(bare_host: Host) -> None:
    before = bare_host.snapshot()
    assert before["/etc/passwd"].type == "file"
    bare_host.run("docker info")
    assert differences(before, bare_host.snapshot()) == []


def test_snapshot_notices_changes(bare_host: Host) -> None:
    file = "/etc/default/docker"
    bare_host.run("echo x > /etc/gone")
    before = bare_host.snapshot(dir_times=False)
    bare_host.run(f"printf '#' >> {file}; rm /etc/gone; ln -s gone /etc/new")
    os.setxattr(bare_host.path("/etc/passwd"), "user.note", b"1")
    after = bare_host.snapshot(dir_times=False)
    changed = differences(before, after, times=False)
    assert [line.split(" ")[0] + " " + line.split(" ")[1] for line in changed] == [
        f"{file}: size",
        f"{file}: content",
        "/etc/gone: removed",
        "/etc/new: added",
        "/etc/passwd: xattrs",
    ]
    # The same size and the same mtime do not hide another content.
    info = bare_host.path(file).stat()
    bare_host.run(f"sed -i '$ s/#$/!/' {file}; touch -d @{info.st_mtime_ns / 1e9:.9f} {file}")
    assert f"{file}: content" in "\n".join(differences(after, bare_host.snapshot()))
    bare_host.run("rm /etc/new")
    bare_host.reset_docker()
    assert os.listxattr(bare_host.path("/etc/passwd")) == []


# --- docker


def test_journal_shows_what_dockerd_said_since(bare_host: Host) -> None:
    bare_host.reset_docker({"no-such-option": 1}, check=False)
    # systemd would try again, and say it again.
    bare_host.run("systemctl stop docker.socket docker.service; journalctl --sync", check=False)
    since = time.time()
    bare_host.reset_docker()
    assert "no-such-option" in bare_host.journal("docker.service")
    assert "no-such-option" not in bare_host.journal("docker.service", since)


def test_reset_docker_refused_configuration(bare_host: Host) -> None:
    assert bare_host.reset_docker(b"{", check=False) is False
    with pytest.raises(HostError, match="does not start"):
        bare_host.reset_docker(b"{")
    assert bare_host.reset_docker() is True


def test_reset_docker_forgets_everything(bare_host: Host) -> None:
    bare_host.reset_docker()
    before = bare_host.snapshot(dir_times=False)
    settings: dict[str, object] = {"live-restore": True, "icc": False}
    if bare_host.can_userns():
        settings["userns-remap"] = "default"
    bare_host.reset_docker(settings)
    assert bare_host.api("/info")["LiveRestoreEnabled"] is True
    bare_host.run_container(options=["-p", "8080:80"])
    dropin = bare_host.path("/etc/systemd/system/docker.service.d/x.conf")
    dropin.parent.mkdir()
    dropin.write_text("[Service]\nEnvironment=A=1\n", encoding="utf-8")
    for _ in range(5):  # beyond the 3 starts in 60 s that docker.service allows
        bare_host.reset_docker()
    info = bare_host.api("/info")
    assert (info["Containers"], info["Images"], info["LiveRestoreEnabled"]) == (0, 0, False)
    assert bare_host.run("pgrep -f '^sleep 2147483647'", check=False).stdout == ""
    assert "icc" not in bare_host.run("systemctl show docker.service").stdout
    assert differences(before, bare_host.snapshot(dir_times=False), times=False) == []


# --- leaving


def test_nothing_is_left_after_stop(machine: None, request: pytest.FixtureRequest) -> None:
    suite = (request.config.getoption("--suite") or ["bookworm"])[0]
    links = network_links()
    host = Host.boot(suite)
    host.run_container(options=["-p", "8080:80"])
    subprocess.run(["chattr", "+i", str(host.path("/etc/hostname"))], check=True)
    leader, dockerd, folder = host.leader, host.dockerd_pid(outside=True), host.folder
    host.stop()
    host.stop()
    assert not alive(leader) and not alive(dockerd)
    assert not folder.exists()
    assert mounts_under(folder) == []
    assert network_links() == links


OWNER = """
import sys, time
sys.path.insert(0, sys.argv[1])
import hosts
host = hosts.Host.boot(sys.argv[2])
print(host.leader, host.folder, host._keeper.pid, flush=True)
time.sleep(600)
"""


def owned_host(suite: str) -> tuple[subprocess.Popen[str], int, Path, int]:
    """A host that belongs to another process: its owner, leader, folder, keeper."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(hosts.HERE), suite], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    leader, folder, keeper = owner.stdout.readline().split()
    return owner, int(leader), Path(folder), int(keeper)


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_host_does_not_outlive_its_owner(
    machine: None, request: pytest.FixtureRequest, way: signal.Signals
) -> None:
    suite = (request.config.getoption("--suite") or ["trixie"])[0]
    owner, leader, folder, _ = owned_host(suite)
    owner.send_signal(way)
    owner.wait(20)
    deadline = time.monotonic() + 10
    while (alive(leader) or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(leader)
    assert not folder.exists()


def test_sweep_removes_what_a_killed_keeper_left(
    machine: None, request: pytest.FixtureRequest
) -> None:
    suite = (request.config.getoption("--suite") or ["sid"])[0]
    owner, leader, folder, keeper = owned_host(suite)
    os.kill(keeper, signal.SIGKILL)
    owner.kill()
    owner.wait()
    assert folder.exists()
    assert folder.name in hosts.sweep()
    assert not alive(leader)
    assert not folder.exists()


def test_stop_copes_with_a_killed_keeper(
    machine: None, request: pytest.FixtureRequest
) -> None:
    host = Host.boot((request.config.getoption("--suite") or ["bookworm"])[0])
    assert host._keeper is not None
    host._keeper.kill()
    with pytest.raises(HostError, match="keeper"):
        host.stop()
    assert not alive(host.leader)
    assert not host.folder.exists()


def test_hosts_run_side_by_side(machine: None, request: pytest.FixtureRequest) -> None:
    suites = request.config.getoption("--suite") or list(basetree.SUITES)
    with ThreadPoolExecutor(len(suites)) as pool:
        booted = list(pool.map(Host.boot, suites))
    try:
        with ThreadPoolExecutor(len(suites)) as pool:
            containers = list(pool.map(lambda host: host.run_container(), booted))
        for host, container in zip(booted, containers):
            assert host.suite in suites
            assert [c["Id"] for c in host.api("/containers/json")] == [container]
    finally:
        for host in booted:
            host.stop()


# --- saying why not


def test_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hosts.TOOLS, "no-such-tool", "no-such-package")
    if os.geteuid() == 0:
        assert hosts.why_not() == "test hosts need a package: apt-get install no-such-package"


def test_require_fails_in_ci_and_skips_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "why_not", lambda suites=(): "test hosts need luck")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="luck"):
        hosts.require()
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="luck"):
        hosts.require()


# --- reading apt's sources


DEB822 = """\
# a comment
Types: deb
URIs: http://mirror.example/security
Suites: stable-security

Types: deb deb-src
# another
URIs: http://mirror.example/debian
Suites: stable
 stable-updates
Signed-By: /x.gpg
"""


@pytest.mark.parametrize(
    ("name", "text", "uri", "trusted"),
    [
        ("a.sources", DEB822, "http://mirror.example/debian", False),
        ("a.list", "deb [trusted=yes] http://m.example/debian/ sid main\n", None, True),
        ("b.list", "# deb http://no.example/debian sid main\n", "", False),
        ("c.list", "deb http://m.example/debian stable-updates main\n", "", False),
    ],
)
def test_mirror_is_the_one_apt_uses(
    tmp_path: Path, name: str, text: str, uri: str | None, trusted: bool
) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / name).write_text(text, encoding="utf-8")
    found = basetree.find_mirror(tmp_path)
    if uri == "":
        assert found is None
        return
    assert found is not None
    assert found.uri == (uri or "http://m.example/debian/")
    assert found.trusted is trusted


def test_a_changed_recipe_has_another_key() -> None:
    recipe = basetree.SUITES["sid"]
    other = basetree.Recipe("sid", "28.5", (*recipe.packages, "nano"))
    assert other.key != recipe.key
    assert json.dumps(recipe.key)
    more = [basetree.Extension("more-sid", base, ("nano",)) for base in (recipe, other)]
    assert more[0].key != more[1].key


def test_no_base_is_cleared_away_with_a_suite() -> None:
    for suite in basetree.SUITES:
        assert not any(name.startswith(f"{suite}-") for name in basetree.BASES)


def test_a_write_into_a_shared_program_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARDEN_HOST_CACHE", str(tmp_path))
    base = basetree.base_dir("sid")
    program = base / "tree/usr/sbin/dockerd"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"x" * basetree.SHARED_FROM_BYTES)
    (base / "tree/usr/sbin/small").write_bytes(b"x")
    basetree.split(base)
    assert not program.exists()

    basetree.copy("sid", tmp_path / "replaced")
    copied = tmp_path / "replaced/usr/sbin/dockerd"
    copied.unlink()
    copied.write_bytes(b"other")
    (tmp_path / "replaced/usr/sbin/small").write_bytes(b"y")
    assert basetree.spoiled("sid") == []

    basetree.copy("sid", tmp_path / "written")
    with (tmp_path / "written/usr/sbin/dockerd").open("ab") as file:
        file.write(b"y")
    assert basetree.spoiled("sid") == ["/usr/sbin/dockerd"]
