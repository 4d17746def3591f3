#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# a table that forked processes share: together they have less memory than two copies of it
exec ./pool
