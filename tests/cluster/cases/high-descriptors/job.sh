#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# descriptors right below the hard limit, and no vDSO: both as below valgrind
ulimit -n 1000
exec ./high
