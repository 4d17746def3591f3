#!/bin/bash
exec ./filter
