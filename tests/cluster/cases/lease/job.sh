#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
./lease && cat both alone >>result
