# SPDX-License-Identifier: GPL-2.0-only
"""Answers shim's MOK manager on a guest's serial console: mokmanager.py SOCKET PASSWORD.

Enrolls the key that waits for it, as a user would who reads the screens. Prints what it has seen.
"""
import re
import select
import socket
import sys
import time

DOWN, ENTER = b"\x1b[B", b"\r"


class Console:
    """What comes is read at once: of a reader that is slow QEMU loses what it cannot keep."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.seen = b""
        end = time.monotonic() + 60
        while self.socket.connect_ex(path) and time.monotonic() < end:
            time.sleep(0.2)

    def read(self, seconds):
        """Reads for that long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.socket], [], [], left)[0]:
                data = self.socket.recv(4096)
                if not data:
                    sys.exit()
                self.seen += data

    def expect(self, words):
        while not re.search(words, self.seen, re.S):
            self.read(0.2)
        print("MOK manager:", words.decode(), flush=True)
        self.read(1)  # a screen takes keys when it is complete
        self.seen = b""

    def press(self, keys):
        for key in keys:
            self.socket.sendall(key)
            self.read(0.3)


def main():
    console = Console(sys.argv[1])
    password = [bytes([c]) for c in sys.argv[2].encode()]
    for words, keys in [
        (rb"Press any key to perform MOK management", [ENTER]),
        (rb"Perform MOK management.*Enroll MOK", [DOWN, ENTER]),
        (rb"\[Enroll MOK\].*Continue", [DOWN, ENTER]),
        (rb"Enroll the key\(s\)\?.*Yes", [DOWN, ENTER]),
        (rb"Password:", password + [ENTER]),
        (rb"Perform MOK management.*Reboot", [ENTER]),
    ]:
        console.expect(words)
        console.press(keys)
    while True:
        console.read(60)


main()
