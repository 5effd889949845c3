"""What other systems lack is not asked for before it is used."""

import json
import os
from pathlib import Path

import fork_server
import pytest

UNIX = ("resource", "fcntl", "termios", "pwd", "grp")


@pytest.mark.parametrize("name", UNIX)
def test_kinblend_is_imported_where_a_module_of_unix_is_missing(name: str) -> None:
    """As on Windows. torch, which has been imported, gets along there."""
    code = (
        f"import sys; sys.modules[{name!r}] = None\n"
        "import kinblend\n"
        "for name in kinblend.__all__: getattr(kinblend, name)\n"
        "import kinblend.cli.app, kinblend.datasets, kinblend.packs, kinblend.training.checkpoint"
    )
    done = fork_server.run_code(code, [], os.environ, Path.cwd())
    assert done.returncode == 0, done.stderr


# What Python has on Linux and lacks there.
MISSING = {
    "win32": {
        "modules": "resource fcntl termios pwd grp readline syslog tty pty spwd crypt nis",
        "os": "fork forkpty getuid geteuid getgid getgroups getloadavg getpgid killpg mkfifo nice openpty pread "
        "setsid register_at_fork posix_fadvise sched_getaffinity sched_setaffinity statvfs sysconf uname wait4 "
        "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK",
        "signal": "SIGALRM SIGCHLD SIGHUP SIGKILL SIGQUIT SIGSTOP SIGUSR1 alarm pthread_sigmask",
        "socket": "AF_UNIX recv_fds send_fds",
        "select": "poll epoll",
        "time": "tzset",
    },
    "darwin": {
        "modules": "spwd crypt ossaudiodev",
        "os": "sched_getaffinity sched_setaffinity posix_fadvise posix_fallocate memfd_create pidfd_open splice "
        "copy_file_range getrandom eventfd setns unshare O_TMPFILE O_DIRECT",
        "signal": "SIGSTKFLT SIGPWR SIGRTMIN SIGRTMAX sigtimedwait sigwaitinfo",
        "select": "epoll",
        "socket": "AF_PACKET AF_NETLINK SO_PEERCRED",
    },
}
EVERYTHING = """
import importlib, json, pkgutil, sys
missing, platform = json.loads(sys.argv[1]), sys.argv[2]


def everything():
    # Imports each module of ours; those that can't be, with the reason.
    failed = {}
    for top in ("kinblend", "kinblend_plugins"):
        package = importlib.import_module(top)
        for found in pkgutil.walk_packages(package.__path__, f"{top}.", onerror=lambda name: None):
            if found.name.endswith("__main__"):
                continue
            try:
                importlib.import_module(found.name)
            except BaseException as error:
                failed[found.name] = f"{type(error).__name__}: {error}"
    return failed


before = everything()  # brings what others wrote along, which is no matter here
for name in [name for name in sys.modules if name.split(".")[0] in ("kinblend", "kinblend_plugins")]:
    del sys.modules[name]
for name, attributes in missing.items():
    if name == "modules":
        sys.modules.update(dict.fromkeys(attributes.split()))
    else:
        for attribute in attributes.split():
            vars(importlib.import_module(name)).pop(attribute, None)
sys.platform = platform
print(json.dumps([before, everything()]))
"""


@pytest.mark.parametrize("platform", sorted(MISSING))
def test_every_module_is_imported_where_other_systems_lack_something(platform: str) -> None:
    """In a process that has imported what we depend on; each of these gets along there, or is no wheel for it."""
    words = [json.dumps(MISSING[platform]), platform]
    done = fork_server.run_code(EVERYTHING, words, os.environ, Path.cwd())
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout.splitlines()[-1])
    assert {name: why for name, why in after.items() if name not in before} == {}
    # Nothing but packages that are not installed here may be a reason on this system either.
    assert [why for why in before.values() if not why.startswith("ModuleNotFoundError")] == []
