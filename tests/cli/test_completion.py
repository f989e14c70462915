"""What TAB offers in the real bash, zsh and fish, with the completions where `make install` puts them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cli import FAKE_HOST, HARDEN, PYTHON, harden
from test_root import apply, make_image

REPO = Path(__file__).parents[2]
TABLE = json.loads(harden("--completion", "json", host=None).stdout)
COMMANDS = {row["name"] for row in TABLE["commands"]}

BASH = r"""
source /usr/share/bash-completion/bash_completion
bind 'set bell-style none'
bind 'set completion-query-items 0'
bind 'set page-completions off'
bind 'set enable-bracketed-paste off'
_completion_loader harden
_spy() { _harden "$@"; printf '%s\n' "${COMPREPLY[@]}" >"$ANSWER/offers"; }
eval "$(complete -p harden | sed 's/-F _harden/-F _spy/')"
_dump() { printf '%s' "$READLINE_LINE" >"$ANSWER/new"; mv "$ANSWER/new" "$ANSWER/line"; READLINE_LINE=; }
bind -x '"\C-x\C-p": _dump'
PS1='ready> '
"""

ZSH = r"""
fpath=($SITE $fpath)
autoload -Uz compinit && compinit -u -D
setopt no_beep no_always_last_prompt
LISTMAX=10000
compadd() {
	local -a got
	[[ " ${@[1,(i)-(|-)]} " == *" -"[OAD]" "* ]] || {
		builtin compadd -A got "$@"
		(( $#got )) && print -rl -- $got >>$ANSWER/offers
	}
	builtin compadd "$@"
}
dump() { print -rn -- $BUFFER >$ANSWER/new; mv $ANSWER/new $ANSWER/line; BUFFER= }
zle -N dump
bindkey '^X^P' dump
PS1='ready> '
"""


class Shell:
    """An interactive shell on a terminal of its own, on a machine with an empty /run."""

    def __init__(self, command: list[str], answer: Path, env: dict[str, str]) -> None:
        self.answer = answer
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvpe("unshare", ["unshare", "--mount", PYTHON, FAKE_HOST, "none", *command],
                       {**env, "ANSWER": str(answer), "TERM": "dumb"})
        self.read_until(lambda text: "ready> " in text)

    def read_until(self, test: object) -> None:
        shown = ""
        deadline = time.monotonic() + 60
        while not test(shown):  # type: ignore[operator]
            assert time.monotonic() < deadline, f"no answer; it shows:\n{shown}"
            if select.select([self.terminal], [], [], 0.05)[0]:
                shown += os.read(self.terminal, 65536).decode(errors="replace")

    def press_tab(self, line: str) -> tuple[set[str], str]:
        """What is offered, and the line afterwards."""
        offers, after = self.answer / "offers", self.answer / "line"
        for file in (offers, after):
            file.unlink(missing_ok=True)
        os.write(self.terminal, line.encode() + b"\t\x18\x10")
        self.read_until(lambda _: after.exists())
        words = offers.read_text().splitlines() if offers.exists() else []
        return {word for word in words if word}, after.read_text()

    def close(self) -> None:
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


class Fish:
    """fish tells what it would offer without a terminal."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def press_tab(self, line: str) -> tuple[set[str], str]:
        done = subprocess.run(
            ["unshare", "--mount", PYTHON, FAKE_HOST, "none", "fish", "-c", 'complete -C "$LINE"'],
            env={**self.env, "LINE": line}, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return {word.partition("\t")[0] for word in done.stdout.splitlines()}, ""

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """harden, installed below a folder, and what else a line may name."""
    place = tmp_path_factory.mktemp("place")
    command = ["make", "-s", "-C", str(REPO), "install", f"DESTDIR={place}", "prefix=/usr",
               f"BUILD={Path(HARDEN).resolve().parent}"]
    env = {name: v for name, v in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    subprocess.run(command, check=True, env=env, capture_output=True)
    image = make_image(place / "image")
    (place / "store").mkdir(mode=0o700)
    for words in (["--only", "icc"], ["--only", "live-restore"]):
        apply(image, *words)
    shutil.copytree(image / "var/lib/harden", place / "store", dirs_exist_ok=True)
    # Root has the one of the host, everybody the one of the image.
    (place / "bin").mkdir()
    (place / "bin/systemctl").write_text("#!/bin/sh\necho 'docker.service enabled enabled'\n"
                                         "echo 'dockish.service enabled enabled'\n")
    # fish completes only behind a program that is there.
    (place / "bin/sudo").write_text("#!/bin/false\n")
    for name in ("systemctl", "sudo"):
        (place / "bin" / name).chmod(0o755)
    (place / "site.json").write_text('{"schema": 1, "name": "site", "extends": "level1"}')
    for name in ("folder", "home"):
        (place / name).mkdir()
    return place


@pytest.fixture(scope="module", params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, place: Path) -> Iterator[Shell | Fish]:
    name = request.param
    if not shutil.which(name) or not Path("/usr/share/bash-completion").exists():
        reason = "bash-completion, zsh and fish are not all here"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    share = place / "usr/share"
    env = {
        "PATH": f"{place}/bin:{place}/usr/sbin:{os.environ['PATH']}", "HOME": str(place / "home"),
        "LANG": "C.UTF-8", "XDG_DATA_DIRS": f"{share}:/usr/share", "FAKE_STORE": str(place / "store"),
        "SITE": str(share / "zsh/vendor-completions"), "ZDOTDIR": str(place / "home"),
    }
    answer = place / f"answer-{name}"
    answer.mkdir()
    if name == "fish":
        started: Shell | Fish = Fish(env)
    elif name == "zsh":
        (place / "home/.zshrc").write_text(ZSH)
        started = Shell(["zsh", "-i"], answer, env)
    else:
        (answer / "rc").write_text(BASH)
        started = Shell(["bash", "--noprofile", "--rcfile", str(answer / "rc"), "-i"], answer, env)
    yield started
    started.close()


def plain(word: str) -> str:
    """Each shell leaves out another part of what has been typed already."""
    return word.rstrip("/=").rpartition("=")[2].rpartition("/")[2]


# A line, what TAB offers, and what it must not. `only` means: nothing else.
CASES = [
    ("harden ", COMMANDS, {"--yes"}, True),
    ("harden pl", {"plan"}, set(), True),
    ("harden --yes r", {"rollback", "recover"}, set(), True),
    ("harden --profile level1 c", {"check"}, set(), True),
    ("harden -n --color never ch", {"check"}, set(), True),
    ("harden --dr", {"--dry-run"}, set(), True),
    ("harden check --", {"--format", "--benchmark", "--json", "--help"}, {"--yes", "--force"}, False),
    ("harden plan --", {"--set", "--exit-code", "--root"}, {"--format", "--force", "--yes"}, False),
    ("harden rollback --", {"--force", "--yes", "--timeout"}, {"--profile", "--format"}, False),
    ("harden --format ", {"text", "json", "junit", "sarif"}, set(), True),
    ("harden check --format=j", {"json", "junit"}, set(), True),
    ("harden --containers r", {"restart"}, set(), True),
    ("harden check --benchmark 1.", {"1.1", "1.6", "1.7", "1.8"}, set(), True),
    ("harden --color=", {"auto", "always", "never"}, set(), True),
    ("harden --profile h", {"hardened"}, set(), False),
    ("harden --profile=l", {"level1"}, set(), False),
    ("harden plan --only log-", {"log-driver", "log-level"}, set(), True),
    ("harden plan --only u", {"userland-proxy", "userns-remap"}, set(), True),
    ("harden --profile level1 plan --only u", {"userland-proxy"}, set(), True),
    ("harden --profile=PLACE/site.json --skip u", {"userland-proxy"}, set(), True),
    ("harden --accept ", {"restart", "userns-remap"}, {"icc"}, False),
    ("harden --set live", {"live-restore"}, set(), True),
    ("harden --set icc=", {"true", "false"}, set(), True),
    ("harden --set log-driver=j", {"journald"}, set(), True),
    ("harden --set=log-driver=sy", {"syslog"}, set(), True),
    ("harden --set log-opts.syslog-address=udp://192.0.2.1:5", set(), set(), True),
    ("harden --config-file PLACE/si", {"site.json"}, set(), True),
    ("harden --root PLACE/fo", {"folder"}, set(), True),
    ("harden --root PLACE/si", set(), set(), True),
    ("harden --unit dock", {"docker.service", "dockish.service"}, set(), True),
    ("harden profiles l", {"level1"}, set(), False),
    ("harden profiles level1 l", set(), set(), True),
    ("harden plan x", set(), set(), True),
    ("harden --timeout ", set(), set(), True),
    ("harden --completion ", {"bash", "zsh", "fish"}, set(), True),
    ("harden plan --rehearse=", {"require"}, set(), True),
    ("harden plan --rehearse --", {"--set", "--only"}, {"--yes"}, False),
    ("harden plan --rehearse x", set(), set(), True),
    ("sudo harden --only live", {"live-restore"}, set(), True),
    ("sudo harden check --format ju", {"junit"}, set(), True),
]


@pytest.mark.parametrize(("line", "offers", "never", "only"), CASES, ids=[case[0] for case in CASES])
def test_tab(shell: Shell | Fish, place: Path, line: str, offers: set[str], never: set[str],
             only: bool) -> None:
    found = {plain(word) for word in shell.press_tab(line.replace("PLACE", str(place)))[0]}
    assert offers <= found
    assert not never & found
    assert found == offers or not only


def test_ids_of_applies(shell: Shell | Fish, place: Path) -> None:
    ids = sorted(entry.name for entry in (place / "store/applies").iterdir())
    assert len(ids) == 2
    assert shell.press_tab("harden rollback ")[0] == set(ids)
    assert shell.press_tab(f"harden rollback --yes {ids[1]}")[0] == {ids[1]}
    assert shell.press_tab(f"harden rollback {ids[0]} 2")[0] == set()


def test_ids_of_an_image(shell: Shell | Fish, place: Path) -> None:
    empty = make_image(place / f"empty-{time.monotonic_ns()}")
    assert shell.press_tab(f"harden --root {empty} rollback ")[0] == set()
    assert len(shell.press_tab(f"harden --root={place}/image rollback ")[0]) == 2


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("harden pl", "harden plan "),
        ("harden roll", "harden rollback "),
        ("harden --exi", "harden --exit-code "),
        ("harden check --format=ju", "harden check --format=junit "),
        ("harden --set live-r", "harden --set live-restore="),
        ("harden --set log-driver=jour", "harden --set log-driver=journald "),
        ("harden --only userl", "harden --only userland-proxy "),
        ("harden --config-file /etc/hostn", "harden --config-file /etc/hostname "),
        ("harden --root /et", "harden --root /etc/"),
        ("harden --format nonsense", "harden --format nonsense"),
    ],
)
def test_the_line_after_tab(shell: Shell | Fish, line: str, after: str) -> None:
    if isinstance(shell, Fish):
        return  # it tells what it offers, and inserts that
    assert shell.press_tab(line)[1] == after


def test_zsh_and_fish_say_what_words_mean() -> None:
    for shell, quote in (("zsh", r"'\''"), ("fish", r"\'")):
        script = harden("--completion", shell, host=None).stdout
        for row in TABLE["options"]:
            assert row["help"].replace("'", quote) + "'\n" in script


def test_every_row_of_the_table_is_in_every_script() -> None:
    for shell in ("bash", "zsh", "fish"):
        script = harden("--completion", shell, host=None).stdout
        assert "@TABLE@" not in script
        rows = re.findall(r"^\t'([a-z-]+)\||^__harden_(?:option|command) ([a-z-]+)", script, re.M)
        assert {a or b for a, b in rows} == COMMANDS | {row["name"] for row in TABLE["options"]}


def test_uninstall_takes_them_away(tmp_path: Path) -> None:
    env = {name: v for name, v in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    for target in ("install", "uninstall"):
        subprocess.run(["make", "-s", "-C", str(REPO), target, f"DESTDIR={tmp_path}", "prefix=/usr",
                        f"BUILD={Path(HARDEN).resolve().parent}"], check=True, env=env, capture_output=True)
        found = [path.name for path in tmp_path.rglob("*harden*") if path.is_file()]
        assert {"_harden", "harden.fish", "harden"} <= set(found) or target == "uninstall"
    assert not found


# --- the words that the shells ask for


def words(what: str, *arguments: str, **options: object) -> list[str]:
    done = harden("--completion", what, *arguments, **options)  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, "")
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


def test_words_are_those_of_the_profile() -> None:
    profile = json.loads(harden("profiles", "hardened").stdout)
    assert words("settings") == [row["key"] for row in profile["settings"]]
    assert "userns-remap" not in words("settings", "--profile", "level1")
    assert words("profiles") == ["hardened", "level1"]
    assert words("consents")[-1] == "restart"


def test_keys_are_those_of_the_version() -> None:
    assert "graph" in words("keys", "--docker-version", "20.10")
    assert "graph" not in words("keys")
    assert {"icc", "data-root", "log-opts"} <= set(words("keys"))


def test_trouble_is_silent() -> None:
    assert words("settings", "--profile", "nope") == []
    assert words("values", "nope") == []
    assert words("values") == []
    assert words("applies") == []
    assert words("applies", "--root", "/nope") == []


def test_who_is_not_root_sees_no_ids(place: Path) -> None:
    program = shutil.copy(HARDEN, "/tmp/harden-completion-test")
    try:
        os.chmod(program, 0o755)
        done = subprocess.run(
            ["unshare", "--mount", PYTHON, FAKE_HOST, "none", "setpriv", "--reuid=65534",
             "--clear-groups", program, "--completion", "applies"],
            env={**os.environ, "FAKE_STORE": str(place / "store")}, capture_output=True, text=True,
            check=False)
    finally:
        os.unlink(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_words_cost_nothing(place: Path) -> None:
    """No daemon is asked, no bus, and nothing is written."""
    for what in ("profiles", "settings", "consents", "keys", "values", "applies"):
        trace = place / "trace"
        subprocess.run(["strace", "-f", "-o", str(trace), "-e",
                        "trace=connect,socket,rename,mkdir,unlink,execve,clone,fork,openat",
                        HARDEN, "--completion", what, "icc"], check=True, capture_output=True)
        calls = trace.read_text().splitlines()
        assert not [call for call in calls if re.search(r" (connect|rename|mkdir|unlink|clone|fork)\(|O_WRONLY|O_RDWR|O_CREAT", call)]
