#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# a program that is in memory alone, as packers and container tools run them
exec ./self
