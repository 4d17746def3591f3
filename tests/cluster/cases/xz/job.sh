#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xz unpacks into a pipe, in its sandbox, by one of its other names
xzcat data.xz | { until [ -e go ]; do sleep 0.2; done; sha256sum; } >sum &
until grep -qs "NoNewPrivs:.1" "/proc/$(pgrep -n -x xzcat)/status"; do sleep 0.1; done
touch ready
wait
cp sum result
