#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# screen.sh TERMINAL - a screen in the background as people leave it, and the script that waits for its end
SCREENDIR=$(mktemp -d)
export SCREENDIR TERM=screen
screen -dmS work -L -Logfile screen.log bash "$1"
until grep -qsx ready terminal.txt; do sleep 0.1; done
echo ready
while screen -ls | grep -q 'work.*etached'; do sleep 0.1; done
grep -h 'written to the terminal' screen.log | tr -d '\r'
cat terminal.txt
echo end
