# SPDX-License-Identifier: GPL-2.0-or-later
# named pipes in all states: a reader that nobody has written to yet must not see anything, one whose writer has gone does
import os, select, shutil, tempfile, time
TOP, TMP = os.getcwd(), tempfile.mkdtemp(dir="/tmp")
def at(name, place): return os.path.join({"here": TOP, "tmp": TMP}[place], name)
readers, writers, kept = {}, {}, []
for place in ("here", "tmp"):
	for name in ("idle", "twice", "filled", "open", "gone", "later", "removed", "removed-gone"):
		os.mkfifo(at(name, place))
		readers[name, place] = os.open(at(name, place), os.O_RDONLY | os.O_NONBLOCK)
	kept.append(os.open(at("twice", place), os.O_RDONLY | os.O_NONBLOCK))
	for name in ("filled", "open", "gone", "removed-gone"):
		writers[name, place] = os.open(at(name, place), os.O_WRONLY)
	os.write(writers["filled", place], b"data\n")
	for name in ("filled", "gone", "removed-gone"):
		os.close(writers.pop((name, place)))
	for name in ("removed", "removed-gone"):
		os.unlink(at(name, place))
	os.mkfifo(at("both", place))
	kept.append(os.open(at("both", place), os.O_RDWR))
	readers["both", place] = os.open(at("both", place), os.O_RDONLY | os.O_NONBLOCK)
	os.mkfifo(at("blocking", place))
	kept.append(os.open(at("blocking", place), os.O_RDWR))
	readers["blocking", place] = os.open(at("blocking", place), os.O_RDONLY)
open("ready", "w").close()
quiet = select.poll()
for (name, _), fd in readers.items():
	if name not in ("filled", "gone", "removed-gone"): quiet.register(fd, select.POLLIN)
spurious = 0
while not os.path.exists("go"):
	if quiet.poll(100): spurious += 1; time.sleep(0.1)
def events(fd):
	poller = select.poll(); poller.register(fd, select.POLLIN); return poller.poll(0)
said = []
for key, fd in sorted(readers.items()):
	said.append((key, [e for _, e in events(fd)]))
for place in ("here", "tmp"):
	said.append((place, os.read(readers["filled", place], 100), os.read(readers["gone", place], 100)))
	with open(at("later", place), "w") as f: f.write("order\n")
	with open(at("twice", place), "w") as f: f.write("twice\n")
	said.append((os.read(readers["later", place], 100), [e for _, e in events(readers["later", place])], os.read(readers["twice", place], 100)))
	os.write(writers["open", place], b"still\n")
	said.append(os.read(readers["open", place], 100))
open("result", "w").write("spurious %s\n" % bool(spurious) + "\n".join(map(str, said)) + "\n")
shutil.rmtree(TMP)
