# SPDX-License-Identifier: GPL-2.0-or-later
# ledger.py - a database in books, for --checkpoint-rollback: opened, written, read and closed again and again, until there
# is the file go. Row n is of the nth time.
import os
import sqlite3
import time

n = 0
while not os.path.exists("go"):
    db = sqlite3.connect("books/ledger.db", isolation_level=None)
    db.execute("begin immediate")
    db.execute("create table if not exists rows (n integer primary key, text)")
    db.execute("insert into rows values (?, ?)", (n, "%d " % n * 20))
    db.execute("commit")
    n += 1
    rows = db.execute("select count(*), min(n), max(n) from rows").fetchone()
    if rows != (n, 0, n - 1):
        print("rows", rows, "instead of", n, flush=True)
    db.close()
    print(n, flush=True)
    time.sleep(0.05)
print("end", flush=True)
