# SPDX-License-Identifier: GPL-2.0-or-later
# files.bats - what becomes of files that a job has open, seconds or changes after the checkpoint (files.py). One node is lost for
# one half of these tests, all nodes are drained for the other.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	have_spank_cr || return 0
	on n0 alice tee files.py <"$BATS_TEST_DIRNAME/files.py" >/dev/null
	lost_node
	drained
}

# lost_node - jobs of which the node is lost when they have changed all their files
lost_node() {
	local name
	only_n1
	submit_as copy --output=out.%j --error=errors.%j 'exec python3 files.py'
	submit_as keep --output=out.%j --error=errors.%j --checkpoint-files=keep 'exec python3 files.py one 100000'
	submit_as truncate --output=out.%j --error=errors.%j --checkpoint-files=truncate 'exec python3 files.py one 100000'
	# more than file_limit
	submit_as large --output=out.%j --error=errors.%j 'exec python3 files.py one 70000000'
	for name in copy keep truncate large; do
		wait_file alice "out.$(job $name)" ready 60
		on n0 alice scheckpoint create "$(job $name)"
	done
	on n0 alice scheckpoint create "$(job large)"
	on n0 alice scheckpoint show "$(job large)" >"$BATS_FILE_TMPDIR/shown"
	for name in copy keep truncate large; do
		on n0 alice touch "go.$(job $name)"
		wait_file alice "out.$(job $name)" changed 30
		on n0 alice rm "go.$(job $name)"
	done
	lose_n1 copy keep truncate large
	all_started
	for name in copy keep truncate large; do
		on n0 alice touch "check.$(job $name)"
		wait_state "$(job $name)" COMPLETED 60
	done
}

# drained - jobs whose file is not what it was, nor theirs, when they are to go on
drained() {
	local name
	for name in link owner readonly older; do
		submit_as $name --checkpoint-fallback=fresh --output=out.%j --error=errors.%j 'exec python3 files.py one 100000'
	done
	for name in link owner readonly older; do
		wait_file alice "out.$(job $name)" ready 30
	done
	on n0 alice scheckpoint create "$(job older)"
	on n0 root scontrol update nodename=n1,n2 state=drain reason="the files are to change"
	for name in link owner readonly older; do
		on n0 root scontrol requeue "$(job $name)"
	done
	for name in link owner readonly older; do
		wait_state "$(job $name)" PENDING 60
	done
	on n0 alice sh -c 'echo precious >victim; ln -sfn ../victim "files.$1/one0"' sh "$(job link)"
	on n0 root sh -c 'echo precious >"$2/theirs"; chown bob: "$2/theirs"; chmod 666 "$2/theirs"
		mv "$2/theirs" "$2/files.$1/one0"' sh "$(job owner)" /shared/home/alice
	on n0 alice sh -c 'cd "files.$1" && touch one0 && chmod 444 one0' sh "$(job readonly)"
	# a byte of the newest generation: the older one is taken, and brings its own copy
	on n0 alice sh -c 'echo lost >"files.$1/one0"; printf x | dd of="$2/000002/index" bs=1 seek=100 conv=notrunc 2>/dev/null' \
		sh "$(job older)" "$(store "$(job older)")"
	on n0 root scontrol update nodename=n1,n2 state=resume
	for name in link owner readonly; do
		wait_restarts "$(job $name)" 1 60
		wait_until 30 _fresh $name
	done
	wait_restored "$(job older)" 1 60
}

_fresh() {
	journal "$1" 'select(.event == "fresh").restart' | grep -qx 1
}

setup() {
	need_spank_cr
}

teardown_file() {
	nodes_back
}

# case_ok NAME... - the job says so of these files
case_ok() {
	local name
	for name; do
		on n0 alice grep -E "^$name (ok|wrong)" "out.$(job copy)"
		on n0 alice grep -qx "$name ok" "out.$(job copy)"
	done
}

# became NAME TEXT - the job of one file found that
became() {
	on n0 alice cat "out.$(job "$1")"
	[ "$(on n0 alice grep -v ^slurmstepd "out.$(job "$1")")" = $'ready\n'"$2"$'\nend' ]
}

# refused NAME PATTERN - it was not restored, for a reason that names the file; it began anew
refused() {
	journal "$1" '.event + " " + (.text // "")'
	journal "$1" 'select(.event == "restore-failed").text' | grep -E "/shared/home/alice/files.$(job "$1")/one0.*$2"
	_fresh "$1"
	wait_file alice "out.$(job "$1")" ready 30
}

journal() {
	on n0 alice jq -r "$2" "$(store "$(job "$1")")/journal.jsonl"
}

@test "files that were appended to, rewritten, shortened, made sparse go back to their content" {
	case_ok InPlace AppendMode Appended Seeks Shortened Empty Mode Sparse
}

