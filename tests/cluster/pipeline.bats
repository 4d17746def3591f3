# SPDX-License-Identifier: GPL-2.0-or-later
# pipeline.bats - a shell pipeline with threads comes to the same result as one that nobody disturbed

load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

@test "bash | python3 with threads, requeued twice and checkpointed often, computes what it would have" {
	on n0 alice tee threads.py <<-'END' >/dev/null
		import sys, threading, queue, hashlib
		work, lock, sums = queue.Queue(8), threading.Lock(), [0] * 4
		def run(me):
		    while (line := work.get()) is not None:
		        n = int.from_bytes(hashlib.sha256(line.encode()).digest()[:6], "big")
		        with lock:
		            sums[n % 4] += n
		threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
		for t in threads: t.start()
		for count, line in enumerate(sys.stdin):
		    work.put(line)
		    if count % 100 == 0: print(count, flush=True)
		for t in threads: work.put(None)
		for t in threads: t.join()
		print("result", count, *sums)
	END
	script='for ((i = 0; i < 1500; i++)); do echo "line $i"; [ $((i % 10)) != 0 ] || sleep 0.15; done | python3 threads.py'
	reference=$(submit "$script")
	job=$(submit --checkpoint=2s "$script")
	wait_file alice "slurm-$job.out" '^100$' 30
	requeue "$job"
	wait_file alice "slurm-$job.out" '^600$' 30
	wait_committed "$job" 3 30
	requeue "$job"
	wait_state "$job" COMPLETED 60
	wait_state "$reference" COMPLETED 60
	on n0 alice grep -q '^result 1499 ' "slurm-$job.out"
	diff <(on n0 alice cat "slurm-$reference.out") <(on n0 alice grep -v '^slurmstepd-' "slurm-$job.out")
}
