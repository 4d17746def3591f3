# SPDX-License-Identifier: GPL-2.0-or-later
# series.py - a numeric program with a result file: record n of it is the nth number of a series; the first record says how
# many there are. Ends when there is the file go.
import os
import struct
import time

A, C, M = 6364136223846793005, 1442695040888963407, 1 << 64


def main():
    x, n = 1, 0
    with open("result", "w+b", buffering=0) as result:
        while not os.path.exists("go"):
            for _ in range(100):
                x = (x * A + C) % M
            n += 1
            result.seek(n * 16)
            result.write(struct.pack("<QQ", n, x))
            result.seek(0)
            result.write(struct.pack("<QQ", n, 0))
            time.sleep(0.02)
    print("end", n, flush=True)


if __name__ == "__main__":
    main()
