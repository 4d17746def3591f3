# SPDX-License-Identifier: GPL-2.0-or-later
# blas.py - numpy on OpenBLAS's threads: products of matrices whose entries are small whole numbers, exact in any order
import os
import time

import numpy as np


def threads():
    return len(os.listdir("/proc/self/task"))


def product(seed, n=400):
    random = np.random.default_rng(seed)
    a, b = (random.integers(0, 100, (n, n)).astype(np.float64) for _ in range(2))
    return (a @ b).astype(np.int64)


maps = open("/proc/self/maps").read()
print("openblas" in maps, flush=True)
random = np.random.default_rng(7)
first = product(1)
print(threads() > 1, "threads", first.sum(), first[17, 23], flush=True)
print("ready", flush=True)
while not os.path.exists("go"):
    if not (product(1) == first).all():
        print("another product at the gate", flush=True)
    time.sleep(0.4)
for seed in range(2, 8):
    print(seed, product(seed).sum(), random.integers(0, 1 << 30), flush=True)
print(threads() > 1, "threads", (product(1) == first).all(), flush=True)
print("end", flush=True)
