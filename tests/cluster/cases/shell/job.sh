#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nothing that is hard: if this case fails, look at the cluster first
exec 3> >(while read -r line; do echo "read $line"; done >lines)
reader=$!
echo one >&3
touch ready
until [ -e go ]; do sleep 0.2; done
echo two >&3
exec 3>&-
wait "$reader"
cp lines result
