#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# working directories that were removed: with a new one of that name, without, within each other, below a directory
# that cannot be written
exec python3 cwd.py
