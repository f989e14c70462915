#!/usr/bin/python
"""Ansible's module for harden: a careful caller of the program on the host, and no more than that.

All decisions are harden's. This turns the module's options into harden's, runs it once, reads the
JSON document and the exit status (harden-json(5), harden(8)), and says it in Ansible's words.
"""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: harden
short_description: Make the Docker daemon match a hardened profile, or take that back
description:
  - Calls C(harden) on the host, which plans, writes, reloads or restarts dockerd, has the running daemon prove
    it, and puts the host back where anything fails.
  - Running containers keep running, unless I(containers) or I(accept) say otherwise.
  - What an apply has begun comes to its end without Ansible. When the connection is lost, the play is interrupted
    or the time of C(async) is over, harden goes on, and either has its result proved or puts the host back.
    C(harden history) on the host has what came of it; running the play again tells, too.
version_added: "0.1.0"
author:
  - The harden maintainers
requirements:
  - harden 0.1.0 or later on the host
  - Python 3.8 or later on the host
options:
  state:
    description:
      - C(applied) makes the host match the profile (C(harden apply)).
      - C(rolled_back) puts it back as it was before an apply (C(harden rollback)).
      - C(audited) changes nothing and compares what is configured and in force with the profile
        (C(harden check)); see C(compliant).
    type: str
    choices: [applied, rolled_back, audited]
    default: applied
  id:
    description:
      - With I(state=rolled_back), the apply to be undone, as in C(id) of the task that did it. When it is undone
        already, nothing changes.
      - Without it, that is the latest apply that is in force, be it of today or of last year. Repeating the
        task then goes back one more.
    type: str
  profile:
    description:
      - What to harden to. A name stands for C(/etc/harden/profiles/NAME.json) on the host or a built-in profile;
        anything with a slash in it, or ending in C(.json), is a file on the host.
      - Without it and without I(profile_content), C(hardened).
    type: str
  profile_content:
    description:
      - The profile itself, as the text of the file or as the same in YAML, see C(man harden-profile).
      - Like every argument of a module it is written to the log of the host. Where it has secrets in it, give the
        task C(no_log), or use a file with I(profile).
    type: json
  set:
    description:
      - Other values than the profile wants, by key of C(daemon.json) or a path into one, such as
        C(log-opts.syslog-address). The type counts, as C(false) and C("false") do in YAML. A null means that the
        key is not to be set.
      - They are on harden's command line, which everybody on the host can read while it runs. Secrets belong into
        a file with I(profile).
    type: dict
  skip:
    description: Settings to leave alone, each with the reason, or with null.
    type: dict
  only:
    description: Plan nothing but these settings.
    type: list
    elements: str
  accept:
    description:
      - Consent to changes that are held, by key, and with C(restart) to a restart that stops containers.
    type: list
    elements: str
  containers:
    description:
      - C(keep) keeps those that run running; network settings then wait for a start of dockerd without them.
      - C(restart) stops them where such a setting is to be in force, and starts them again.
    type: str
    choices: [keep, restart]
    default: keep
  restart:
    description: Whether dockerd may be reloaded and restarted. Otherwise files are written only.
    type: bool
    default: true
  rehearsal:
    description:
      - Whether the result is first tried on a throwaway dockerd. C(try) does where that is possible, C(require)
        applies nothing where it is not, C(skip) does not.
      - In check mode it is tried with C(require) only. It leaves nothing behind, but it does start something.
    type: str
    choices: [try, require, skip]
    default: try
  canary:
    description: Whether a container is started to see that containers start.
    type: bool
    default: true
  verify_cmd:
    description:
      - A command for C(/bin/sh -c) on the host that has to succeed after everything else did, or the host is
        put back. It has I(timeout) for it.
    type: str
  strict:
    description:
      - Also fail where something is held, blocked or not in force yet. What was applied stays.
    type: bool
    default: false
  force:
    description: With I(state=rolled_back), overwrite files that were edited since.
    type: bool
    default: false
  timeout:
    description: The longest wait for systemd or the daemon, in seconds.
    type: int
    default: 90
  config_file:
    description: The daemon's configuration file, where it is not the one that the unit names.
    type: path
  unit:
    description: The daemon's unit, where it is not C(docker.service).
    type: str
  root:
    description: A folder on the host with an OS image to be worked on in its place.
    type: path
  docker_version:
    description: What to assume where the version cannot be found out.
    type: str
  executable:
    description: Where harden is, if it is not on the path.
    type: path
