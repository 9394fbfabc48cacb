"""Writes the BPF program of a list of allowed system calls to stdout, as systemd's SystemCallFilter= makes it.

Arguments: the address families that sockets may have, comma-separated, then the names. The rest fails with EPERM.
"""
import ctypes
import errno
import socket
import sys

ALLOW, ERRNO, EQUAL = 0x7FFF0000, 0x00050000, 4


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(ERRNO | errno.EPERM)))


def rule(action, number, *comparisons):
    array = (Comparison * max(1, len(comparisons)))(*comparisons)
    result = seccomp.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(comparisons), array)
    if result != 0:
        sys.exit(f"system call {number}: {result}")


for name in sys.argv[2:]:
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        continue  # of another architecture
    if name != "socket":
        rule(ALLOW, number)
        continue
    for family in sys.argv[1].split(","):
        rule(ALLOW, number, Comparison(0, EQUAL, getattr(socket, family), 0))
seccomp.seccomp_export_bpf(context, 1)
