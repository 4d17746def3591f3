#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# joblib's own workers (loky): spawned, with named semaphores and a queue in pipes
python3 -c 'import joblib' 2>/dev/null || { touch ready; until [ -e go ]; do sleep 0.2; done; echo "no joblib here" >result; exit; }
exec python3 workers.py
