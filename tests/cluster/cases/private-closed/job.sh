#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# keys and directories that nobody may read, in the directories that are the job's own
for dir in /tmp /var/tmp /dev/shm; do
	dir=$dir/private-closed
	chmod -R u+rwx "$dir" 2>/dev/null; rm -rf "$dir"
	mkdir -p "$dir/shut/in" "$dir/write only"
	echo "key in $dir" >"$dir/key"; echo deep >"$dir/shut/in/deep"; echo "blind" >"$dir/write only/f"
	mkfifo "$dir/fifo"; ln -s nowhere "$dir/link"
	chmod 000 "$dir/key" "$dir/fifo" "$dir/shut/in/deep" "$dir/shut/in"; chmod 300 "$dir/shut" "$dir/write only"
	chmod 111 "$dir"
done
touch ready
until [ -e go ]; do sleep 0.2; done
for dir in /tmp /var/tmp /dev/shm; do
	dir=$dir/private-closed
	stat -c '%a %n' "$dir" "$dir"/{key,fifo,shut,"write only",shut/in}
	chmod 700 "$dir" "$dir/shut" "$dir/shut/in" "$dir/write only"; chmod 600 "$dir/key"
	stat -c '%a %n' "$dir/shut/in/deep"; chmod 600 "$dir/shut/in/deep"
	cat "$dir/key" "$dir/shut/in/deep" "$dir/write only/f"
	(cd "$dir" && find . -mindepth 1 | sort)
done >result
