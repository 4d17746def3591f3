# SPDX-License-Identifier: GPL-2.0-or-later
"""dictionary.py READY ENTRIES - a Python heap: a dictionary of records, then nothing but waiting"""

import random
import sys
import time

random.seed(4711)
heap = {}
for i in range(int(sys.argv[2])):
    heap[f"sample-{i:08d}"] = (i, random.random(), [random.randrange(1000) for _ in range(4)], f"run {i % 97}")
open(sys.argv[1], "w").close()
while True:
    time.sleep(60)
