"""What runs keeps running, and what is claimed is in force: on real hosts with real containers."""

from __future__ import annotations

import json
import os
import threading
import time

from applies import (
    CONFIG,
    UNDONE,
    apply,
    assert_docker_works,
    config,
    document,
    harden,
    history,
    pending,
    plain,
    plan,
    planned,
    reported,
    rollback,
    row,
    saved,
    signal_harden,
    start_harden,
    states,
    wait_until,
)
from hosts import Host, HostError, differences
from workload import (
    OUTSIDE,
    PORT,
    Authorizer,
    Prober,
    established,
    inspect,
    lives,
    make_outside,
    namespace_of,
    start,
    start_server,
)

ICC = "com.docker.network.bridge.enable_icc"

# Images are stored on these hosts, so that this one waits for consent; it has tests of its own.
KEEP_DATA = ("--skip", "userns-remap")

# dockerd 20.10 removes containers with --rm when it starts, also with live-restore.
REMOVES = ("bookworm",)


def icc(host: Host) -> str:
    return str(host.api("/networks/bridge")["Options"][ICC])


def up(host: Host) -> list[str]:
    return sorted(c["Names"][0].lstrip("/") for c in host.api("/containers/json"))


def write_config(host: Host, text: str) -> None:
    file = host.path(CONFIG)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def container_processes(host: Host) -> set[str]:
    """The ids of all containers that have a process, whether dockerd knows them or not."""
    said = host.run("cat /proc/[0-9]*/cgroup 2>/dev/null | grep -o 'docker-[0-9a-f]\\{64\\}'", False)
    return {line.removeprefix("docker-") for line in said.stdout.split()}


# --- kept, while somebody talks to them; the tests up to the next heading follow one another

FIVE = ["server", "client", "always", "paused", "hostnet"]


def start_five(host: Host) -> str:
    address = start_server(host, "server")
    start(host, "client")
    start(host, "always", "--restart=always")
    start(host, "paused")
    start(host, "hostnet", "--network=host")
    host.run("docker pause paused")
    start(host, "exited", command=["true"])
    wait_until("exited has", lambda: not inspect(host, "exited")["State"]["Running"])
    return address


def test_nobody_notices_an_apply(host: Host) -> None:
    host.reset_docker()
    address = start_five(host)
    outside = make_outside(host)
    inside = namespace_of(host, "client")
    before = lives(host, FIVE)

    with established(inside, address, 80), established(outside, OUTSIDE, PORT):
        direct, published = Prober(inside, address, 80), Prober(outside, OUTSIDE, PORT)
        time.sleep(0.5)
        answer = apply(host, *KEEP_DATA, status=5)
        time.sleep(0.5)
        said = direct.finish(), published.finish()
    # The control: what a plain restart does to the same connections, now that live-restore is on.
    direct, published = Prober(inside, address, 80), Prober(outside, OUTSIDE, PORT)
    time.sleep(0.5)
    host.run("systemctl restart docker.service")
    host.wait_for_docker()
    time.sleep(0.5)
    bare = direct.finish(), published.finish()
    print(f"\n{host.suite}: to the container's address: {said[0]}; in a bare restart: {bare[0]}")
    print(f"{host.suite}: to its published port: {said[1]}; in a bare restart: {bare[1]}")

    assert said[0]["failed"] == 0, said
    assert min(s["per_second"] for s in said) > 0
    assert lives(host, FIVE) == before
    assert not inspect(host, "exited")["State"]["Running"]
    assert (answer["result"], answer["action"]) == ("incomplete", "reload+restart")
    assert answer["containers"] == {
        "before": 5, "kept": 5, "restarted": 0, "stopped": [], "lost": []
    }  # fmt: skip
    assert [k for k, s in states(answer).items() if s == "pending"] == ["icc"]
    assert row(answer, "icc")["in_force"] is True
    assert icc(host) == "true"
    assert "--containers restart" in plain(answer["_stderr"])
    assert "All containers kept running" in plain(answer["_stderr"])


def test_what_the_daemon_enforces_is_read_from_it(host: Host) -> None:
    """userland-proxy and default-ulimits have no field in the API."""
    shown = plan(host, *KEEP_DATA)
    assert row(shown, "userland-proxy")["in_force"] is False
    limits = row(shown, "default-ulimits")
    assert limits["in_force"] == limits["wanted"] != {}
    assert "docker-proxy" not in host.run("ps -e -o comm=").stdout


