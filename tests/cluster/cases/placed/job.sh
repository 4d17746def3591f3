#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# memory policies as numactl and libnuma set them, memory that is locked on fault, a personality
exec setarch -R ./placed
