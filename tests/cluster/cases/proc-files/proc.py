# SPDX-License-Identifier: GPL-2.0-or-later
import os, subprocess, time
live = subprocess.Popen(["sleep", "1000"])
dead = subprocess.Popen(["sleep", "1000"])
fds = {}
for path in ("/proc", "/proc/self/fd", "/proc/self/task", "/proc/self/status", "/proc/self/maps", "/proc/meminfo", "/proc/sys/kernel/ostype",
	"/sys/class", "/sys/devices/system/cpu/online", "/dev/null", "/dev/zero", "/proc/1/status",
	"/proc/%d/stat" % live.pid, "/proc/%d" % live.pid, "/proc/%d/status" % dead.pid, "/proc/%d" % dead.pid):
	fds[path] = os.open(path, os.O_RDONLY)
fds["adj"] = os.open("/proc/self/oom_score_adj", os.O_RDWR)
dead.kill(); dead.wait()
open("ready", "w").close()
while not os.path.exists("go"): time.sleep(0.1)
out = []
for path, fd in fds.items():
	try:
		if path == "/proc/%d/stat" % live.pid: out.append(os.read(fd, 20).split()[0] == b"%d" % live.pid)
		else: out.append(os.read(fd, 5) if not os.path.isdir("/proc/self/fd/%d" % fd) else bool(os.listdir(fd)))
	except OSError as e:
		out.append(e.strerror)
live.kill(); live.wait()
open("result", "w").write("\n".join(map(str, zip(range(99), out))) + "\n")
