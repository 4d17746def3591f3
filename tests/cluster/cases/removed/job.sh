#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# a library, a program and files that are replaced or removed where their user may not write, as upgrades do
mkdir store
gcc -shared -fPIC -DANSWER=1 -o store/libanswer.so answer.c
gcc -shared -fPIC -DANSWER=2 -o new.so answer.c
cp /usr/bin/sleep store/pause
head -c 20000 /dev/zero | tr '\0' a >store/table
echo read only >store/input
exec python3 removed.py
