#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sockets bound to the address of the node, as by the name of the host, and one that is connected to another node
exec python3 addresses.py
