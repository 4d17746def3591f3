#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# compile.sh ROUNDS - a batch job: Compile.java with sources that are at hand
cd /shared/bench || exit
exec java -XX:+UseSerialGC -Xmx400m Compile "$1" Compile.java Heap.java
