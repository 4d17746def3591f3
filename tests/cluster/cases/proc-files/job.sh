#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# files and directories of /proc and /sys that are open, of processes that are there and of one that is not
exec python3 proc.py
