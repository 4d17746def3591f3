#!/bin/bash
exec ./waiting unix said
