"""systemd is the oracle: what harden takes for the command line of a unit, asked over the bus or read
from files, is what systemd starts the process with."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hosts import REPO, Host

COUNT = 200
SEED = 20261125
PRINTER = "/usr/local/bin/argv-print"
ETC = "/etc/systemd/system"
RUN = "/run/systemd/system"
LIB = "/usr/lib/systemd/system"

WORDS = (
    "--plain", "--key=value", "-D", "--label=a=b", '"two words"', "'single quotes'", '--x="a b"c',
    "a'b'c", r"\x41\102", r"\u00e9", r"\U0001F600", r"a\sb", r'"a\"b"', r"'it\'s'", r"\q\z", r"back\\slash",
    r"\;", '";"', "semi;colon", "$$", "$$HOME", "a$$b", "$A", "$B", "$UNSET", "${A}", "${B}", "x${A}y",
    "${UNSET}", "--o=${B}", "$A/b", "${A:-x}", "${A", "$", "a$", '"$A"', "'${A}'", "%n", "%N", "%p", "%i",
    "%%", "100%", "%H", "%l", "%m", "%b", "%v", "%t/x", "%S", "%C", "%L", "%E", "%T", "%V", "%u", "%U", "%g",
    "%G", "%h", "%f", "%j", "%o", "%w", "a%20b", "%1", '""', "''", "ümläut", "tab\there", "$C", "$D", "${D}",
    "a=$A", "#no-comment", "x\\\ty",
)
VALUES = (
    "one", "one two", "  spaced  ", "'a b' c", '\\"a b\\" c', "a\\\\b", "", "--flag=1 --other", "$A ${B}", "%%x",
    "tab\\tbed", "ü",
)
FILE_LINES = (
    "A=one", "A=one two", 'A="one two" ', "A='one two'three", "B= x ", "B=\\\n  x", 'B="a \\\n b"', "# comment",
    "; comment", "C=it's", 'C="a\\"b" \'c d\'', "C=a\\ b", "D=$A `x`", 'D="\\$A \\q"', "D='\\$A'", "1A=no",
    "export A=no", "A B=no", "no equals", "E=#x", "A=x # y", "B=--a 'b c' \"d e\"", "B=--a 'unbalanced",
    "C=a\\\\b\\", "# ends in a backslash \\", "D", "A==x=", "  A = y", "A=ü", 'B=""', "C='multi\nline'",
    "D=\"--x\"\"--y\"",
)
PREFIXES = ("", "", "", "", "", "-", ":", "+", "-:")


def some(source: random.Random, items: tuple[str, ...], low: int, high: int) -> list[str]:
    return [source.choice(items) for _ in range(source.randint(low, high))]


def command(source: random.Random) -> str:
    words = some(source, WORDS, 0, 7)
    joined = PRINTER
    for word in words:
        joined += source.choice((" ", " ", " ", "  ", "\t", " \\\n", " \\\n  # between\n  ")) + word
    prefix = source.choice(PREFIXES)
    if source.random() < 0.1:
        return prefix + "@" + joined.replace(PRINTER, PRINTER + " own-name", 1)
    return prefix + joined


def environment(source: random.Random) -> str:
    name = source.choice("ABCDE")
    value = source.choice(VALUES)
    shape = source.choice(('Environment="{}={}"', "Environment={}={}", "Environment=X=1 '{}={}' Y=2"))
    return shape.format(name, value)


def lines(source: random.Random, first: bool, file: str) -> str:
    """The [Service] part of a fragment or a drop-in."""
    out = []
    if first:
        out += ["Type=oneshot", "ExecStart=" + command(source)]
    chance = source.random()
    if not first and chance < 0.6:
        out += ["ExecStart=", "ExecStart=" + command(source)]
    elif chance < 0.75:
        out.append("ExecStart=" + command(source))
    elif chance < 0.8:
        out.append(f"ExecStart={PRINTER} first ; {PRINTER} second \\; third")
    elif chance < 0.83:
        out.append(f'ExecStart=-{PRINTER} "unbalanced')
    elif chance < 0.85 and not first:
        out.append(f'ExecStart={PRINTER} "unbalanced')
    out += [environment(source) for _ in range(source.randint(0, 3))]
    if source.random() < 0.6:
        out.append(f"EnvironmentFile=-{file}")
    if source.random() < 0.2:
        out.append(f"EnvironmentFile=-{file}*")
    if source.random() < 0.1:
        out.append("EnvironmentFile=")
    if source.random() < 0.1:
        out.append("Environment=")
    if source.random() < 0.15:
        out.append("UnsetEnvironment=" + source.choice(("A", "B C", "A=one", '"A=one two"')))
    out += [line for line in ("; a comment", "[Unit]\nExecStart=/not/here\n[Service]", "Nonsense")
            if source.random() < 0.05]
    # Whatever section came last.
    return "[Service]\n" + "\n".join(out) + ("\n" if source.random() < 0.9 else "")


def generate(number: int) -> dict[str, str]:
    source = random.Random(SEED + number)
    name = f"oracle-{number:03}.service"
    file = f"/etc/default/oracle-{number:03}"
    files = {f"{source.choice((ETC, RUN, LIB))}/{name}": lines(source, True, file)}
    for _ in range(source.randint(0, 3)):
        place = source.choice((ETC, RUN, LIB))
        folder = source.choice((f"{name}.d", f"{name}.d", "oracle-.service.d/"))
        # What is for all of them must not be another for each.
        if folder.endswith("/"):
            continue
        files[f"{place}/{folder}/{source.choice(('10-a', '50-b', 'override', 'zz-c'))}.conf"] = lines(
            source, False, file
        )
    for suffix in ("", "-more"):
        end = source.choice(("\n", "\n", "\r\n"))
        files[file + suffix] = end.join(some(source, FILE_LINES, 0, 6)) + source.choice((end, ""))
    return files


def write(host: Host, path: str, text: str) -> None:
    target = host.live_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text.encode())


@pytest.fixture
def units(bare_host: Host, request: pytest.FixtureRequest) -> list[str]:
    build = REPO / Path(request.config.getoption("--build-dir"))
    for name, place in (("oracle", "/usr/local/bin/oracle"), ("argv", PRINTER)):
        target = bare_host.live_path(place)
        target.write_bytes((build / name).read_bytes())
        target.chmod(0o755)
    bare_host.run("mkdir -p /run/oracle")
    # For all units of these names, and for all services.
    write(bare_host, f"{RUN}/oracle-.service.d/30-all.conf", "[Service]\nEnvironment=E=all\n")
    write(bare_host, f"{RUN}/service.d/40-every.conf", '[Service]\nEnvironment="D=every service"\n')
    names = []
    for number in range(COUNT):
        for path, text in generate(number).items():
            write(bare_host, path, text)
        names.append(f"oracle-{number:03}.service")
    # Through a target, because one that does not load keeps the others from starting.
    write(bare_host, f"{RUN}/oracle.target", f"[Unit]\nWants={' '.join(names)}\n")
    bare_host.run("systemctl daemon-reload")
    return names


def run_all(host: Host) -> None:
    """Starts them all; those that do not load or fail are told apart by what they have written."""
    host.run("systemctl start --no-block oracle.target")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        jobs = host.run("systemctl list-jobs --no-legend | grep -c oracle-", check=False).stdout
        if jobs.strip() == "0":
            return
        time.sleep(0.1)
    raise AssertionError("the units do not end")


def spell(words: list[bytes]) -> list[str]:
    return [word.hex() or "-" for word in words]


def test_harden_reads_units_as_systemd_does(
    bare_host: Host, units: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run_all(bare_host)
    said = bare_host.run(["oracle", "units", *units]).stdout
    answers: dict[tuple[str, str], list[str]] = {}
    for line in said.splitlines():
        unit, source, *rest = line.split(" ")
        answers[unit, source] = rest
    ran, refused, wrong = 0, 0, []
    for unit in units:
        written = bare_host.live_path(f"/run/oracle/{unit}")
        bus, files = answers[unit, "bus"], answers[unit, "files"]
        if files[0] != bus[0]:
            wrong.append(f"{unit}: files say {files[0]}, systemd {bus[0]}")
        elif files != bus:
            wrong.append(f"{unit}:\n  files {files}\n  bus   {bus}")
        if not written.exists():
            # It was not loaded, or an environment file stopped it.
            refused += 1
            continue
        ran += 1
        truth = spell(written.read_bytes().split(b"\0")[:-1])
        for name, words in (("bus", bus), ("files", files)):
            if words[1:] != truth:
                wrong.append(f"{unit}:\n  {name} {words[1:]}\n  truth {truth}")
    with capsys.disabled():
        print(f"\n{bare_host.suite}: {ran} of {COUNT} generated units ran, {refused} did not; "
              f"{len(wrong)} disagreements")
    assert not wrong, "\n".join(wrong)
    assert ran > COUNT * 0.8
