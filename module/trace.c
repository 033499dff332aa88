// SPDX-License-Identifier: GPL-2.0-only
/* The one place that has the tracepoints' bodies. */
#define CREATE_TRACE_POINTS
#include "trace.h"
