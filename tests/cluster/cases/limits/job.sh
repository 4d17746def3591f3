#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# criu has the shell write to its log, which is longer than the shell may write
ulimit -S -f 8
./limits