attributes:
  check_mode:
    description: Shows the plan, and changes nothing. Fails where the apply would be refused.
    support: full
  diff_mode:
    description: Shows unified differences of the files, with secrets masked. They are harden's own.
    support: full
notes:
  - harden needs root; use C(become).
  - There is no C(--confirm) here, because nobody is there to say yes. I(verify_cmd) is a check that needs nobody.
"""

EXAMPLES = r"""
- name: Harden the Docker daemon
  harden:
  register: harden_result

- name: The same to a profile of the site, with one value of this host
  harden:
    profile_content: "{{ lookup('ansible.builtin.file', 'site.json') }}"
    set:
      log-opts.syslog-address: udp://192.0.2.1:514
    skip:
      userns-remap: ticket 4711

- name: Put it back as it was before
  harden:
    state: rolled_back
    id: "{{ harden_result.id }}"
  when: harden_result.id

- name: Fail where the host does not comply
  harden:
    state: audited
  register: harden_audit
  failed_when: not harden_audit.compliant
"""

RETURN = r"""
msg:
  description: What came of it, or what is wrong, in harden's words.
  returned: always
  type: str
  sample: Applied 8 settings; all of them are in force. Docker did not answer for 0.6 s.
result:
  description:
    - C(unchanged), C(applied), C(incomplete) (done, but something is held, blocked, or not yet in force),
      C(rolled-back) (with I(state=applied), it failed and the host was put back), C(rollback-failed) or
      C(refused) (nothing was changed).
    - Null in check mode and of an audit.
  returned: always
  type: str
id:
  description: The id of the apply or rollback, as in C(harden history); null where nothing was begun.
  returned: always
  type: str
  sample: 20261123T214455Z
exit_status:
  description: harden's exit status.
  returned: when harden has ended by itself
  type: int
version:
  description: harden's version.
  returned: always
  type: str
applied:
  description: The keys of the settings that were changed and are in force; in check mode, that would be changed.
  returned: when there was a plan
  type: list
  elements: str
pending:
  description: The keys of the settings that were changed and are not in force yet.
  returned: when there was a plan
  type: list
  elements: str
held:
  description: The settings that wait for consent (I(accept)), each with the reason.
  returned: when there was a plan
  type: dict
  sample:
    userns-remap: "It moves the data root away: 3 images would be out of sight. To consent: --accept userns-remap."
blocked:
  description: The settings that cannot work on this host, each with the reason and what to do about it.
  returned: when there was a plan
  type: dict
manual:
  description: The settings that only the admin can change, each with the reason.
  returned: when there was a plan
  type: dict
compliant:
  description: Whether nothing fails.
  returned: with I(state=audited)
  type: bool
failing:
  description: The settings that do not comply, each with what is configured, wanted, and in force.
  returned: with I(state=audited)
  type: dict
containers:
  description:
    - What became of the containers that ran. The numbers C(containers.before), C(containers.kept) and
      C(containers.restarted), and the names of those that C(containers.stopped) or C(containers.lost).
  returned: when something was done
  type: dict
api_downtime_ms:
  description: How long the Docker API did not answer; null where there was no restart.
  returned: when something was done
  type: int
dockerd:
  description: What dockerd itself said, where it did not start.
  returned: on failure
  type: list
  elements: str
