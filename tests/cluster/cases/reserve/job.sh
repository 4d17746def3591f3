#!/bin/bash
# address space that is reserved, as JVMs, Go, sanitizers and allocators do
exec ./reserve
