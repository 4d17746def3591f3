#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Python's pools whose workers are not forked, and their named semaphores
exec python3 pools.py
