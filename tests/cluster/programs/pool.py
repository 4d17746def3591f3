# SPDX-License-Identifier: GPL-2.0-or-later
# pool.py - Python's multiprocessing: a pool, queues, a manager, locks, shared memory
import multiprocessing as mp
import os
import time
from multiprocessing import shared_memory


def square(n):
    return sum(i * n for i in range(2000))


def consumer(questions, answers, name, lock, count):
    shm = shared_memory.SharedMemory(name)
    for n in iter(questions.get, None):
        with lock:
            shm.buf[n % 4096] = (shm.buf[n % 4096] + n) % 256
            count.value += 1
        answers.put(square(n))
    shm.close()


def ask(questions, answers, numbers):
    for n in numbers:
        questions.put(n)
    return sum(answers.get() for _ in numbers)


def main():
    questions, answers, lock, count = mp.Queue(), mp.Queue(), mp.Lock(), mp.Value("q", 0)
    shm = shared_memory.SharedMemory(create=True, size=4096)
    consumers = [mp.Process(target=consumer, args=(questions, answers, shm.name, lock, count)) for _ in range(3)]
    for process in consumers:
        process.start()
    with mp.Pool(4) as pool, mp.Manager() as manager:
        kept = manager.dict()
        for phase in range(1, 6):
            kept[phase] = sum(pool.map(square, range(500 * phase)))
            print(phase, kept[phase], ask(questions, answers, range(200 * phase)), count.value, flush=True)
            if phase > 1:
                continue
            print("ready", flush=True)
            while not os.path.exists("go"):
                if sum(pool.map(square, range(500))) != kept[1]:
                    print("another sum at the gate", flush=True)
                time.sleep(0.4)
        print(dict(kept), bytes(shm.buf).hex()[:200], flush=True)
    for _ in consumers:
        questions.put(None)
    for process in consumers:
        process.join()
        print(process.exitcode, flush=True)
    shm.close()
    shm.unlink()
    print("end", flush=True)


if __name__ == "__main__":
    main()
