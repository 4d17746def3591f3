#!/bin/bash
exec ./cork
