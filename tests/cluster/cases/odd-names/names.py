# files and directories with any bytes in their names: open for writing, for reading, mapped, in the job's own /tmp too
import mmap, os, sys, time
NAMES = [b"two\nlines", b"latin1-\xe9\xff", b" blanks at both ends ", b"gone (deleted)", b"a\"quote'd\\name", b"--help",
	b"$(touch x)`y`", "ünïcödé-文件".encode(), b"n" * 255, b"back\\012slash", b"tab\there", b"new\nline (deleted)"]
TOP, DIR = os.getcwdb(), b"dir with \n newline (deleted)"
for place in (b".", b"/tmp"):
	os.makedirs(place + b"/" + DIR, exist_ok=True)
for name in NAMES:
	with open(b"in-" + name[:250], "wb") as f:
		f.write(name * 10)
inputs = [open(b"in-" + name[:250], "rb", buffering=0) for name in NAMES]
maps = [mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) for f in inputs]
os.chdir(DIR)
outputs = [open(place + name, "wb", buffering=0) for place in (b"", b"/tmp/" + DIR + b"/") for name in NAMES]
shared = open(b"shared\n\\012 (deleted)", "w+b", buffering=0)
shared.truncate(4096)
area = mmap.mmap(shared.fileno(), 4096)
directory = os.open(b".", os.O_RDONLY)
i = 0
open(TOP + b"/ready", "w").close()
while not os.path.exists(TOP + b"/go"):
	for f in outputs:
		f.write(b"%d\n" % i)
	i += 1
	area[0:4] = i.to_bytes(4, "little")
	time.sleep(0.1)
want = b"".join(b"%d\n" % k for k in range(i))
bad = [f.name for f in outputs if open(f.name, "rb").read() != want]
bad += [n for n, f, m in zip(NAMES, inputs, maps) if f.read() != n * 10 or m[:] != n * 10]
with open(TOP + b"/result", "w") as f:
	print("bad", bad, "shared", area[0:4] == i.to_bytes(4, "little"), file=f)
	print(sorted(os.listdir(directory)) == sorted(map(os.fsdecode, NAMES + [shared.name])), os.getcwdb() == TOP + b"/" + DIR, file=f)
