#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# advice that a program relies on: what children must not see, what must not be in a core; a low limit of locked memory
ulimit -l 64 -c 0
exec ./advice
