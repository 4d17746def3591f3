#!/bin/bash
exec ./udp
