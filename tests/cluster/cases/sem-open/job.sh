#!/bin/bash
exec ./sem
