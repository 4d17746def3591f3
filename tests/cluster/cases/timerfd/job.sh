#!/bin/bash
exec ./timerfd
