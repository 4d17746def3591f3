#!/bin/bash
./lease && cat both alone >>result
