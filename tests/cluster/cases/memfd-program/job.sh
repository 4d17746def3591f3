#!/bin/bash
# a program that is in memory alone, as packers and container tools run them
exec ./self