@test "a file that is only mapped goes back to its content" {
	case_ok Mapped
}

@test "files that were renamed, rotated, replaced, removed, with their directory, are made again" {
	case_ok RenamedBefore RenamedAfter Rotated Replaced Removed Directory
}

@test "a file without a name goes on, also when another has its name" {
	case_ok Deleted ReplacedBefore
}

@test "two names of a file are that again; a name that somebody else gave it keeps what was written" {
	case_ok Links Foreign
}

@test "a file that several processes have open, and a working directory that was removed" {
	case_ok Several child
	[ "$(on n0 alice grep -c wrong "out.$(job copy)")" = 0 ]
	on n0 alice grep -qx end "out.$(job copy)"
	# nothing of ours is left beside them
	[ -z "$(on n0 alice find "files.$(job copy)" -name '.spank_cr*' -o -name '*.cr.*' -o -name '*.cr_link')" ]
}

@test "with keep a file stays as it is, longer and with another mode than criu expects" {
	became keep 'size 6, mode 600, first B, offset 0'
}

@test "with truncate a file goes back to its size alone" {
	became truncate 'size 0, mode 640, first B, offset 0'
}

@test "a file above the limit goes back to its size; the user is told once, scheckpoint show tells it" {
	became large 'size 0, mode 640, first B, offset 0'
	grep -E '^output .*/one0 at .*, not copied$' "$BATS_FILE_TMPDIR/shown"
	on n0 alice cat "errors.$(job large)"
	[ "$(on n0 alice grep -c "spank_cr: .*one0 has 70000000 bytes, more than file_limit=67108864" "errors.$(job large)")" = 1 ]
	[ "$(on n0 root grep -c 'one0 has 70000000 bytes' "$(store "$(job large)")/crinit.log")" = 1 ]
}

@test "a symbolic link that was not there is not followed, and the job begins anew" {
	refused link 'is now a symbolic link'
	[ "$(on n0 alice cat victim)" = precious ]
}

@test "a file of another user in its place is not touched, though it could be" {
	refused owner "was replaced by a file of user $(on n0 root id -u bob)"
	[ "$(on n0 alice cat "files.$(job owner)/one0")" = precious ]
}

@test "a file that may not be written any more is not made writable" {
	refused readonly 'may not be written any more: Permission denied'
	[ "$(on n0 alice stat -c '%a %s' "files.$(job readonly)/one0")" = "444 100000" ]
}

@test "when the newest checkpoint is damaged the older one puts back its own copy" {
	job=$(job older)
	journal older 'select(.event == "restored").generation' | grep -qx 1
	on n0 alice touch "check.$job"
	wait_state "$job" COMPLETED 30
	became older 'size 0, mode 640, first a, offset 0'
}

@test "a file without its name that has another one: the checkpoint is refused, and the line names it" {
	job=$(submit --checkpoint=1h --output=out.%j 'exec 5<>nameless.$SLURM_JOB_ID; echo x >&5; ln nameless.$SLURM_JOB_ID other.$SLURM_JOB_ID
		rm nameless.$SLURM_JOB_ID; '"$COUNT")
	wait_file alice "out.$job" '^5$' 30
	run --separate-stderr on n0 alice scheckpoint create "$job"
	echo "$stderr"
	[ "$status" = 1 ]
	grep -q "is not at its path any more and has another name: /shared/home/alice/nameless.$job" <<<"$stderr"
	finish "$job"
	counted "out.$job"
}

@test "two thousand open files" {
	on n0 alice tee many.py <<-'END' >/dev/null
		import os, resource, time
		job = os.environ["SLURM_JOB_ID"]
		resource.setrlimit(resource.RLIMIT_NOFILE, (2100, 2100))
		os.mkdir("many." + job)
		files = [open("many.%s/%d" % (job, i), "w+b", buffering=0) for i in range(2000)]
		for i, f in enumerate(files):
		    f.write(b"%d" % i * 2000)
		print("ready", flush=True)
		while not os.path.exists("go." + job):
		    time.sleep(0.1)
		ok = all(os.pread(f.fileno(), 10000, 0) == b"%d" % i * 2000 for i, f in enumerate(files))
		print("same" if ok else "different", flush=True)
	END
	job=$(submit --checkpoint=1h --output=out.%j 'exec python3 many.py')
	wait_file alice "out.$job" ready 30
	on n0 alice scheckpoint create "$job"
	echo "frozen for $(manifest "$job" 1 .freeze_ms) ms"
	[ "$(manifest "$job" 1 '[.outputs[] | select(.saved == "files/content")] | length')" = 2000 ]
	[ "$(manifest "$job" 1 .freeze_ms)" -lt $((10000 * PATIENCE)) ]
	requeue "$job"
	on n0 alice touch "go.$job"
	wait_state "$job" COMPLETED 30
	on n0 alice grep -qx same "out.$job"
}
