#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is generated in the documents is what the code says now.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

bash docs/generate --check "$PWD" 2>&1 | check "the exit policy in docs/exits.md is the code's"
