#!/bin/bash
# a table that forked processes share: together they have less memory than two copies of it
exec ./pool
