#!/bin/bash
exec ./waiting tcp said
