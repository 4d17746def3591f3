#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# what root has installed on the nodes, and an upgrade replaces while it is used (see setup.root, ready.root)
exec python3 upgraded.py
