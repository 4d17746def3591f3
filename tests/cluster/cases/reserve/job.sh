#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# address space that is reserved, as JVMs, Go, sanitizers and allocators do
exec ./reserve
