#!/bin/bash
exec ./full
