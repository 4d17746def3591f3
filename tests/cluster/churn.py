# SPDX-License-Identifier: GPL-2.0-or-later
"""churn.py MIB STOP - memory that is another one every moment, so that a checkpoint has work to do; until STOP is there

Says "churning", and at the end "intact", or "damaged" when it was not what had been put there.
"""
import os
import sys
import time
import zlib

mib, stop = int(sys.argv[1]), sys.argv[2]
damaged = False
while not os.path.exists(stop):
    data = os.urandom(mib << 19).hex().encode()
    checksum = zlib.crc32(data)
    print("churning", flush=True)
    time.sleep(0.3)
    damaged = damaged or zlib.crc32(data) != checksum
print("damaged" if damaged else "intact", flush=True)
