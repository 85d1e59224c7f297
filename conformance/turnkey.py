"""Lets the WASI project's test suite drive Turnkey.

The suite's runner loads this file as a module and asks it for the host's name, its version, what it supports, and the
command line of each test. `cargo xtask conformance --suite FOLDER` passes it to that runner. The runner first executes
it as a program, too, and takes any output for a sign of an older interface: nothing may be printed at the top level.

TURNKEY names the binary to test, split into words as a shell would: TURNKEY="strace -f turnkey" works too.
"""

import os
import shlex
import subprocess

COMMAND = shlex.split(os.environ.get("TURNKEY", "turnkey"))

# What is claimed here is run, and must pass; the rest is skipped by the runner. A preview is added when all of its
# tests pass. Of Preview 2 there are none but those of Preview 1 as components (`--components`).
WASI_VERSIONS = ["wasm32-wasip1", "wasm32-wasip2", "wasm32-wasip3"]
WASI_WORLDS = ["wasi:cli/command", "wasi:http/service"]

# What a test needs beyond its arguments, environment and directory.
GRANTS_OF_PROPOSALS = {
    "http": ["--allow", "network"],
    "sockets": ["--allow", "network"],
}

# The suite's programs are unoptimised, about 2 MB each, and none is in the cache the first time. On a small machine
# compiling one takes longer than the runner's five seconds, which are meant for the test itself.
TIMEOUT_SECONDS = 60.0


def get_name():
    return "turnkey"


def get_version():
    """The second word of `turnkey 0.1.0`."""
    shown = subprocess.run(
        COMMAND + ["--version"], stdout=subprocess.PIPE, text=True, check=True
    )
    return shown.stdout.split()[1]


def get_wasi_versions():
    return WASI_VERSIONS


def get_wasi_worlds():
    return WASI_WORLDS


def get_timeout_seconds():
    return TIMEOUT_SECONDS


def compute_argv(test_path, args_env_root, proposals, wasi_world, wasi_version):
    """One test's command line: grants first, as all words after the program belong to the guest."""
    if wasi_version not in WASI_VERSIONS or wasi_world not in WASI_WORLDS:
        raise ValueError(f"not claimed to be supported: {wasi_version}, {wasi_world}")
    if not GRANTS_OF_PROPOSALS.keys() >= set(proposals):
        raise ValueError(f"not claimed to be supported: {proposals}")
    arguments, environment, root = args_env_root
    grants = [word for proposal in proposals for word in GRANTS_OF_PROPOSALS[proposal]]
    for name, value in environment.items():
        grants += ["--env", f"{name}={value}"]
    if root is not None:
        grants += ["--dir", f"{root}::/"]
    if wasi_world == "wasi:http/service":
        if arguments:
            raise ValueError(f"a service takes no arguments: {arguments}")
        command = ["serve", "--addr", "127.0.0.1:0"]
    else:
        command = ["run"]
    return COMMAND + command + grants + [str(test_path)] + list(arguments)
