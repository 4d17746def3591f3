#!/bin/bash
exec ./credentials
