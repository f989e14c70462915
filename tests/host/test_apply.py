"""`harden apply` on real hosts: it does what the plan showed, proves it, and asks first."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from applies import (
    CONFIG,
    QUESTION,
    SMALL,
    STATE,
    UNDONE,
    Terminal,
    apply,
    assert_docker_works,
    config,
    document,
    entries,
    finish,
    harden,
    history,
    latest,
    leftovers,
    pending,
    plain,
    plan,
    planned,
    reported,
    rollback,
    row,
    saved,
    slow_start,
    start_harden,
    start_pre_runs,
    states,
    units,
    wait_until,
)
from hosts import REPO, Host, differences

NO_CONTAINERS = {"before": 0, "kept": 0, "restarted": 0, "stopped": [], "lost": []}

RESTARTED = ("icc", "userns-remap", "log-driver", "userland-proxy", "no-new-privileges")


def assert_hardened(host: Host) -> None:
    """The daemon itself says so."""
    said = reported(host)
    assert said["live-restore"] is True
    assert said["log-driver"] == "syslog"
    assert said["bridge"]["com.docker.network.bridge.enable_icc"] == "false"
    assert any("name=userns" in option for option in said["security"])
    # 20.10 does not report it.
    if host.suite != "bookworm":
        assert any("name=no-new-privileges" in option for option in said["security"])
    assert re.search(r"/\d+\.\d+$", said["root"])


# --- a fresh host; the tests up to the next heading follow one another


def test_a_fresh_host_is_hardened_and_a_container_runs(host: Host) -> None:
    before = plan(host)
    promised = planned(before)
    answer = apply(host)
    assert answer["result"] == "applied"
    assert answer["error"] is None
    assert answer["id"]
    assert "held" not in states(answer).values()
    assert "blocked" not in states(answer).values()
    for key, state in states(before).items():
        assert states(answer)[key] == ("applied" if state == "change" else state), key
    for key in RESTARTED[:3]:
        assert row(answer, key)["in_force"] not in (None, row(before, key)["in_force"]), key
    assert answer["files"] == before["files"]
    assert answer["action"] == before["action"] == "restart"
    assert answer["containers"] == NO_CONTAINERS
    assert 0 < answer["api_downtime_ms"] < 30_000
    phases = answer["phases_ms"]
    assert {"prepare", "switch", "restart", "answer", "prove"} <= phases.keys()
    assert all(took >= 0 for took in phases.values())
    assert phases["restart"] > 0

    assert_docker_works(host)
    assert_hardened(host)
    assert (config(host) or b"").decode() == promised
    info = host.path(CONFIG).stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (0, 0, 0o644)
    assert (pending(host), leftovers(host)) == (None, [])

    # The image goes to the new data root.
    host.import_image()
    # In a chroot the kernel lets nobody have user namespaces: the rest is proven all the same.
    userns = "" if host.can_userns() else "--userns=host"
    script = "ulimit -n; grep NoNewPrivs /proc/self/status; cat /proc/self/uid_map"
    said = host.run(f"docker run --rm {userns} bb:1 sh -c '{script}'").stdout.split()
    wanted = row(answer, "default-ulimits")["wanted"]["nofile"]["Soft"]
    assert said[:3] == [str(wanted), "NoNewPrivs:", "1"]
    assert (said[4] != "0") == host.can_userns()


def test_harden_s_own_files_are_for_root_alone(host: Host) -> None:
    assert host.path(STATE).stat().st_mode & 0o7777 == 0o700
    kept = [path for path in host.path(STATE).rglob("*") if not path.is_symlink()]
    assert kept
    for path in kept:
        assert path.stat().st_mode & 0o077 == 0, path
        assert (path.stat().st_uid, path.stat().st_gid) == (0, 0), path


def test_the_history_and_the_journal_know_of_it(host: Host) -> None:
    (entry,) = history(host)
    assert entry["kind"] == "apply"
    assert (entry["of"], entry["error"]) == (None, None)
    assert (entry["state"], entry["result"]) == ("committed", "applied")
    assert (entry["user"], entry["profile"]) == ("root", "hardened")
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(stamp, entry["started"]) and re.fullmatch(stamp, entry["finished"])
    assert entry["started"] <= entry["finished"]
    assert entry["id"] in harden(host, "history").stdout

    said = entries(host, entry["id"])
    assert len(said) >= 2
    assert all(e["HARDEN_USER"] == "root" and e["HARDEN_COMMAND"] == "apply" for e in said)
    assert said[-1]["HARDEN_RESULT"] == "applied"
    assert CONFIG in str(said[-1]["HARDEN_FILES"])
    ids = [e["MESSAGE_ID"] for e in said]
    assert len(set(ids)) == len(ids)
    manual = (REPO / "man/harden.8").read_text(encoding="utf-8")
    assert all(identifier in manual for identifier in ids)


def test_the_second_apply_touches_nothing(host: Host) -> None:
    before = host.snapshot(exclude=[f"{STATE}/lock", STATE], include=[])
    kept = history(host)
    pid = host.dockerd_pid()
    answer = apply(host)
    assert (answer["result"], answer["action"], answer["files"]) == ("unchanged", "none", [])
    assert answer["error"] is None
    done = harden(host, "apply", "--yes")
    assert "unchanged" in done.stdout.splitlines()[-1].lower() or "nothing" in done.stdout.lower()
    harden(host, "--yes")  # no command is the same
    assert host.dockerd_pid() == pid
    assert differences(before, host.snapshot(exclude=[f"{STATE}/lock", STATE])) == []
    assert history(host) == kept
    assert plan(host, "--exit-code")["files"] == []


def test_live_restore_alone_is_a_reload(host: Host) -> None:
    """The host is hardened but for live-restore, which is first taken out by hand."""
    pid = host.dockerd_pid()
    hardened = config(host) or b""
    off = hardened.replace(b'"live-restore": true', b'"live-restore": false')
    host.path(CONFIG).write_bytes(off)
    host.run("systemctl reload docker.service")
    wait_until("live-restore is off", lambda: not reported(host)["live-restore"])

    answer = apply(host)
    assert (answer["result"], answer["action"]) == ("applied", "reload")
    assert [key for key, state in states(answer).items() if state == "applied"] == ["live-restore"]
    assert config(host) == hardened
    assert reported(host)["live-restore"] is True
    assert answer["api_downtime_ms"] in (None, 0)

    answer = rollback(host)
    assert (answer["result"], answer["action"]) == (UNDONE, "reload")
    assert b'"live-restore": false' in (config(host) or b"")
    assert reported(host)["live-restore"] is False
    assert host.dockerd_pid() == pid


def test_live_restore_without_its_key_is_a_reload_too(host: Host) -> None:
    """SIGHUP keeps what is no longer in the file, so putting back needs a step in between."""
    host.reset_docker()
    pid = host.dockerd_pid()
    before = saved(host)
    only = ("--only", "live-restore")
    answer = apply(host, *only)
    assert (answer["result"], answer["action"]) == ("applied", "reload")
    assert reported(host)["live-restore"] is True
    answer = rollback(host)
    assert answer["result"] == UNDONE
    assert differences(before, saved(host), times=False) == []
    assert reported(host)["live-restore"] is False
    assert host.dockerd_pid() == pid


# --- containers


def test_a_running_container_is_kept(host: Host) -> None:
    host.reset_docker()
    container = host.run_container()
    name = host.api(f"/containers/{container}/json")["Name"].lstrip("/")
    pid = host.api(f"/containers/{container}/json")["State"]["Pid"]
    before, old = saved(host), reported(host)

    answer = apply(host, status=5)
    assert (answer["result"], answer["action"]) == ("incomplete", "reload+restart")
    assert answer["containers"] == {**NO_CONTAINERS, "before": 1, "kept": 1}
    assert states(answer)["icc"] == "pending"
    assert row(answer, "icc")["in_force"] is True
    assert states(answer)["live-restore"] == "applied"
    # Images are stored by now, so this waits for consent.
    assert states(answer)["userns-remap"] == "held"
    # What a container was created with, it keeps.
    assert row(answer, "log-driver")["uncovered"] == [name]
    state = host.api(f"/containers/{container}/json")["State"]
    assert (state["Running"], state["Pid"]) == (True, pid)
    assert json.loads(config(host) or b"")["icc"] is False
    assert "userns-remap" not in json.loads(config(host) or b"")
    assert reported(host)["live-restore"] is True
    assert_docker_works(host)

    # icc is still not in force: nothing to write, and no reason to restart either.
    dockerd = host.dockerd_pid()
    again = apply(host, status=5)
    assert states(again)["icc"] == "pending"
    assert again["files"] == []
    assert host.dockerd_pid() == dockerd

    answer = rollback(host)
    assert answer["result"] == UNDONE
    assert differences(before, saved(host), times=False) == []
    assert_docker_works(host)
    now = reported(host)
    assert {**now, "bridge": None} == {**old, "bridge": None}
    host.run(["docker", "rm", "-f", container])


# --- a stopped daemon, and none that is to be restarted


def test_a_stopped_docker_is_not_started(host: Host) -> None:
    host.reset_docker()
    before = saved(host)
    host.run("systemctl stop docker.service")
    # What a daemon that does not run may set is not known: where systemd itself lacks
    # CAP_SYS_RESOURCE, as it may here, the limit proves too high as soon as there is one.
    skip = ("--skip", "default-ulimits")
    promised = planned(plan(host, *skip))
    answer = apply(host, *skip, status=5)
    assert answer["result"] == "incomplete"
    assert answer["api_downtime_ms"] is None
    assert units(host) == ("inactive", "active")
    assert (config(host) or b"").decode() == promised
    assert "applied" not in [states(answer)[key] for key in RESTARTED]
    assert (pending(host), leftovers(host)) == (None, [])
    # The words for people; there is nothing to do but to start it.
    assert "was not started" in plain(answer["_stderr"])
    assert "systemctl start docker.service" in plain(answer["_stderr"])

    host.run("systemctl start docker.service")
    host.wait_for_docker()
    again = apply(host, *skip)
    assert (again["result"], again["files"]) == ("unchanged", [])
    assert_hardened(host)

    host.run("systemctl stop docker.service")
    assert rollback(host)["result"] == UNDONE
    assert differences(before, saved(host), times=False) == []
    assert units(host) == ("inactive", "active")


def test_without_a_restart_only_files_change(host: Host) -> None:
    host.reset_docker()
    pid = host.dockerd_pid()
    promised = planned(plan(host))
    answer = apply(host, "--no-restart", status=5)
    assert answer["result"] == "incomplete"
    assert answer["api_downtime_ms"] is None
    assert (config(host) or b"").decode() == promised
    assert states(answer)["log-driver"] == "pending"
    assert host.dockerd_pid() == pid
    assert reported(host)["live-restore"] is False
    # Again: still nothing is restarted, and still it is not in force.
    apply(host, "--no-restart", status=5)
    assert host.dockerd_pid() == pid

    answer = apply(host)
    assert (answer["result"], answer["files"], answer["action"]) == ("applied", [], "restart")
    assert host.dockerd_pid() != pid
    assert_hardened(host)
    assert apply(host)["result"] == "unchanged"


# --- several at once


def test_the_second_of_two_names_the_first(host: Host) -> None:
    host.reset_docker()
    with slow_start(host, 2):
        first = start_harden(host, "apply", "--yes", "--json", *SMALL)
        wait_until("docker is being restarted", lambda: start_pre_runs(host))
        holder = host.run("pgrep -x harden").stdout.strip()
        began = time.monotonic()
        second = apply(host, *SMALL, status=2)
        back = harden(host, "rollback", "--yes", status=2)
        assert time.monotonic() - began < 2.5
        # Looking is allowed, and says what goes on.
        seen = plan(host)
        status, out, err = finish(first)
    assert second["result"] == "refused"
    assert holder in second["error"]
    assert holder in back.stderr
    assert any(re.search(r"apply|pending|progress", text) for text in seen["warnings"])
    assert status == 0, out + err
    assert json.loads(out)["result"] == "applied"
    assert [entry["state"] for entry in history(host)] == ["committed"]
    assert apply(host, *SMALL)["result"] == "unchanged"


def test_fifty_at_once_leave_one_result(host: Host) -> None:
    host.reset_docker()
    promised = planned(plan(host))
    host.run(
        "mkdir -p /run/fifty; for i in $(seq 50); do"
        " (harden apply --yes --json >/run/fifty/$i 2>/dev/null; echo $? >/run/fifty/$i.status) &"
        " done; wait",
        timeout=120,
    )
    folder = host.live_path("/run/fifty")
    results: dict[tuple[int, str], int] = {}
    for number in range(1, 51):
        status = int((folder / f"{number}.status").read_text(encoding="utf-8"))
        answer = json.loads((folder / str(number)).read_text(encoding="utf-8"))
        key = (status, str(answer.get("result")))
        results[key] = results.get(key, 0) + 1
    host.run("rm -rf /run/fifty")
    assert results.pop((0, "applied")) == 1
    assert results.keys() <= {(2, "refused"), (0, "unchanged")}, results
    assert [entry["result"] for entry in history(host)] == ["applied"]
    assert (pending(host), leftovers(host)) == (None, [])
    assert (config(host) or b"").decode() == promised
    assert_docker_works(host)
    assert_hardened(host)


# --- the faces


def test_the_question(host: Host) -> None:
    host.reset_docker()
    before = saved(host)
    pid = host.dockerd_pid()
    for keys in (b"n\n", b"\x04", b"\x03", b"yesterday\n"):
        terminal = Terminal(host, "harden", "apply", *SMALL)
        terminal.read_until(QUESTION)
        assert '"no-new-privileges": true' in terminal.text
        terminal.send(keys)
        status = terminal.finish()
        assert status == 2, f"{keys!r}: exit {status}\n{terminal.text}"
        assert "nothing was changed" in plain(terminal.text).lower()
        assert differences(before, saved(host), times=False) == []
    assert host.dockerd_pid() == pid
    assert history(host) == []

    terminal = Terminal(host, "harden", *SMALL)
    terminal.read_until(QUESTION)
    terminal.send(b"y\n")
    assert terminal.finish() == 0, terminal.text
    assert json.loads(config(host) or b"")["userland-proxy"] is False
    assert host.dockerd_pid() != pid

    terminal = Terminal(host, "harden", "rollback")
    terminal.read_until(QUESTION)
    terminal.send(b"n\n")
    assert terminal.finish() == 2, terminal.text
    assert latest(host)["kind"] == "apply"
    terminal = Terminal(host, "harden", "rollback")
    terminal.read_until(QUESTION)
    terminal.send(b"y\n")
    assert terminal.finish() == 0, terminal.text
    assert differences(before, saved(host), times=False) == []


def test_without_a_terminal_or_consent_it_refuses(host: Host) -> None:
    """This and the three that follow change nothing, and need one fresh host."""
    host.reset_docker()
    before = saved(host)
    for words in (["apply"], ["apply", "--json"], ["apply", "--quiet"], []):
        done = harden(host, *words, *SMALL, status=2)
        assert "--yes" in done.stdout + done.stderr
    # The answer is not taken from a pipe.
    assert host.run(["harden", "apply", *SMALL], check=False, input="y\n").returncode == 2
    assert differences(before, saved(host), times=False) == []
    assert history(host) == []
    assert not host.path(STATE).exists()


def test_an_ordinary_user_is_refused(host: Host) -> None:
    before = saved(host)
    for words in (["apply", "--yes"], ["rollback", "--yes"], ["recover"]):
        done = harden(host, *words, status=2, user="nobody")
        assert "root" in done.stderr
    assert differences(before, saved(host), times=False) == []


def test_dry_run_is_a_plan(host: Host) -> None:
    before = saved(host)
    shown: dict[str, Any] = json.loads(harden(host, "apply", "--dry-run", "--json").stdout)
    assert states(shown) == states(plan(host))
    assert shown["files"] == plan(host)["files"]
    assert differences(before, saved(host), times=False) == []
    assert not host.path(STATE).exists()


def test_obstacles_stop_it(host: Host) -> None:
    """What the plan knows dockerd will not start with is not tried."""
    before = saved(host)
    pid = host.dockerd_pid()
    answer = apply(host, "--set", "default-runtime=nope", status=2)
    assert answer["result"] == "refused"
    assert answer["obstacles"] and "default-runtime" in answer["obstacles"][0]
    assert differences(before, saved(host), times=False) == []
    assert host.dockerd_pid() == pid


def test_text_says_what_happened(host: Host) -> None:
    host.reset_docker()
    done = harden(host, "apply", "--yes", *SMALL)
    shown = done.stdout.splitlines()
    assert '+  "userland-proxy": false' in done.stdout
    assert latest(host)["id"] in done.stdout
    assert "harden rollback" in plain(done.stdout)
    assert max(map(len, shown)) <= 80
    assert "\033" not in done.stdout + done.stderr
    # Progress is for people: it is shown, but not among what may be kept.
    assert "restart" in (done.stdout + done.stderr).lower()

    # What is quiet says one thing: what came of it.
    done = harden(host, "rollback", "--yes", "--quiet")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_mistakes_change_nothing(host: Host) -> None:
    host.reset_docker({"debug": False})
    before = saved(host)
    for words in (
        ["--set", "nonsense=1"],
        ["word"],
        ["--profile", "/nowhere"],
        ["--only", "nonsense"],
        ["--accept", "nonsense"],
    ):
        assert harden(host, "apply", "--yes", *words, status=2).stderr
        assert document(host, "apply", "--yes", *words, status=2)["error"]
    assert harden(host, "apply", "--yes", "--timeout", "0", status=2).stderr
    assert differences(before, saved(host), times=False) == []

    host.path(CONFIG).write_bytes(b'{\n  "icc": \n}')
    assert re.search(r"line 3|:3:", apply(host, status=2)["error"])
    assert config(host) == b'{\n  "icc": \n}'
    assert history(host) == []
