#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# count.sh - counts to stdout, which is open all the time, until there is the file go
enable -f /usr/lib/bash/sleep sleep
n=0
until [ -e go ]; do
	echo $((n++))
	sleep 0.05
done
echo end