def test_older_containers_are_named_until_created_anew(host: Host) -> None:
    old = sorted([*FIVE, "exited"])
    for key in ("log-driver", "no-new-privileges"):
        assert row(plan(host, *KEEP_DATA), key)["uncovered"] == old
    host.run("docker rm -f exited")
    start(host, "anew")
    shown = plan(host, *KEEP_DATA)
    for key in ("log-driver", "no-new-privileges"):
        assert row(shown, key)["state"] == "ok"
        assert row(shown, key)["uncovered"] == sorted(FIVE)
    host.run("docker rm -f anew")


def test_containers_restart_gets_the_network_settings_in_force(host: Host) -> None:
    order = ["server", "client", "paused", "hostnet"]
    before = lives(host, FIVE)
    shown = plan(host, *KEEP_DATA, "--containers", "restart")
    # The order in which they had been started.
    assert shown["stops"] == FIVE
    answer = apply(host, *KEEP_DATA, "--containers", "restart")
    assert (answer["result"], answer["action"], answer["files"]) == ("applied", "restart", [])
    assert answer["containers"] == {
        "before": 5, "kept": 0, "restarted": 5, "stopped": [], "lost": []
    }  # fmt: skip
    assert icc(host) == "false"
    after = lives(host, FIVE)
    assert [(r, p) for r, p, _, _ in after.values()] == [(r, p) for r, p, _, _ in before.values()]
    # The one with a restart policy is dockerd's to start.
    starts = [after[name][3] for name in order]
    assert starts == sorted(starts)
    assert up(host) == sorted(FIVE)
    again = apply(host, *KEEP_DATA, "--containers", "restart")
    assert again["result"] == "unchanged"
    assert lives(host, FIVE) == after


def test_rollback_keeps_them_and_says_what_waits(host: Host) -> None:
    first = min(entry["id"] for entry in history(host))
    before = lives(host, FIVE)
    answer = rollback(host, first, status=5)
    assert answer["containers"]["kept"] == 5
    assert lives(host, FIVE) == before
    assert config(host) is None
    assert icc(host) == "false"
    assert reported(host)["live-restore"] is False
    assert_docker_works(host)


def test_the_control_a_plain_write_and_restart(host: Host) -> None:
    """What other tools do with the same host: containers are lost, or icc is silently not in force."""
    host.reset_docker()
    start(host, "one")
    promised = planned(plan(host, *KEEP_DATA))
    write_config(host, promised)
    host.run("systemctl restart docker.service")
    host.wait_for_docker()
    assert up(host) == []

    # With live-restore on before, they are kept; and then the daemon does not do what its file says.
    host.reset_docker({"live-restore": True})
    start(host, "one")
    before = lives(host, ["one"])
    write_config(host, promised)
    host.run("systemctl restart docker.service")
    host.wait_for_docker()
    assert lives(host, ["one"]) == before
    assert icc(host) == "true"


# --- consent


def test_moved_data_leaves_no_orphan_and_comes_back(host: Host) -> None:
    host.reset_docker()
    host.import_image()
    host.run("docker volume create store")
    start(host, "writer", "-v", "store:/store", command=["sh", "-c", "echo kept >/store/x; exec sleep 999"])
    start(host, "always", "--restart=always")
    start(host, "paused")
    start(host, "hostnet", "--network=host")
    start(host, "exited", command=["true"])
    host.run("docker pause paused")
    names = ["writer", "always", "paused", "hostnet"]
    before, old, ids = saved(host), reported(host), container_processes(host)

    held = plan(host)
    reason = row(held, "userns-remap")["reason"]
    assert states(held)["userns-remap"] == "held"
    for words in ("1 image, 5 containers, 1 volume", "writer, always, paused, hostnet", " MB of disk",
                  "--accept userns-remap"):
        assert words in reason, reason

    answer = apply(host, "--accept", "userns-remap")
    assert answer["result"] == "applied"
    assert answer["stops"] == names
    assert answer["containers"]["stopped"] and answer["containers"]["lost"] == []
    assert up(host) == []
    assert container_processes(host) == set()
    assert reported(host)["root"] != old["root"]
    # Nothing waits: none ran when the daemon started.
    assert icc(host) == "false"

    answer = rollback(host)
    assert answer["result"] == UNDONE
    assert up(host) == sorted(names)
    assert container_processes(host) == ids
    assert inspect(host, "paused")["State"]["Paused"]
    assert not inspect(host, "exited")["State"]["Running"]
    host.run("docker unpause paused")
    assert host.run("docker exec writer cat /store/x").stdout == "kept\n"
    assert differences(before, saved(host), times=False) == []
    assert reported(host)["root"] == old["root"]


