# SPDX-License-Identifier: GPL-2.0-or-later
# workers.py - three of joblib's workers, each in the middle of its first task
import os
import time

from joblib import Parallel, delayed


def square(number):
    open("begun.%d" % number, "w").close()
    if all(os.path.exists("begun.%d" % n) for n in range(3)):
        open("ready", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.1)
    return number * number


def main():
    squares = Parallel(n_jobs=3)(delayed(square)(number) for number in range(9))
    # and the same ones again
    squares += Parallel(n_jobs=3)(delayed(square)(number) for number in range(4))
    with open("result", "w") as f:
        print(squares, file=f)


main()
