#!/bin/bash
exec ./empty
