"""Speaks with the supervisord that keeps the processes of one installation up."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from deploy.native.keys import write_private
from deploy.native.layout import ROOT, Layout
from deploy.native.machine import NotReady
from deploy.native.programs import GROUPS, Program

MARK = "VSSID_NATIVE_RUN"  # every supervised process carries the run folder's path under this name
OVERWRITE_THEIR_ENVIRONMENT = {"postgres": "postgres/data", "redis-server": "redis"}
"""Servers whose environment cannot be read once they run, and the folder that each works in."""
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}


class Supervision:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._folder = layout.run / "supervisor"
        self.logs = layout.run / "logs"

    # Starting

    def start(self, programs: list[Program]) -> None:
        """Have supervisord run and know `programs`, but start none. A running one learns what is new."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        for program in programs:
            write_private(self._script(program.name), program.script())
        write_private(self._folder / "supervisord.conf", self._configuration(programs))
        if self.is_running():
            self._learn_changes()
            return
        end_strays(self._layout.run)
        command = [
            sys.executable,
            "-m",
            "supervisor.supervisord",
            "-c",
            str(self._folder / "supervisord.conf"),
        ]
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",  # logs are lines of JSON
            MARK: str(self._layout.run),
        }
        subprocess.run(command, env=environment, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self.is_running():
            if time.monotonic() > deadline:
                raise NotReady(f"supervisord does not answer; see {self._folder / 'supervisord.log'}")
            time.sleep(0.05)

    def _learn_changes(self) -> None:
        added, changed, removed = self._call("reloadConfig")[0]
        for group in (*changed, *removed):
            self._call("stopProcessGroup", group)
            self._call("removeProcessGroup", group)
        for group in (*added, *changed):
            self._call("addProcessGroup", group)

    def run(self, name: str) -> None:
        """Start a program unless it runs. Does not wait until it is ready."""
        try:
            self._call("startProcess", self._full(name), False)
        except xmlrpc.client.Fault as fault:
            if not fault.faultString.startswith("ALREADY_STARTED"):
                raise

    def stop(self, names: list[str]) -> None:
        """Stop programs, all at once, and wait until they have ended."""
        running = [name for name, info in self.states().items() if name in names and info["pid"]]
        for name in running:
            self._call("stopProcess", self._full(name), False)
        while any(info["pid"] for name, info in self.states().items() if name in running):
            time.sleep(0.05)

    # Looking

    def is_running(self) -> bool:
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def states(self) -> dict[str, dict[str, Any]]:
        """name → supervisord's account of it (`statename`, `pid` (0: down), `start` in unix seconds, …)."""
        return {info["name"]: info for info in self._call("getAllProcessInfo")} if self.is_running() else {}

    def log_tail(self, name: str, lines: int = 15) -> str:
        try:
            return "\n".join(self.log_file(name).read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(no log)"

    def log_file(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    # Ending

    def shut_down(self, within_seconds: float) -> None:
        """Stop everything in order; what is still there at the end of the time is killed."""
        deadline = time.monotonic() + within_seconds
        if self.is_running():
            pid = self._call("getPID")
            self._call("shutdown")
            while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
                time.sleep(0.05)
        end_strays(self._layout.run)

    # Words for supervisord

    def _call(self, method: str, *arguments: Any) -> Any:
        address = f"127.0.0.1:{self._layout.ports['supervisor']}"
        user = f"vssid:{self._layout.keys['supervisor']}"
        with xmlrpc.client.ServerProxy(f"http://{user}@{address}/RPC2") as server:
            return getattr(server.supervisor, method)(*arguments)

    def _full(self, name: str) -> str:
        return f"{GROUP_OF[name]}:{name}"

    def _script(self, name: str) -> Path:
        return self._folder / f"{name}.sh"

    def _configuration(self, programs: list[Program]) -> str:
        sections = [
            _section(
                "supervisord",
                logfile=self._folder / "supervisord.log",
                logfile_maxbytes="5MB",
                pidfile=self._folder / "supervisord.pid",
                childlogdir=self.logs,
                minfds=8192,
                **({"user": "root"} if os.geteuid() == 0 else {}),
            ),
            _section(
                "inet_http_server",
                port=f"127.0.0.1:{self._layout.ports['supervisor']}",
                username="vssid",
                password=self._layout.keys["supervisor"],
            ),
            _section(
                "rpcinterface:supervisor",
                **{"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
            ),
            *(self._program_section(program) for program in programs),
            *(
                _section(f"group:{group}", programs=",".join(names), priority=priority)
                for priority, (group, names) in enumerate(GROUPS.items(), start=1)
            ),
        ]
        return "\n".join(sections)

    def _program_section(self, program: Program) -> str:
        return _section(
            f"program:{program.name}",
            command=shlex.join(["/bin/sh", str(self._script(program.name))]),
            autostart="false",
            autorestart="true",
            startsecs=1,
            startretries=60,
            stopsignal=program.stop_signal,
            stopwaitsecs=program.stop_seconds,
            killasgroup="true",
            redirect_stderr="true",
            stdout_logfile=self.log_file(program.name),
            stdout_logfile_maxbytes="20MB",
            stdout_logfile_backups=3,
        )


def _section(heading: str, **settings: object) -> str:
    lines = (f"{name} = {str(value).replace('%', '%%')}" for name, value in settings.items())
    return "\n".join([f"[{heading}]", *lines, ""])


def end_strays(run: Path) -> None:
    """Kill what an installation started and supervisord no longer holds."""
    for pid in strays(run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def strays(run: Path) -> list[int]:
    """The processes marked with `run`; those that overwrite their environment by the folder they work in."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if _is_marked(process, run) or _works_in(process, run):
                found.append(int(process.name))
    return found


def _is_marked(process: Path, run: Path) -> bool:
    return f"{MARK}={run}".encode() in (process / "environ").read_bytes().split(b"\0")


def _works_in(process: Path, run: Path) -> bool:
    folder = OVERWRITE_THEIR_ENVIRONMENT.get((process / "comm").read_text().strip())
    return folder is not None and (process / "cwd").samefile(run / folder)
