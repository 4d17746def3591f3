#!/bin/bash
exec ./half
