"""`harden rollback` on real hosts: every file is as it was, and so is the daemon."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

import pytest
from applies import (
    ACL,
    CONFIG,
    SMALL,
    STATE,
    UNDONE,
    USERS,
    apply,
    assert_docker_works,
    config,
    document,
    entries,
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
    saved,
    states,
)
from hosts import Host, differences


def test_everything_is_as_it_was(host: Host) -> None:
    """Also the folders that the apply made: a fresh dockerd need not have /etc/docker."""
    host.reset_docker()
    before, said = saved(host), reported(host)
    users = saved(host, include=tuple(USERS))
    applied = apply(host)
    assert reported(host) != said
    done = harden(host, "rollback", "--yes")
    assert "dockremap" in plain(done.stdout)
    assert differences(before, saved(host), times=False) == []
    # The user and its ranges are dockerd's, and files may belong to it by now.
    changed = differences(users, saved(host, include=tuple(USERS)), times=False)
    assert {line.partition(":")[0] for line in changed} <= set(USERS)
    assert reported(host) == said
    assert_docker_works(host)
    assert (pending(host), leftovers(host)) == (None, [])

    entry = latest(host)
    assert (entry["kind"], entry["of"]) == ("rollback", applied["id"])
    assert (entry["state"], entry["result"]) == ("committed", UNDONE)
    said_in_journal = entries(host, entry["id"])
    assert said_in_journal[-1]["HARDEN_RESULT"] == UNDONE
    assert said_in_journal[-1]["HARDEN_USER"] == "root"
    # The plan is again the one of a fresh host.
    assert states(plan(host)) == {
        key: "change" if state == "applied" else state for key, state in states(applied).items()
    }


# --- odd files

ODD: dict[str, bytes] = {
    "tabs": b'{\n\t"debug": false,\n\t"labels": ["a=b"],\n\t"mtu":\t1400\n}\n',
    "CRLF": b'{\r\n  "debug": false,\r\n  "labels": ["a=b"]\r\n}\r\n',
    "no newline": b'{"icc": true, "x\\u002dy": {}, "debug" : false , "log-driver":"json-file"}',
}


@pytest.mark.parametrize("odd", ODD, ids=lambda name: name.replace(" ", "-"))
def test_an_odd_file_keeps_its_face(host: Host, odd: str) -> None:
    host.reset_docker(ODD[odd])
    path = host.path(CONFIG)
    os.chown(path, 1000, 1000)
    path.chmod(0o600)
    os.setxattr(path, "user.note", b"\0mine\xff")
    os.setxattr(path, "user.empty", b"")
    with_acl = odd != "CRLF"
    if with_acl:
        os.setxattr(path, "system.posix_acl_access", ACL)
    before = saved(host)
    mode = stat.S_IMODE(path.stat().st_mode)
    promised = planned(plan(host), ODD[odd].decode())

    # Left to it, harden gives the file to root, as CIS asks.
    keep_owner = ("--skip", "file.daemon.json") if odd == "tabs" else ()
    applied = apply(host, *keep_owner)
    assert states(applied)["log-driver"] == "applied"
    assert path.read_bytes() == promised.encode()
    info = path.stat()
    assert (info.st_uid, info.st_gid) == ((1000, 1000) if keep_owner else (0, 0))
    assert stat.S_IMODE(info.st_mode) == mode
    names = {"user.note", "user.empty"} | ({"system.posix_acl_access"} if with_acl else set())
    assert set(os.listxattr(path)) == names
    assert os.getxattr(path, "user.note") == b"\0mine\xff"
    assert not with_acl or os.getxattr(path, "system.posix_acl_access") == ACL

    assert rollback(host)["result"] == UNDONE
    assert differences(before, saved(host), times=False) == []
    assert_docker_works(host)


def test_owner_and_mode_alone(host: Host) -> None:
    host.reset_docker({"debug": False})
    path = host.path(CONFIG)
    os.chown(path, 1000, 1000)
    path.chmod(0o666)
    before = saved(host)
    pid = host.dockerd_pid()
    answer = apply(host, "--only", "file.daemon.json")
    assert (answer["result"], answer["action"]) == ("applied", "none")
    info = path.stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (0, 0, 0o644)
    assert states(answer)["file.daemon.json"] == "applied"
    rollback(host)
    assert differences(before, saved(host), times=False) == []
    assert host.dockerd_pid() == pid


# --- symlinks


@contextlib.contextmanager
def linked(host: Host, target: str, content: bytes | None) -> Iterator[None]:
    host.reset_docker()
    folder = host.path("/srv/config")
    host.run("mkdir -p /etc/docker /srv/config")
    host.path(CONFIG).symlink_to(target)
    if content is not None:
        (folder / "docker.json").write_bytes(content)
        host.run("systemctl restart docker.service")
        host.wait_for_docker()
    try:
        yield
    finally:
        host.run("rm -rf /srv/config")


@pytest.mark.parametrize(
    ("target", "content"),
    [("../../srv/config/docker.json", b'{"debug": false}'), ("/srv/config/docker.json", None)],
    ids=["there", "dangling"],
)
def test_a_symlink_keeps_pointing(host: Host, target: str, content: bytes | None) -> None:
    with linked(host, target, content):
        before = saved(host)
        apply(host, *SMALL)
        assert os.readlink(host.path(CONFIG)) == target
        written = host.path("/srv/config/docker.json")
        assert b'"no-new-privileges": true' in written.read_bytes()
        assert not written.is_symlink()
        assert_docker_works(host)
        assert leftovers(host) == []
        rollback(host)
        assert differences(before, saved(host), times=False) == []
        assert written.exists() is (content is not None)
        assert_docker_works(host)


# --- what is rolled back


def test_dry_run_changes_nothing(host: Host) -> None:
    host.reset_docker()
    applied = apply(host, *SMALL)
    before = host.snapshot(exclude=[f"{STATE}/lock"])
    pid = host.dockerd_pid()
    shown = document(host, "rollback", "--dry-run")
    assert shown["action"] == "restart"
    (file,) = shown["files"]
    assert (file["path"], file["action"]) == (CONFIG, "remove")
    text = harden(host, "rollback", "--dry-run").stdout
    assert '-  "userland-proxy": false' in text
    assert applied["id"] in text
    assert "nothing was changed" in plain(text).lower()
    assert host.dockerd_pid() == pid
    assert differences(before, host.snapshot(exclude=[f"{STATE}/lock"])) == []


def test_a_file_edited_since_is_not_overwritten(host: Host) -> None:
    """Follows the one before: one apply is there."""
    applied = config(host) or b""
    host.path(CONFIG).write_bytes(applied.replace(b"{", b'{\n  "debug": true,', 1))
    before = saved(host)
    pid = host.dockerd_pid()
    done = harden(host, "rollback", "--yes", status=2)
    said = done.stdout + done.stderr
    assert CONFIG in said
    assert '"debug": true' in said
    assert "--force" in said
    answer = rollback(host, status=2)
    assert answer["result"] == "refused"
    assert CONFIG in answer["error"]
    # Looking at it says the same.
    assert '"debug": true' in harden(host, "rollback", "--dry-run", status=2).stdout + done.stderr
    assert differences(before, saved(host), times=False) == []
    assert host.dockerd_pid() == pid
    assert [entry["kind"] for entry in history(host)] == ["apply"]

    answer = rollback(host, "--force")
    assert answer["result"] == UNDONE
    assert config(host) is None
    assert_docker_works(host)


def test_a_rollback_is_rolled_back_too(host: Host) -> None:
    """Follows the one before: its edited file comes back, and goes again."""
    rollback_id = latest(host)["id"]
    answer = rollback(host, rollback_id)
    assert answer["result"] == UNDONE
    assert b'"debug": true' in (config(host) or b"")
    assert latest(host)["of"] == rollback_id
    assert reported(host)["live-restore"] is False
    assert_docker_works(host)
    last = latest(host)["id"]
    rollback(host, last)
    assert config(host) is None


def test_with_nothing_to_roll_back(host: Host) -> None:
    host.reset_docker()
    before = saved(host)
    done = harden(host, "rollback", "--yes")
    assert "nothing" in done.stdout.lower()
    assert rollback(host)["result"] == "unchanged"
    assert document(host, "recover")["result"] == "unchanged"
    assert history(host) == []
    assert "nothing" in harden(host, "history").stdout.lower() or not harden(host, "history").stdout
    assert differences(before, saved(host)) == []

    done = harden(host, "rollback", "--yes", "20200101T000000Z", status=2)
    assert "20200101T000000Z" in done.stderr
    for word in ("..", "applies/x", "", "*"):
        harden(host, "rollback", "--yes", word, status=2)


def test_two_applies_and_back_step_by_step(host: Host) -> None:
    host.reset_docker({"debug": False})
    fresh = saved(host)
    first = apply(host, "--only", "no-new-privileges")
    between = saved(host)
    second = apply(host, "--only", "log-driver", "--set", "log-driver=journald")
    after = saved(host)
    assert reported(host)["log-driver"] == "journald"
    assert first["id"] < second["id"]

    # The older one first would undo half of the newer one's file.
    answer = rollback(host, first["id"], status=2)
    assert answer["result"] == "refused"
    assert differences(after, saved(host), times=False) == []

    # The latest that is in force, and then the one before it.
    assert rollback(host)["result"] == UNDONE
    assert latest(host)["of"] == second["id"]
    assert differences(between, saved(host), times=False) == []
    assert reported(host)["log-driver"] == "json-file"
    assert rollback(host)["result"] == UNDONE
    assert latest(host)["of"] == first["id"]
    assert differences(fresh, saved(host), times=False) == []
    assert rollback(host)["result"] == "unchanged"
    assert [entry["kind"] for entry in history(host)].count("rollback") == 2

    # An id may be shortened as long as it is clear which one is meant.
    third = apply(host, "--only", "no-new-privileges")
    assert rollback(host, third["id"][:-1])["result"] == UNDONE
    year = third["id"][:4]
    assert year in harden(host, "rollback", "--yes", year, status=2).stderr
    assert differences(fresh, saved(host), times=False) == []


# --- more than daemon.json


def test_several_files_go_and_come_back_together(host: Host) -> None:
    host.reset_docker({"debug": False})
    folder, environment = host.path("/etc/docker"), host.path("/etc/default/docker")
    folder.chmod(0o777)
    environment.chmod(0o666)
    os.chown(environment, 0, 1000)
    os.setxattr(environment, "user.note", b"mine")
    before = saved(host)
    answer = apply(host)
    assert {(file["path"], file["action"]) for file in answer["files"]} == {
        (CONFIG, "modify"),
        ("/etc/docker", "mode"),
        ("/etc/default/docker", "mode"),
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE(environment.stat().st_mode) == 0o644
    assert os.getxattr(environment, "user.note") == b"mine"
    assert_docker_works(host)

    # What was written into a file since is kept: only its owner and mode were changed.
    with environment.open("a", encoding="utf-8") as file:
        file.write("# a line of mine\n")
    rollback(host)
    changed = differences(before, saved(host), times=False)
    assert {line.split()[1] for line in changed} == {"size", "content"}, changed
    assert {line.partition(":")[0] for line in changed} == {"/etc/default/docker"}
    assert_docker_works(host)
