#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# what others do to inputs, directories and the program after the checkpoint (see meddle) holds no job back
mkdir -p proj shut/in
seq 1 5000 >input; seq 1 1000 >feed; seq 1 1000 >shrinks; seq 1 1000 >closed; seq 1 1000 >replaced; seq 1 1000 >shut/in/deep
cp "$(type -P sleep)" worker
seq 1 3000 >dataset; seq 1 2000 >foreign
./worker 1000 &
./mapped >sums & mapped=$!
until [ -e mapped.ready ]; do sleep 0.1; done
cd proj || exit
exec 3<>../unwritten 4<../shut/in/deep 5<../input 6<../feed 7<../shrinks 8<../closed 9<../replaced
for fd in 4 5 6 7 8 9; do read -r -u "$fd" a; read -r -u "$fd" b; done
touch ../ready
until [ -e ../go ]; do sleep 0.2; done
{
	pwd | sed 's,.*/,,'
	for fd in 4 5 6 8 9; do read -r -u "$fd" c; echo "$fd $a $b $c"; done
	for fd in 4 5 8; do cksum <&"$fd"; done
	read -r -u 7 -t 1; [ -e /proc/self/fd/7 ] && echo open
	echo more >&3; kill %1 && echo "the worker was there"
	wait "$mapped"; cat ../sums
	wc -l <../unwritten; chmod 700 ../shut ../shut/in
} >../result
