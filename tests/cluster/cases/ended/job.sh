#!/bin/bash
ulimit -c unlimited
exec ./ended
