#!/bin/bash
# Python's pools whose workers are not forked, and their named semaphores
exec python3 pools.py
