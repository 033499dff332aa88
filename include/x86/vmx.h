/* SPDX-License-Identifier: GPL-2.0-only */
/* VMX but for the VMCS fields: the four parts at once. */
#ifndef X86_VMX_H
#define X86_VMX_H

#include "x86/vmx_cap.h"
#include "x86/vmx_control.h"
#include "x86/vmx_event.h"
#include "x86/vmx_exit.h"

#endif
