# SPDX-License-Identifier: GPL-2.0-or-later
"""doubles.py READY MIB - numpy arrays of doubles: half a smooth function, half normally distributed"""

import sys
import time

import numpy

count = int(sys.argv[2]) * (1 << 17)
smooth = numpy.sin(numpy.linspace(0, 1000, count // 2))
noise = numpy.random.default_rng(4711).standard_normal(count // 2)
open(sys.argv[1], "w").close()
while True:
    time.sleep(60)