"""

import json
import os
import signal
import subprocess
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

SCHEMA = 1
OLDEST = (0, 1, 0)

# Exit statuses of harden(8).
FINE = 0
DIFFERENCES = 1
INCOMPLETE = 5

# Where packages and `make install` put it; become may have a path without them.
FOLDERS = ["/usr/sbin", "/usr/local/sbin"]


# --- options --------------------------------------------------------------------------------------


def pairs(option: str, values: dict[str, Any] | None, text: Callable[[Any], str]) -> list[str]:
    """--set and --skip, which are given once for each key."""
    return [f"{option}={key}{text(value)}" for key, value in sorted((values or {}).items())]


def repeated(option: str, values: list[str] | None) -> list[str]:
    return [f"{option}={value}" for value in values or ()]


def valued(option: str, value: object) -> list[str]:
    return [] if value is None else [f"{option}={value}"]


def flag(option: str, wanted: bool) -> list[str]:
    return [option] if wanted else []


def profile_option(module: AnsibleModule) -> list[str]:
    """The text of a profile becomes a file that only root can read, gone when the module ends."""
    content = module.params["profile_content"]
    if content is None:
        return valued("--profile", module.params["profile"])
    path = os.path.join(module.tmpdir, "profile.json")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    module.add_cleanup_file(path)
    return valued("--profile", path)


def planning_options(module: AnsibleModule) -> list[str]:
    """Those of plan, apply and check: what to want, and where."""
    params = module.params
    return [
        *profile_option(module),
        *pairs("--set", params["set"], lambda value: "=" + json.dumps(value)),
        *pairs("--skip", params["skip"], lambda reason: f"={reason}" if reason else ""),
        *repeated("--only", params["only"]),
        *valued("--config-file", params["config_file"]),
        *valued("--unit", params["unit"]),
        *valued("--docker-version", params["docker_version"]),
    ]


def consent_options(params: dict[str, Any]) -> list[str]:
    """Those of plan, apply and rollback: what may become of what runs."""
    return [
        *repeated("--accept", params["accept"]),
        *valued("--containers", params["containers"]),
        *flag("--no-restart", not params["restart"]),
    ]


def rehearsal_options(params: dict[str, Any]) -> list[str]:
    return {"try": [], "require": ["--rehearse=require"], "skip": ["--no-rehearsal"]}[params["rehearsal"]]


def plan_words(module: AnsibleModule) -> list[str]:
    rehearse = rehearsal_options(module.params) if module.params["rehearsal"] == "require" else []
    return ["plan", *planning_options(module), *consent_options(module.params), *rehearse]


def apply_words(module: AnsibleModule) -> list[str]:
    params = module.params
    return [
        "apply",
        "--yes",
        *planning_options(module),
        *consent_options(params),
        *rehearsal_options(params),
        *flag("--no-canary", not params["canary"]),
        *valued("--verify-cmd", params["verify_cmd"]),
    ]


def rollback_words(module: AnsibleModule) -> list[str]:
    params = module.params
    return [
        "rollback",
        "--dry-run" if module.check_mode else "--yes",
        *consent_options(params),
        *flag("--force", params["force"]),
        *([params["id"]] if params["id"] else []),
    ]


def check_words(module: AnsibleModule) -> list[str]:
    return ["check", *planning_options(module)]


def command_words(module: AnsibleModule) -> list[str]:
    state = module.params["state"]
    if state == "rolled_back":
        words = rollback_words(module)
    elif state == "audited":
        words = check_words(module)
    else:
        words = plan_words(module) if module.check_mode else apply_words(module)
    params = module.params
    return [*words, *valued("--root", params["root"]), *valued("--timeout", params["timeout"])]


# --- the program ----------------------------------------------------------------------------------


def run(words: list[str]) -> tuple[int, str, str]:
    """Runs harden to its end, however long that takes: it has limits of its own.

    In a session of its own it gets neither the hang-up of a terminal whose connection is lost nor the
    SIGKILL that async sends to the module's process group when its time is over. AnsibleModule's
    run_command() cannot do that. A pipe that nobody reads any more does not stop harden either.
    """
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    )
    out, err = process.communicate()
    text, words_for_people = (stream.decode("utf-8", "replace") for stream in (out, err))
    return process.returncode, text, " ".join(words_for_people.split())


def find_harden(module: AnsibleModule) -> tuple[str, str]:
    """The program's path and version; fails where it is missing or older than this module."""
    path = module.params["executable"] or module.get_bin_path("harden", opt_dirs=FOLDERS)
    if path is None:
        module.fail_json(
            msg="harden is not installed on this host: give the role harden_package, or install it before"
        )
    try:
        status, out, err = run([path, "--version"])
    except OSError as error:
        module.fail_json(msg=f"{path} cannot be run: {error.strerror}")
    version = out.split()[-1] if status == FINE and out.startswith("harden ") else None
    if version is None:
        module.fail_json(msg=f"{path} --version does not say which harden that is: {out or err}")
    if numbers(version) < OLDEST:
        oldest = ".".join(str(number) for number in OLDEST)
        module.fail_json(msg=f"{path} is harden {version}; this module needs {oldest} or later")
    return path, version


