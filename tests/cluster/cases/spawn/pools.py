# SPDX-License-Identifier: GPL-2.0-or-later
# pools.py - multiprocessing with the start methods spawn and forkserver, and its queues, locks and shared memory

import multiprocessing as mp
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory


def square(x):
    time.sleep(0.01)
    return x * x


def server(inbox, outbox, lock, name):
    block = shared_memory.SharedMemory(name)
    for x in iter(inbox.get, None):
        with lock:
            block.buf[0] += 1
        outbox.put(x + block.buf[0])
    block.close()


def main():
    results = []
    block = shared_memory.SharedMemory(create=True, size=4096)
    spawn = mp.get_context("spawn")
    inbox, outbox, lock = spawn.Queue(), spawn.Queue(), spawn.Lock()
    worker = spawn.Process(target=server, args=(inbox, outbox, lock, block.name))
    worker.start()
    inbox.put(100)
    results.append(outbox.get())
    with mp.get_context("forkserver").Pool(1) as pool, ProcessPoolExecutor(1, mp_context=spawn) as executor:
        results.append(sum(pool.map(square, range(10))))
        results.append(sum(executor.map(square, range(10))))
        open("ready", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.1)
        results.append(sum(pool.map(square, range(30))))
        results.append(sum(executor.map(square, range(40))))
        inbox.put(200)
        results.append(outbox.get())
        inbox.put(None)
        worker.join()
        results.append(worker.exitcode)
    block.close()
    block.unlink()
    with open("result", "w") as f:
        print(results, file=f)


if __name__ == "__main__":
    main()