def test_the_way_back_from_moved_data_asks_too(host: Host) -> None:
    apply(host, "--accept", "userns-remap")
    host.import_image()
    userns = [] if host.can_userns() else ["--userns=host"]
    start(host, "fresh", *userns)
    refused = rollback(host, status=2)
    assert "fresh" in refused["error"] and "--accept userns-remap" in refused["error"]
    assert up(host) == ["fresh"]
    answer = rollback(host, "--accept", "userns-remap")
    assert answer["result"] == UNDONE
    assert up(host) == ["always", "hostnet", "paused", "writer"]
    assert answer["containers"]["stopped"] == [] or "fresh" in answer["containers"]["stopped"]


def test_a_failed_apply_starts_again_what_it_stopped(host: Host) -> None:
    """The configuration is one that dockerd does not start with."""
    before = saved(host)
    wanted = ("--accept", "userns-remap", "--set", "seccomp-profile=/etc/nothing.json")
    answer = apply(host, "--no-rehearsal", *wanted, status=3)
    assert answer["result"] == UNDONE
    assert up(host) == ["always", "hostnet", "paused", "writer"]
    assert differences(before, saved(host), times=False) == []


def test_a_restart_that_stops_containers_waits_for_consent(host: Host) -> None:
    """live-restore is left alone, so that nothing would keep them."""
    host.reset_docker()
    start(host, "one")
    start(host, "two")
    before = lives(host, ["one", "two"])
    skip = ("--skip", "live-restore", *KEEP_DATA)
    answer = apply(host, *skip, status=5)
    assert states(answer)["log-driver"] == "held"
    reason = row(answer, "log-driver")["reason"]
    assert "one, two" in reason and "--accept restart" in reason
    assert lives(host, ["one", "two"]) == before
    answer = apply(host, *skip, "--accept", "restart")
    assert answer["stops"] == ["one", "two"]
    assert answer["containers"]["restarted"] == 2
    assert reported(host)["log-driver"] == "syslog"
    assert up(host) == ["one", "two"]
    assert "--accept restart" in rollback(host, status=2)["error"]
    dry = document(host, "rollback", "--dry-run", "--accept", "restart")
    assert dry["stops"] == ["one", "two"]
    assert rollback(host, "--accept", "restart")["result"] == UNDONE
    assert up(host) == ["one", "two"]


def test_a_container_with_rm(host: Host) -> None:
    host.reset_docker()
    start(host, "job", "--rm")
    start(host, "other")
    before = lives(host, ["job", "other"])
    refused = apply(host, *KEEP_DATA, "--containers", "restart", status=2)
    assert "job" in refused["error"] and "--rm" in refused["error"]
    moved = apply(host, "--accept", "userns-remap", status=2)
    assert "job" in moved["error"]
    assert lives(host, ["job", "other"]) == before

    answer = apply(host, *KEEP_DATA, status=5)
    if host.suite in REMOVES:
        assert states(answer)["log-driver"] == "held"
        assert "job" in row(answer, "log-driver")["reason"]
        assert answer["action"] == "reload"
        assert lives(host, ["job", "other"]) == before
        answer = apply(host, *KEEP_DATA, "--accept", "restart", status=5)
        assert answer["containers"]["lost"] == ["job"]
        assert answer["containers"]["kept"] == 1
    else:
        assert lives(host, ["job", "other"]) == before


# --- interrupted while containers are stopped


def interrupt_a_stop(host: Host) -> list[str]:
    """Returns while harden has stopped the quick one and waits for the slow one."""
    host.reset_docker()
    start(host, "quick", "--restart=unless-stopped")
    host.run_container(options=["--name", "slow", "--stop-timeout", "6"])
    start(host, "paused")
    host.run("docker pause paused")
    start_harden(host, "apply", "--yes", "--containers", "restart", *KEEP_DATA)
    wait_until("one of them has stopped", lambda: "quick" not in up(host))
    assert "slow" in up(host)
    return ["paused", "quick", "slow"]


def assert_all_are_back(host: Host, names: list[str]) -> None:
    assert up(host) == names
    assert inspect(host, "paused")["State"]["Paused"]
    assert (config(host), pending(host)) == (None, None)
    assert reported(host)["live-restore"] is False


