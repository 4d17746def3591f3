#!/bin/bash
# criu has the shell write to its log, which is longer than the shell may write
ulimit -S -f 8
./limits
