#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
A made-up kernel image with one site of each kind, for sites.test: sites_kernel.py [WITHOUT...] writes its ELF to
stdout. And what sites are to be like in a real one: sites_kernel.py check VMLINUX TABLE ENTRY-SIZE.
"""
import struct
import sys
import zlib

TEXT = 0xffffffff81000000
ALTERNATIVES = TEXT + 0x10000
REPLACEMENTS = TEXT + 0x20000
SMAP, XENPV, PTI = 9 * 32 + 20, 8 * 32 + 16, 7 * 32 + 11
BUILD_ID = bytes(range(20))
# xen_error_entry: PUSH RSI and so on, XOR ESI, ESI and so on.
CAVE = bytes.fromhex("56488b74240848897c24085251504150415141524153535541544155415641575631f631d231c94531c0"
                     "4531c94531d24531db31db31ed4531e44531ed4531f64531ff")

# --- Made up ---------------------------------------------------------------------------------------


class Kernel:
    def __init__(self, without, entry_size):
        self.without, self.entry_size = without, entry_size
        self.text = bytearray(b"\xcc" * 0x1000)
        self.entries, self.new = [], bytearray()

    def put(self, at, code):
        self.text[at:at + len(code)] = code

    # What is at `at` of .text becomes `new` where there is the feature; or where there is not: `absent`.
    def alternative(self, at, old, feature, new, absent=False):
        self.put(at, old)
        self.entries.append((at, len(self.new), feature, absent, len(old), len(new)))
        self.new += new

    # A JMP or CALL to `to` of .text, as it stands among the replacements.
    def branch(self, opcode, to):
        here = REPLACEMENTS + len(self.new)
        return bytes([opcode]) + struct.pack("<i", TEXT + to - (here + 5))

    def packed_entries(self):
        packed = b""
        for at, new, feature, absent, old_length, new_length in self.entries:
            here = ALTERNATIVES + len(packed)
            entry = struct.pack("<ii", TEXT + at - here, REPLACEMENTS + new - (here + 4))
            if self.entry_size == 12:
                entry += struct.pack("<H", feature | (0x8000 if absent else 0))
            else:
                entry += struct.pack("<HH", feature, 1 if absent else 0)
            entry += bytes([old_length, new_length])
            packed += entry.ljust(self.entry_size, b"\0")
        return packed


def fill(k):
    k.alternative(0x10, b"\x0f\x1f\x00", SMAP, b"\x0f\x01\xca")
    k.alternative(0x20, b"\x0f\x1f\x00", SMAP, b"\x0f\x01\xcb")
    k.alternative(0x30, b"\xff\x14\x25\0\0\0", XENPV, b"\x0f\x20\xd0", True)
    k.alternative(0x40, b"\xff\x14\x25\0\0\0", XENPV, b"\x0f\x22\xdf", True)
    k.put(0x60, bytes.fromhex("0f01f8f3480faec80f01f8"))
    k.put(0x80, bytes.fromhex("0f01f8f3480faedf0f01f8"))
    if "cave" not in k.without:
        k.put(0x180, CAVE)
    # A vector's entry, and error_entry.
    if "error_entry" not in k.without:
        k.alternative(0x100, b"\xe8" + struct.pack("<i", 0x200 - 0x105) + b"\x48\x89\xc4",
                      XENPV, k.branch(0xe8, 0x180))
        k.put(0x208, b"\x0f\x01\xf8\x90\x90\x90")
        if "user_entry" not in k.without:
            k.alternative(0x20e, b"\xeb\x10", PTI, b"\x0f\x20\xd8")
        if "kernel_entry" not in k.without:
            k.put(0x240, bytes.fromhex("488d442408"))
    # entry_SYSCALL_64: SWAPGS; the user's RSP; the switch of CR3; the stack.
    k.put(0x300, bytes.fromhex("0f01f8"))
    k.alternative(0x310, b"\xeb\x0e", PTI, b"\x0f\x20\xdc")
    if "syscall_entry" not in k.without:
        k.put(0x320, bytes.fromhex("65488b242500000000 6a2b 65ff342500000000 4153 6a33 51"))
    # The ways back.
    if "syscall_return" not in k.without:
        k.alternative(0x380, b"\x90" * 5, XENPV, k.branch(0xe9, 0x500))
    if "user_return" not in k.without:
        k.alternative(0x520, b"\x90" * 5, XENPV, k.branch(0xe9, 0x5c0))
    if "flush" not in k.without:
        k.put(0x540, bytes.fromhex("65480fa33c2500000000"))
    k.put(0x560, bytes.fromhex("4883c408e900000000"))
    k.put(0x580, b"\x48\xcf")


def elf(k):
    sections = [(".text", TEXT, bytes(k.text)), (".altinstructions", ALTERNATIVES, k.packed_entries()),
                (".altinstr_replacement", REPLACEMENTS, bytes(k.new))]
    if "text" in k.without:
        sections[0] = (".text", TEXT, b"\xcc" * 4)
    note = struct.pack("<III4s", 4, 20, 3, b"GNU\0") + BUILD_ID
    if "build_id" in k.without:
        note = struct.pack("<III4s", 4, 20, 5, b"GNU\0") + BUILD_ID
    sections.append((".notes", TEXT + 0x30000, note))
    sections = [s for s in sections if s[0] not in k.without]
    names = b"\0" + b"\0".join(s[0].encode() for s in sections) + b"\0.shstrtab\0"
    sections.append((".shstrtab", 0, names))
    body, headers = b"", b"\0" * 64
    for name, address, data in sections:
        headers += struct.pack("<IIQQQQIIQQ", names.index(b"\0" + name.encode() + b"\0") + 1,
                               3 if name == ".shstrtab" else 1, 2, address, 64 + len(body),
                               len(data), 0, 0, 1, 0)
        body += data
    return struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, TEXT, 0, 64 + len(body),
                       0, 64, 0, 0, 64, len(sections) + 1, len(sections)) + body + headers


# --- Real ------------------------------------------------------------------------------------------

KINDS = ("ac read_cr2 write_cr3 read_gs write_gs user_entry kernel_entry syscall_return user_return "
         "kernel_return syscall_entry error_call cave pcid_flush").split()


def read_sections(image):
    start, = struct.unpack_from("<Q", image, 40)
    size, count, names = struct.unpack_from("<HHH", image, 58)
    headers = [struct.unpack_from("<IIQQQQ", image, start + size * i) for i in range(count)]
    found = {}
    for name, _, _, address, offset, length in headers:
        text = image[headers[names][4] + name:].split(b"\0", 1)[0] if name else b""
        found[text.decode()] = (address, image[offset:offset + length])
    return found


# Address in .text: the instructions that replace what is there, and the length of that.
def read_alternatives(sections, size):
    base, data = sections[".altinstructions"]
    new_base, new = sections[".altinstr_replacement"]
    text, code = sections[".text"]
    for i in range(0, len(data), size):
        to, start = struct.unpack_from("<ii", data, i)
        old_length, new_length = data[i + size - 2:i + size]
        at, start = base + i + to, base + i + 4 + start - new_base
        if text <= at < text + len(code):
            yield at - text, new[start:start + new_length], old_length


def check(image, table, entry_size):
    sections = read_sections(image)
    text = sections[".text"][1]
    magic, count, crc, build_id = struct.unpack_from("<QII20s", table)
    problems = []
    if magic != 0x5345544953524d03 or len(table) != 40 + 24 * count or crc != zlib.crc32(table[16:]):
        problems.append("the table's header is wrong")
    if build_id not in sections[".notes"][1]:
        problems.append("it has another build ID")
    replaced = {}
    for at, new, old_length in read_alternatives(sections, entry_size):
        replaced.setdefault(at, []).append((bytes(new), old_length))
    sites, last = {}, -1
    for i in range(count):
        offset, target, kind, length, old = struct.unpack_from("<IIBB12s2x", table, 40 + 24 * i)
        sites.setdefault(KINDS[kind], set()).add(offset)
        if KINDS[kind] == "cave":
            if text[offset:offset + len(CAVE)] != CAVE or target != zlib.crc32(CAVE):
                problems.append(f"the cave at {offset:x} is another one")
            target = 0
        if offset <= last or offset + length > len(text) or target >= len(text):
            problems.append(f"{offset:x} is out of order or of the text")
        last = offset
        # As the image has it, or as the kernel makes it: one alternative, NOPs behind it.
        bytes_now = text[offset:offset + length]
        made = [new + b"\x0f\x1f\x00" * ((n - len(new)) // 3) for new, n in replaced.get(offset, [])]
        nops = bytes_now == b"\x90" * 5 and old[:5] == b"\x0f\x1f\x44\0\0"
        padded = bytes_now[3:] == b"\x90" * 3 and old[:6] == bytes_now[:3] + b"\x0f\x1f\x00"
        if old[:length] != bytes_now and old[:length] not in made and not nops and not padded:
            problems.append(f"{KINDS[kind]} at {offset:x}: {old.hex()}, in the image {bytes_now.hex()}")
    for kind in KINDS[3:11] + KINDS[12:]:
        if len(sites.get(kind, [])) != 1:
            problems.append(f"{len(sites.get(kind, []))} of {kind}")
    all_ac = {at for at, new in ((a, n[0]) for a, l in replaced.items() for n in l)
              if new in (b"\x0f\x01\xca", b"\x0f\x01\xcb")}
    if not all_ac or sites.get("ac") != all_ac:
        problems.append(f"{len(sites.get('ac', []))} of {len(all_ac)} STAC and CLAC")
    for kind, code in (("read_cr2", b"\x0f\x20\xd0"), ("write_cr3", b"\x0f\x22\xdf")):
        wanted = {at for at, l in replaced.items() for new, n in l if new == code and n == 6}
        if not wanted or sites.get(kind) != wanted:
            problems.append(f"{len(sites.get(kind, []))} of {len(wanted)} {kind}")
    print("; ".join(problems) or "all as in the image")


def main():
    if sys.argv[1:2] == ["check"]:
        with open(sys.argv[2], "rb") as image, open(sys.argv[3], "rb") as table:
            check(image.read(), table.read(), int(sys.argv[4]))
        return
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()]
    kernel = Kernel(sys.argv[1:], sizes[0] if sizes else 14)
    fill(kernel)
    sys.stdout.buffer.write(elf(kernel))


main()
