#!/bin/bash
exec python3 closed.py
