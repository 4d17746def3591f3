#!/bin/bash
mkdir closed
exec ./tmpfile