def numbers(version: str) -> tuple[int, ...]:
    """0.1.0~rc1 and 0.1.0 alike as (0, 1, 0)."""
    parts = version.replace("~", ".").replace("-", ".").replace("+", ".").split(".")
    return tuple(int(part) for part in parts if part.isdigit())[:3]


def read_document(module: AnsibleModule, status: int, out: str, err: str) -> dict[str, Any]:
    """The one JSON document that harden prints, whatever becomes of it; fails where there is none."""
    if status < 0:
        module.fail_json(
            msg=f"harden was killed by {signal_name(-status)}. What it has left is settled by the next"
            " harden apply, by harden recover, or at boot, whichever comes first.",
            stderr=err,
        )
    try:
        document = json.loads(out)
        schema = document["schema"]
    except (ValueError, KeyError, TypeError):
        module.fail_json(
            msg=f"harden ended with status {status} and without a JSON document: {err or out or 'it said nothing'}",
            exit_status=status,
        )
    if schema != SCHEMA:
        module.fail_json(msg=f"harden's JSON is of schema {schema}; this module reads {SCHEMA}")
    return document


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# --- what came of it ------------------------------------------------------------------------------


def keys(document: dict[str, Any], *states: str) -> list[str]:
    return [row["key"] for row in document.get("settings", ()) if row["state"] in states]


def reasons(document: dict[str, Any], state: str) -> dict[str, str]:
    return {row["key"]: row["reason"] for row in document.get("settings", ()) if row["state"] == state}


def failing(document: dict[str, Any]) -> dict[str, Any]:
    return {
        row["key"]: {name: row[name] for name in ("current", "wanted", "in_force", "reason")}
        for row in document["settings"]
        if row["verdict"] == "fail"
    }


def is_planned(document: dict[str, Any]) -> bool:
    """Whether the plan has anything to do, by the same test that apply makes."""
    return bool(document["files"]) or document["action"] != "none" or bool(document["listener"])


def has_changed(document: dict[str, Any], check_mode: bool) -> bool:
    """Of plan, apply and rollback that went well: where nothing was to be done, nothing was begun."""
    if check_mode:
        return is_planned(document)
    return document["id"] is not None


def left(document: dict[str, Any]) -> list[str]:
    """What the profile wants and the host does not have, for one line."""
    named = (("Held", "held"), ("Blocked", "blocked"), ("Not in force yet", "pending"))
    found = ((title, keys(document, state)) for title, state in named)
    return [f"{title}: {', '.join(which)}." for title, which in found if which]


def headline(document: dict[str, Any], err: str, check_mode: bool) -> str:
    """harden's own line where it has one; in check mode and where nothing was to do it has none."""
    if check_mode and document["command"] == "plan":
        would = keys(document, "change")
        line = f"Would change {', '.join(would)}." if would else "Would change files only."
        return line if is_planned(document) else "Nothing would change."
    if check_mode and document["of"]:
        return f"Would roll back {document['of']}."
    return err or "Nothing to change."


def dockerd_said(document: dict[str, Any]) -> list[str]:
    """About the start that failed, be it the real one or the rehearsal's."""
    return document.get("dockerd") or (document.get("rehearsal") or {}).get("dockerd") or []


