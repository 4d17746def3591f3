#!/bin/bash
exec ./dgram
