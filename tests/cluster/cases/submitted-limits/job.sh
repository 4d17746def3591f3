#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# the limits of whoever submits a job are the job's; what saves and restores it has more to write than that
limits() { ulimit -S -f -v -d -t; ulimit -H -f -v -d -t; }
before=$(limits)
[ -z "$SLURM_JOB_ID" ] || [ "$(ulimit -S -f)" = 64 ] || exit 1
(ulimit -S -f unlimited; head -c 3000000 /dev/urandom >/tmp/submitted-limits)
sum=$(cksum </tmp/submitted-limits)
touch ready
until [ -e go ]; do sleep 0.2; done
{
	[ "$(limits)" = "$before" ] && echo "limits as before"
	[ "$(cksum </tmp/submitted-limits)" = "$sum" ] && echo "content as before"
	bash -c 'head -c 100000 /dev/zero >big' 2>/dev/null
	[ -z "$SLURM_JOB_ID" ] || [ "$(stat -c %s big)" = 65536 ] && echo "no file is longer"
	rm /tmp/submitted-limits
} >result
