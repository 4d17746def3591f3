#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
mkdir -p sub/deeper && echo before >log && ./watched
