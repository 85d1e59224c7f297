"""A component in Python, with CPython and its standard library in it: files, connections and look-ups as Python has them.

    app.py files DIRECTORY           writes, reads, lists and removes files; a transcript
    app.py connect HOST:PORT TEXT    sends a text over TCP, prints what comes back
    app.py serve HOST:PORT           prints where it listens, answers one connection with what it sent
    app.py resolve NAME              prints the addresses of a name
    app.py given WORDS...            arguments, the variables whose names begin with "GUEST", and standard input

What is refused is printed by its name in Python, and ends the program with status 1.
"""

# Imported here because whatever is imported is part of the component, and nothing can be imported later.
import encodings.idna  # noqa: F401
import errno
import os
import socket
import sys
from pathlib import Path

from wit_world import exports
from componentize_py_types import Err

PATIENCE_SECONDS = 20


def files(directory):
    root = Path(directory)
    text = root / "text"
    text.write_text("one\ntwo\nthree\n", encoding="utf-8")
    print("lines:", text.read_text(encoding="utf-8").split())
    with text.open("r+b") as file:
        file.seek(4)
        file.write(b"TWO")
        file.seek(0, os.SEEK_END)
        print("length:", file.tell())
        file.truncate(8)
    with text.open("a", encoding="utf-8") as file:
        file.write("appended\n")
    print("then:", text.read_text(encoding="utf-8").split())
    (root / "folder" / "inner").mkdir(parents=True)
    text.rename(root / "folder" / "renamed")
    (root / "folder" / "binary").write_bytes(bytes(range(256)) * 1000)
    for path in sorted(root.rglob("*")):
        size = path.stat().st_size if path.is_file() else "-"
        print("found:", path.relative_to(root), size)
    for name in ("absent", "folder", "../outside"):
        try:
            (root / name).read_bytes()
            print(name, "was read")
        except OSError as error:
            print(name + ":", type(error).__name__)
    (root / "folder" / "renamed").unlink()
    (root / "folder" / "binary").unlink()
    (root / "folder" / "inner").rmdir()
    (root / "folder").rmdir()
    print("left:", os.listdir(root))


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def connect(where, text):
    with socket.create_connection(address(where), timeout=PATIENCE_SECONDS) as stream:
        stream.sendall(text.encode())
        stream.shutdown(socket.SHUT_WR)
        came = b""
        while piece := stream.recv(65536):
            came += piece
        print("came back:", came.decode())


def serve(where):
    with socket.create_server(address(where)) as listener:
        print("listening on {}:{}".format(*listener.getsockname()), flush=True)
        stream, _ = listener.accept()
        with stream:
            while piece := stream.recv(65536):
                stream.sendall(piece)
    print("served")


def resolve(name):
    found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    print("addresses:", *sorted({entry[4][0] for entry in found}))


def given(*words):
    print("words:", words)
    for name in sorted(os.environ):
        if name.startswith("GUEST"):
            print(f"{name}={os.environ[name]}")
    print("input:", repr(sys.stdin.read()))
    print("said on stderr", file=sys.stderr)


def name_of(error):
    """The class, and the number's name where there is one."""
    number = errno.errorcode.get(error.errno, "") if isinstance(error, OSError) else ""
    return f"{type(error).__name__} {number}".strip()


TASKS = {"files": files, "connect": connect, "serve": serve, "resolve": resolve, "given": given}


class Run(exports.Run):
    def run(self):
        if len(sys.argv) < 2 or sys.argv[1] not in TASKS:
            print(__doc__)
            return
        try:
            TASKS[sys.argv[1]](*sys.argv[2:])
        except (OSError, UnicodeError) as error:
            print("refused:", name_of(error), flush=True)
            raise Err(None)
        sys.stdout.flush()
