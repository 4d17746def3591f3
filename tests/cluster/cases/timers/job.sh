#!/bin/bash
exec ./timers
