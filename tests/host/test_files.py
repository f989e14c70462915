"""Owner and mode of the files of CIS section 3: corrected by an apply, and put back by a rollback."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from applies import (
    CONFIG,
    apply,
    assert_docker_works,
    config,
    harden,
    history,
    leftovers,
    plan,
    rollback,
    row,
    saved,
    states,
)
from hosts import Host, differences

NOBODY = 65534
SOCKET = "/run/docker.sock"
DROPIN = "/etc/systemd/system/docker.socket.d/zz-harden.conf"
TLS = "/etc/docker/tls"

# What is wrong, and how strict it has to be afterwards. Folders end in a slash.
WRONG = {
    "/lib/systemd/system/docker.service": (0, NOBODY, 0o664, 0o644),
    "/lib/systemd/system/docker.socket": (NOBODY, 0, 0o666, 0o644),
    "/etc/systemd/system/docker.service.d/10-site.conf": (0, 0, 0o666, 0o644),
    "/etc/systemd/system/docker.socket.d/10-site.conf": (NOBODY, NOBODY, 0o644, 0o644),
    "/etc/docker/": (0, NOBODY, 0o775, 0o755),
    CONFIG: (NOBODY, 0, 0o646, 0o644),
    "/etc/default/docker": (0, NOBODY, 0o664, 0o644),
    "/etc/default/docker-more": (0, 0, 0o606, 0o604),
    "/etc/sysconfig/docker": (NOBODY, NOBODY, 0o600, 0o600),
    "/etc/docker/certs.d/": (NOBODY, 0, 0o777, 0o755),
    "/etc/docker/certs.d/registry.example:5000/": (0, 0, 0o757, 0o755),
    "/etc/docker/certs.d/registry.example:5000/ca.crt": (0, NOBODY, 0o664, 0o444),
    "/etc/docker/certs.d/registry.example:5000/client.key": (0, 0, 0o600, 0o400),
    f"{TLS}/ca.pem": (NOBODY, 0, 0o644, 0o444),
    f"{TLS}/cert.pem": (0, 0, 0o666, 0o444),
    f"{TLS}/key.pem": (0, NOBODY, 0o640, 0o400),
}


def real(path: str) -> str:
    return path.rstrip("/")


def attributes(host: Host, path: str) -> tuple[int, int, int]:
    info = host.live_path(real(path)).stat()
    return info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)


def spoil(host: Host) -> None:
    for path, (uid, gid, mode, _) in WRONG.items():
        file = host.path(real(path))
        if path.endswith("/"):
            file.mkdir(parents=True, exist_ok=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_text("[Service]\n" if "systemd" in path else "# nothing\n")
    host.path("/etc/systemd/system/docker.service.d/10-site.conf").write_text(
        "[Service]\nEnvironmentFile=-/etc/default/docker-more\n"
    )
    host.path("/etc/systemd/system/docker.socket.d/10-site.conf").write_text("[Socket]\n")
    # Only named: without tls nobody reads them.
    host.path(CONFIG).write_text(
        json.dumps({f"tls{name}": f"{TLS}/{file}.pem" for name, file in
                    (("cacert", "ca"), ("cert", "cert"), ("key", "key"))})
    )
    for path, (uid, gid, mode, _) in WRONG.items():
        os.chown(host.path(real(path)), uid, gid)
        os.chmod(host.path(real(path)), mode)
    host.run("systemctl daemon-reload; systemctl reset-failed; systemctl restart docker.service")
    host.wait_for_docker()


def only_files(host: Host) -> list[str]:
    keys = [key for key in states(plan(host)) if key.startswith("file.")]
    return [word for key in keys for word in ("--only", key)]


def test_all_of_them_there_and_back(host: Host) -> None:
    host.reset_docker()
    try:
        spoil(host)
        before = saved(host)
        only = only_files(host)
        pid = host.dockerd_pid()
        answer = apply(host, *only)
        assert answer["result"] == "applied", answer
        assert answer["action"] == "none" and host.dockerd_pid() == pid
        wrong = [row for row in answer["settings"] if row["state"] not in ("applied", "ok", "skipped")]
        assert wrong == []
        for path, (_, _, _, mode) in WRONG.items():
            assert attributes(host, path) == (0, 0, mode), path
        assert {f["action"] for f in answer["files"]} == {"mode"}
        assert plan(host, *only)["files"] == []

        assert rollback(host)["result"] == "rolled-back"
        for path, (uid, gid, mode, _) in WRONG.items():
            assert attributes(host, path) == (uid, gid, mode), path
        assert differences(before, saved(host), times=False) == []
        assert leftovers(host) == []
    finally:
        for path in ("/lib/systemd/system/docker.service", "/lib/systemd/system/docker.socket"):
            os.chown(host.path(path), 0, 0)
            os.chmod(host.path(path), 0o644)
        host.run("rm -rf /etc/sysconfig /etc/default/docker-more /etc/docker/tls")


def group_of(host: Host, name: str) -> int:
    return int(host.run(["getent", "group", name]).stdout.split(":")[2])


def test_the_socket_through_its_unit(host: Host) -> None:
    host.reset_docker()
    folder = host.path(DROPIN).parent
    folder.mkdir(parents=True)
    # It sorts behind the usual name, so harden's has to have another.
    (folder / "zzz-open.conf").write_text("[Socket]\nSocketMode=0666\nSocketGroup=adm\n")
    host.run("systemctl daemon-reload; systemctl reset-failed; systemctl stop docker.service docker.socket;"
             " systemctl start docker.socket docker.service")
    host.wait_for_docker()
    before, pid = saved(host), host.dockerd_pid()
    opened = attributes(host, SOCKET)
    assert opened == (0, group_of(host, "adm"), 0o666)

    only = ("--only", "file.docker.sock")
    answer = apply(host, *only)
    assert answer["result"] == "applied"
    assert row(answer, "file.docker.sock")["state"] == "applied"
    docker = group_of(host, "docker")
    assert attributes(host, SOCKET) == (0, docker, 0o660)
    assert host.dockerd_pid() == pid
    (dropin,) = [f["path"] for f in answer["files"] if f["action"] == "create"]
    assert Path(dropin).name == "zzzz-harden.conf"
    shown = host.run("systemctl show --property=SocketMode,SocketGroup docker.socket").stdout
    assert set(shown.split()) == {"SocketMode=0660", "SocketGroup=docker"}
    # The unit itself opens it like this from now on.
    host.run("systemctl reset-failed; systemctl restart docker.socket docker.service")
    host.wait_for_docker()
    assert attributes(host, SOCKET) == (0, docker, 0o660)
    assert plan(host, *only)["files"] == []

    assert rollback(host)["result"] == "rolled-back"
    assert attributes(host, SOCKET) == opened
    assert differences(before, saved(host), times=False) == []
    shown = host.run("systemctl show --property=SocketMode --value docker.socket").stdout
    assert shown.strip() == "0666"
    assert_docker_works(host)


def test_a_socket_that_somebody_has_opened_by_hand(host: Host) -> None:
    host.reset_docker()
    host.run(f"chmod 0666 {SOCKET}")
    answer = apply(host, "--only", "file.docker.sock")
    assert [f["action"] for f in answer["files"]] == ["mode"]
    assert attributes(host, SOCKET) == (0, group_of(host, "docker"), 0o660)
    # After a reboot there is another socket, and nothing to put back.
    host.reboot()
    assert rollback(host)["result"] in ("rolled-back", "unchanged")
    assert_docker_works(host)


def test_killed_in_the_middle(host: Host) -> None:
    """The record knows sockets, too."""
    host.reset_docker()
    host.run(f"chmod 0666 {SOCKET}")
    host.run(
        ["strace", "-f", "-o", "/dev/null", "-e", "trace=chmod", "-e",
         "inject=chmod:signal=KILL:when=1", "harden", "apply", "--yes", "--only", "file.docker.sock"],
        check=False,
    )
    assert any("recover" in warning for warning in plan(host)["warnings"])
    harden(host, "recover")
    assert attributes(host, SOCKET)[2] == 0o666
    assert {entry["result"] for entry in history(host)} == {"rolled-back"}


def test_what_cannot_be_changed_here(host: Host) -> None:
    host.reset_docker()
    unit = host.path("/lib/systemd/system/docker.service")
    unit.chmod(0o666)
    try:
        # A system whose /usr is read-only: the rest goes on.
        host.run("mount --bind /usr /usr && mount -o remount,bind,ro /usr")
        answer = apply(host, "--only", "file.docker.service", "--only", "live-restore", status=5)
        assert states(answer)["file.docker.service"] == "blocked"
        assert "read-only" in row(answer, "file.docker.service")["reason"]
        assert states(answer)["live-restore"] == "applied"
    finally:
        host.run("umount /usr", check=False)
        unit.chmod(0o644)
    assert config(host) is not None


def test_links(host: Host) -> None:
    """A link keeps pointing; what it points at is corrected. A device is nobody's file."""
    host.reset_docker()
    host.path("/srv/daemon.json").write_text("{}")
    host.path("/srv/daemon.json").chmod(0o666)
    host.path(CONFIG).unlink(missing_ok=True)
    host.path("/etc/docker").mkdir(exist_ok=True)
    host.path(CONFIG).symlink_to("../../srv/daemon.json")
    default = host.path("/etc/default/docker")
    default.unlink()
    default.symlink_to("/dev/null")
    try:
        only = ("--only", "file.daemon.json", "--only", "file.default-docker")
        answer = apply(host, *only)
        assert answer["result"] == "applied" and len(answer["files"]) == 1
        assert stat.S_IMODE(host.path("/srv/daemon.json").stat().st_mode) == 0o644
        assert host.path(CONFIG).is_symlink()
        assert attributes(host, "/dev/null")[2] == 0o666
        rollback(host)
        assert stat.S_IMODE(host.path("/srv/daemon.json").stat().st_mode) == 0o666
    finally:
        default.unlink()
        host.path("/srv/daemon.json").unlink()
        host.reset_docker()