def test_killed_while_stopping_and_recovered(host: Host) -> None:
    names = interrupt_a_stop(host)
    signal_harden(host, "KILL")
    wait_until("harden has ended", lambda: not host.run("pgrep -x harden", False).stdout)
    harden(host, "recover", timeout=120)
    assert_all_are_back(host, names)


def test_interrupted_while_stopping(host: Host) -> None:
    names = interrupt_a_stop(host)
    signal_harden(host, "TERM")
    wait_until("it is over", lambda: pending(host) is None, timeout=60)
    wait_until("harden has ended", lambda: not host.run("pgrep -x harden", False).stdout)
    assert_all_are_back(host, names)


def test_without_power_while_stopping(host: Host) -> None:
    """At boot the files come first, and the containers once Docker runs."""
    names = interrupt_a_stop(host)
    host.reboot()
    wait_until("it is over", lambda: pending(host) is None, timeout=60)
    host.wait_for_docker()
    assert_all_are_back(host, names)


# --- where a reload would do harm


def test_a_plugin_given_as_a_flag_is_in_force_at_every_moment(host: Host) -> None:
    host.reset_docker(start=False)
    plugin = Authorizer(host)
    try:
        host.path("/etc/default/docker").write_text("DOCKER_OPTS=--authorization-plugin=deny\n")
        host.run("systemctl start docker.socket docker.service")
        host.wait_for_docker()
        watch_the_plugin(host)
    finally:
        host.run("systemctl stop docker.socket docker.service", check=False)
        plugin.close()


def watch_the_plugin(host: Host) -> None:
    seen: dict[str, int] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            try:
                host.request("/_ping?denied")
                word = "answered"
            except HostError as error:
                word = "denied" if "denied by the plugin" in str(error) else str(error)
            except OSError:
                word = "nobody there"
            seen[word] = seen.get(word, 0) + 1

    start(host, "one")
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        held = apply(host, *KEEP_DATA, status=5)
        assert states(held)["live-restore"] == "held"
        assert "authorization plugins" in row(held, "live-restore")["reason"]
        assert held["action"] == "none"
        done = apply(host, *KEEP_DATA, "--accept", "restart")
        assert done["action"] == "restart"
        assert reported(host)["live-restore"] is True
        back = rollback(host, "--accept", "restart")
        assert back["action"] == "restart"
    finally:
        over.set()
        watcher.join()
    print(f"\n{host.suite}: a request that the plugin denies was: {seen}")
    assert seen.pop("denied") > 0
    assert "answered" not in seen, seen
    assert up(host) == ["one"]


def test_a_swarm_node_never_gets_live_restore(host: Host) -> None:
    host.reset_docker()
    host.import_image()
    host.run("docker swarm init --advertise-addr 127.0.0.1")
    start(host, "alone")
    host.run(
        "docker service create --detach --name web --replicas 2 --no-resolve-image"
        " --stop-grace-period 1s bb:1 sleep 9999"
    )
    wait_until("the tasks run", lambda: len(up(host)) == 3)
    held = apply(host, *KEEP_DATA, status=5)
    assert states(held)["live-restore"] == "skipped"
    assert "swarm" in row(held, "live-restore")["reason"]
    assert "alone" in row(held, "log-driver")["reason"]
    assert held["action"] == "none"

    answer = apply(host, *KEEP_DATA, "--accept", "restart")
    assert answer["stops"] == ["alone"]
    assert "live-restore" not in json.loads(config(host) or b"")
    assert reported(host)["log-driver"] == "syslog"
    assert host.api("/info")["Swarm"]["LocalNodeState"] == "active"
    assert "alone" in up(host)
    wait_until("the tasks are back", lambda: len(up(host)) == 3)
    host.run("docker swarm leave --force")


# --- many

MANY = 200 if os.environ.get("HARDEN_EVERY_CASE") else 40


def test_many_are_kept(host: Host) -> None:
    host.reset_docker()
    host.import_image()
    host.run(
        f"seq {MANY} | xargs -P 4 -I N docker run -d --name cN --network none bb:1 sleep 99999"
        " >/dev/null",
        timeout=300,
    )
    names = [f"c{n + 1}" for n in range(MANY)]
    before = lives(host, names)
    answer = apply(host, *KEEP_DATA, status=5, timeout=180)
    assert answer["containers"]["before"] == answer["containers"]["kept"] == MANY
    assert lives(host, names) == before
    assert len(row(answer, "log-driver")["uncovered"]) == MANY
