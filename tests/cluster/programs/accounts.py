# SPDX-License-Identifier: GPL-2.0-or-later
# accounts.py - SQLite: a database that is open all the time and written in transactions; rows are rewritten in place
# usage: accounts.py JOURNAL-MODE. At the gate money goes round, and the sums stay.
import os
import sqlite3
import sys
import time

mode = sys.argv[1]
db = sqlite3.connect("accounts.db", isolation_level=None)
print(db.execute(f"pragma journal_mode={mode}").fetchone()[0])
db.execute("create table accounts (id integer primary key, money integer, note text)")
db.execute("create table log (n integer primary key autoincrement, source, target)")


def begin(n):
    db.execute("begin immediate")
    for i in range(n):
        db.execute("insert into accounts values (?, 1000, ?)", (i, "x" * (i % 90)))
    db.execute("commit")


def move(n, shift, log=True):
    db.execute("begin immediate")
    for i in range(n):
        db.execute("update accounts set money = money - ? where id = ?", (i % 7, i))
        db.execute("update accounts set money = money + ? where id = ?", (i % 7, (i + shift) % n))
        if log:
            db.execute("insert into log (source, target) values (?, ?)", (i, (i + shift) % n))
    db.execute("commit")


def state():
    return db.execute("select sum(money), sum(money * id), count(*), (select count(*) from log) from accounts").fetchone()


begin(2000)
move(2000, 3)
print(*state(), flush=True)
print("ready", flush=True)
while not os.path.exists("go"):
    # there and back
    before = db.execute("select group_concat(money) from accounts").fetchone()
    move(2000, 5, log=False)
    db.execute("begin immediate")
    for i in range(2000):
        db.execute("update accounts set money = money + ? where id = ?", (i % 7, i))
        db.execute("update accounts set money = money - ? where id = ?", (i % 7, (i + 5) % 2000))
    db.execute("commit")
    if db.execute("select group_concat(money) from accounts").fetchone() != before:
        print("another state at the gate", flush=True)
    time.sleep(0.4)
for i in range(5):
    move(2000, 7 + i)
    print(*state(), flush=True)
print(db.execute("pragma integrity_check").fetchone()[0])
db.close()
print(sqlite3.connect("accounts.db").execute("select count(*), sum(length(note)) from accounts").fetchone())
print("end", flush=True)