def complaint(document: dict[str, Any]) -> str:
    """Why it failed, with what dockerd and the command of verify_cmd said, and where that leaves the host."""
    said = dockerd_said(document)
    parts = [document.get("error") or "; ".join(document.get("obstacles", ())) or "harden gave no reason"]
    parts += [f"dockerd said: {' '.join(said)}"] if said else []
    parts += [f"It printed: {' '.join(document['verify_output'])}"] if document.get("verify_output") else []
    result = document.get("result")
    if result == "rolled-back" or (result == "unchanged" and document.get("id")):
        parts.append("This host is as it was before.")
    elif result == "rollback-failed":
        parts.extend(document.get("advice", ()))
    else:
        parts.append("Nothing was changed.")
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)


def diffs(document: dict[str, Any]) -> list[dict[str, str]]:
    return [{"prepared": file["diff"]} for file in document.get("files", ()) if file.get("diff")]


def facts_of(document: dict[str, Any], status: int, version: str) -> dict[str, Any]:
    """The part of the result that every end has."""
    result = {
        "exit_status": status,
        "version": version,
        "result": document.get("result"),
        "id": document.get("id"),
    }
    if "settings" in document and document["command"] != "check":
        result["applied"] = keys(document, "applied", "change")
        result["pending"] = keys(document, "pending")
        for state in ("held", "blocked", "manual"):
            result[state] = reasons(document, state)
    if document.get("id"):
        result["containers"] = document["containers"]
        result["api_downtime_ms"] = document["api_downtime_ms"]
    return result


def fail(module: AnsibleModule, document: dict[str, Any], result: dict[str, Any]) -> None:
    """What was put back has not changed; what could not be put back has."""
    module.fail_json(
        msg=complaint(document),
        changed=document.get("result") == "rollback-failed",
        dockerd=dockerd_said(document),
        **result,
    )


def end_audit(module: AnsibleModule, document: dict[str, Any], result: dict[str, Any]) -> None:
    bad = failing(document)
    line = "This host complies." if document["compliant"] else f"Does not comply: {', '.join(bad)}."
    if document["obstacles"]:
        line = " ".join([line, *document["obstacles"]])
    module.exit_json(changed=False, msg=line, compliant=document["compliant"], failing=bad, **result)


def end(module: AnsibleModule, document: dict[str, Any], err: str, result: dict[str, Any]) -> None:
    """Of plan, apply and rollback that went well."""
    check_mode = module.check_mode
    unfinished = left(document)
    result["msg"] = " ".join([headline(document, err, check_mode), *unfinished])
    result["changed"] = has_changed(document, check_mode)
    if module._diff:
        result["diff"] = diffs(document)
    for warning in document.get("warnings", ()):
        module.warn(warning)
    if module.params["strict"] and (unfinished or result["exit_status"] == INCOMPLETE):
        module.fail_json(**result)
    module.exit_json(**result)


ARGUMENTS = {
    "state": {"type": "str", "choices": ["applied", "rolled_back", "audited"], "default": "applied"},
    "id": {"type": "str"},
    "profile": {"type": "str"},
    # Not no_log: of a profile in YAML each word, such as "journald", would be cut out of all that is said.
    "profile_content": {"type": "json", "no_log": False},
    "set": {"type": "dict", "no_log": False},
    "skip": {"type": "dict"},
    "only": {"type": "list", "elements": "str"},
    "accept": {"type": "list", "elements": "str"},
    "containers": {"type": "str", "choices": ["keep", "restart"], "default": "keep"},
    "restart": {"type": "bool", "default": True},
    "rehearsal": {"type": "str", "choices": ["try", "require", "skip"], "default": "try"},
    "canary": {"type": "bool", "default": True},
    "verify_cmd": {"type": "str"},
    "strict": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 90},
    "config_file": {"type": "path"},
    "unit": {"type": "str"},
    "root": {"type": "path"},
    "docker_version": {"type": "str"},
    "executable": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[("profile", "profile_content")],
        supports_check_mode=True,
    )
    path, version = find_harden(module)
    status, out, err = run([path, *command_words(module), "--json", "--quiet"])
    document = read_document(module, status, out, err)
    result = facts_of(document, status, version)
    if status not in (FINE, DIFFERENCES, INCOMPLETE) or document.get("command") == "":
        fail(module, document, result)
    if document["command"] == "check":
        end_audit(module, document, result)
    end(module, document, err, result)


if __name__ == "__main__":
    main()
