#!/bin/bash
exec ./waiting unix
