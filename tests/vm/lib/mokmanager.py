# SPDX-License-Identifier: GPL-2.0-only
"""Answers shim's MOK manager on a guest's serial console: mokmanager.py PIPE PASSWORD; PIPE.in and PIPE.out are it.

Enrolls the key that waits for it, as a user would who reads the screens. Prints what it has seen. Never ends: who
started it ends it with the emulator.
"""
import os
import re
import select
import sys
import time

DOWN, ENTER = b"\x1b[B", b"\r"


class Console:
    """What comes is read at once: of a reader that is slow QEMU loses what it cannot keep."""

    def __init__(self, path):
        # Both ways, so that neither waits for the emulator.
        self.keys = os.open(path + ".in", os.O_RDWR)
        self.screen = os.open(path + ".out", os.O_RDWR)
        self.seen = b""

    def read(self, seconds):
        """Reads for that long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.screen], [], [], left)[0]:
                self.seen += os.read(self.screen, 4096)

    def expect(self, words):
        while not re.search(words, self.seen, re.S):
            self.read(0.2)
        print("MOK manager:", words.decode(), flush=True)
        self.read(1)  # a screen takes keys when it is complete
        self.seen = b""

    def press(self, keys):
        for key in keys:
            os.write(self.keys, key)
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
