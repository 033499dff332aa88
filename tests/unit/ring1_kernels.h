/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The privileged instructions of Debian's kernels, by objdump of 6.1.0-56 and 6.12.117 (cloud-amd64):
 * K(instruction, bytes...), one of each form.
 */
#ifndef TESTS_UNIT_RING1_KERNELS_H
#define TESTS_UNIT_RING1_KERNELS_H

#define RING1_KERNELS(K)                                                                           \
	K(CPUID, "cpuid", 0x0f, 0xa2)                                                              \
	K(HLT, "hlt", 0xf4)                                                                        \
	K(INVLPG, "invlpg (%rax)", 0x0f, 0x01, 0x38)                                               \
	K(INVLPG, "invlpg (%rbx)", 0x0f, 0x01, 0x3b)                                               \
	K(INVLPG, "invlpg (%rdi)", 0x0f, 0x01, 0x3f)                                               \
	K(INVPCID, "invpcid (%rsp),%rax", 0x66, 0x0f, 0x38, 0x82, 0x04, 0x24)                      \
	K(IRET, "iretq", 0x48, 0xcf)                                                               \
	K(LGDT, "lgdt (%rax)", 0x0f, 0x01, 0x10)                                                   \
	K(LGDT, "lgdt (%rsp)", 0x0f, 0x01, 0x14, 0x24)                                             \
	K(LGDT, "lgdt 0x310e320(%rip)", 0x0f, 0x01, 0x15, 0x20, 0xe3, 0x10, 0x03)                  \
	K(LGDT, "lgdt 0x1a19f26(%rip)", 0x0f, 0x01, 0x15, 0x26, 0x9f, 0xa1, 0x01)                  \
	K(LGDT, "lgdt 0x1a19833(%rip)", 0x0f, 0x01, 0x15, 0x33, 0x98, 0xa1, 0x01)                  \
	K(LGDT, "lgdt (%rdi)", 0x0f, 0x01, 0x17)                                                   \
	K(LGDT, "lgdt 0x6(%rsp)", 0x0f, 0x01, 0x54, 0x24, 0x06)                                    \
	K(LGDT, "lgdt 0x10a(%rax)", 0x0f, 0x01, 0x90, 0x0a, 0x01, 0x00, 0x00)                      \
	K(LIDT, "lidt (%rbx)", 0x0f, 0x01, 0x1b)                                                   \
	K(LIDT, "lidt 0x1a18416(%rip)", 0x0f, 0x01, 0x1d, 0x16, 0x84, 0xa1, 0x01)                  \
	K(LIDT, "lidt (%rdi)", 0x0f, 0x01, 0x1f)                                                   \
	K(LIDT, "lidt 0x6(%rsp)", 0x0f, 0x01, 0x5c, 0x24, 0x06)                                    \
	K(LLDT, "lldt %ax", 0x0f, 0x00, 0xd0)                                                      \
	K(LLDT, "lldt %si", 0x0f, 0x00, 0xd6)                                                      \
	K(LTR, "ltr %ax", 0x0f, 0x00, 0xd8)                                                        \
	K(MONITOR, "monitor %rax,%ecx,%edx", 0x0f, 0x01, 0xc8)                                     \
	K(MOV_SREG, "mov %r10d,%es", 0x41, 0x8e, 0xc2)                                             \
	K(MOV_SREG, "mov %r11d,%es", 0x41, 0x8e, 0xc3)                                             \
	K(MOV_SREG, "mov %r12d,%es", 0x41, 0x8e, 0xc4)                                             \
	K(MOV_SREG, "mov %r14d,%es", 0x41, 0x8e, 0xc6)                                             \
	K(MOV_SREG, "mov %r10d,%ds", 0x41, 0x8e, 0xda)                                             \
	K(MOV_SREG, "mov %r11d,%ds", 0x41, 0x8e, 0xdb)                                             \
	K(MOV_SREG, "mov %r12d,%ds", 0x41, 0x8e, 0xdc)                                             \
	K(MOV_SREG, "mov %r13d,%ds", 0x41, 0x8e, 0xdd)                                             \
	K(MOV_SREG, "mov %r14d,%ds", 0x41, 0x8e, 0xde)                                             \
	K(MOV_SREG, "mov %r15d,%ds", 0x41, 0x8e, 0xdf)                                             \
	K(MOV_SREG, "mov %eax,%es", 0x8e, 0xc0)                                                    \
	K(MOV_SREG, "mov %edx,%es", 0x8e, 0xc2)                                                    \
	K(MOV_SREG, "mov %ebx,%es", 0x8e, 0xc3)                                                    \
	K(MOV_SREG, "mov %ebp,%es", 0x8e, 0xc5)                                                    \
	K(MOV_SREG, "mov %eax,%ss", 0x8e, 0xd0)                                                    \
	K(MOV_SREG, "mov %edx,%ss", 0x8e, 0xd2)                                                    \
	K(MOV_SREG, "mov %eax,%ds", 0x8e, 0xd8)                                                    \
	K(MOV_SREG, "mov %ecx,%ds", 0x8e, 0xd9)                                                    \
	K(MOV_SREG, "mov %edx,%ds", 0x8e, 0xda)                                                    \
	K(MOV_SREG, "mov %ebp,%ds", 0x8e, 0xdd)                                                    \
	K(MOV_SREG, "mov %eax,%fs", 0x8e, 0xe0)                                                    \
	K(MOV_SREG, "mov %edx,%fs", 0x8e, 0xe2)                                                    \
	K(MOV_SREG, "mov %ebp,%fs", 0x8e, 0xe5)                                                    \
	K(MOV_SREG, "mov %eax,%gs", 0x8e, 0xe8)                                                    \
	K(MOV_SREG, "mov %edi,%gs", 0x8e, 0xef)                                                    \
	K(MWAIT, "mwait %eax,%ecx", 0x0f, 0x01, 0xc9)                                              \
	K(RDMSR, "rdmsr", 0x0f, 0x32)                                                              \
	K(RDPMC, "rdpmc", 0x0f, 0x33)                                                              \
	K(RDTSC, "rdtsc", 0x0f, 0x31)                                                              \
	K(READ_CR, "mov %cr0,%rax", 0x0f, 0x20, 0xc0)                                              \
	K(READ_CR, "mov %cr2,%rax", 0x0f, 0x20, 0xd0)                                              \
	K(READ_CR, "mov %cr2,%rdi", 0x0f, 0x20, 0xd7)                                              \
	K(READ_CR, "mov %cr3,%rax", 0x0f, 0x20, 0xd8)                                              \
	K(READ_CR, "mov %cr3,%rcx", 0x0f, 0x20, 0xd9)                                              \
	K(READ_CR, "mov %cr3,%rdx", 0x0f, 0x20, 0xda)                                              \
	K(READ_CR, "mov %cr3,%rsp", 0x0f, 0x20, 0xdc)                                              \
	K(READ_CR, "mov %cr3,%rdi", 0x0f, 0x20, 0xdf)                                              \
	K(READ_CR, "mov %cr4,%rax", 0x0f, 0x20, 0xe0)                                              \
	K(READ_CR, "mov %cr4,%rcx", 0x0f, 0x20, 0xe1)                                              \
	K(READ_CR, "mov %cr4,%rdx", 0x0f, 0x20, 0xe2)                                              \
	K(READ_CR, "mov %cr4,%rbp", 0x0f, 0x20, 0xe5)                                              \
	K(READ_CR, "mov %cr4,%rsi", 0x0f, 0x20, 0xe6)                                              \
	K(READ_CR, "mov %cr4,%rdi", 0x0f, 0x20, 0xe7)                                              \
	K(READ_CR, "mov %cr3,%r8", 0x41, 0x0f, 0x20, 0xd8)                                         \
	K(READ_CR, "mov %cr4,%r12", 0x41, 0x0f, 0x20, 0xe4)                                        \
	K(READ_DR, "mov %db0,%rax", 0x0f, 0x21, 0xc0)                                              \
	K(READ_DR, "mov %db1,%rax", 0x0f, 0x21, 0xc8)                                              \
	K(READ_DR, "mov %db2,%rax", 0x0f, 0x21, 0xd0)                                              \
	K(READ_DR, "mov %db3,%rax", 0x0f, 0x21, 0xd8)                                              \
	K(READ_DR, "mov %db6,%rax", 0x0f, 0x21, 0xf0)                                              \
	K(READ_DR, "mov %db7,%rax", 0x0f, 0x21, 0xf8)                                              \
	K(SGDT, "sgdt 0x6(%rsp)", 0x0f, 0x01, 0x44, 0x24, 0x06)                                    \
	K(SGDT, "sgdt 0x14(%rsp)", 0x0f, 0x01, 0x44, 0x24, 0x14)                                   \
	K(SGDT, "sgdt 0x16(%rsp)", 0x0f, 0x01, 0x44, 0x24, 0x16)                                   \
	K(SGDT, "sgdt 0x1c(%rsp)", 0x0f, 0x01, 0x44, 0x24, 0x1c)                                   \
	K(SIDT, "sidt 0x1a7431a(%rip)", 0x0f, 0x01, 0x0d, 0x1a, 0x43, 0xa7, 0x01)                  \
	K(SIDT, "sidt 0x1bfccc6(%rip)", 0x0f, 0x01, 0x0d, 0xc6, 0xcc, 0xbf, 0x01)                  \
	K(SIDT, "sidt 0xa(%rsp)", 0x0f, 0x01, 0x4c, 0x24, 0x0a)                                    \
	K(SIDT, "sidt 0x12(%rsp)", 0x0f, 0x01, 0x4c, 0x24, 0x12)                                   \
	K(SLDT, "sldt 0x8(%rsp)", 0x0f, 0x00, 0x44, 0x24, 0x08)                                    \
	K(SLDT, "sldt 0x10(%rsp)", 0x0f, 0x00, 0x44, 0x24, 0x10)                                   \
	K(STR, "str %eax", 0x0f, 0x00, 0xc8)                                                       \
	K(SWAPGS, "swapgs", 0x0f, 0x01, 0xf8)                                                      \
	K(SYSRET, "sysretl", 0x0f, 0x07)                                                           \
	K(SYSRET, "sysretq", 0x48, 0x0f, 0x07)                                                     \
	K(TPAUSE, "tpause %ecx", 0x66, 0x0f, 0xae, 0xf1)                                           \
	K(WBINVD, "wbinvd", 0x0f, 0x09)                                                            \
	K(WRITE_CR, "mov %rax,%cr0", 0x0f, 0x22, 0xc0)                                             \
	K(WRITE_CR, "mov %rbx,%cr0", 0x0f, 0x22, 0xc3)                                             \
	K(WRITE_CR, "mov %rdi,%cr0", 0x0f, 0x22, 0xc7)                                             \
	K(WRITE_CR, "mov %rax,%cr2", 0x0f, 0x22, 0xd0)                                             \
	K(WRITE_CR, "mov %rbx,%cr2", 0x0f, 0x22, 0xd3)                                             \
	K(WRITE_CR, "mov %rdi,%cr2", 0x0f, 0x22, 0xd7)                                             \
	K(WRITE_CR, "mov %rax,%cr3", 0x0f, 0x22, 0xd8)                                             \
	K(WRITE_CR, "mov %rcx,%cr3", 0x0f, 0x22, 0xd9)                                             \
	K(WRITE_CR, "mov %rdx,%cr3", 0x0f, 0x22, 0xda)                                             \
	K(WRITE_CR, "mov %rbx,%cr3", 0x0f, 0x22, 0xdb)                                             \
	K(WRITE_CR, "mov %rsp,%cr3", 0x0f, 0x22, 0xdc)                                             \
	K(WRITE_CR, "mov %rsi,%cr3", 0x0f, 0x22, 0xde)                                             \
	K(WRITE_CR, "mov %rdi,%cr3", 0x0f, 0x22, 0xdf)                                             \
	K(WRITE_CR, "mov %rax,%cr4", 0x0f, 0x22, 0xe0)                                             \
	K(WRITE_CR, "mov %rcx,%cr4", 0x0f, 0x22, 0xe1)                                             \
	K(WRITE_CR, "mov %rdx,%cr4", 0x0f, 0x22, 0xe2)                                             \
	K(WRITE_CR, "mov %rbx,%cr4", 0x0f, 0x22, 0xe3)                                             \
	K(WRITE_CR, "mov %rsi,%cr4", 0x0f, 0x22, 0xe6)                                             \
	K(WRITE_CR, "mov %rdi,%cr4", 0x0f, 0x22, 0xe7)                                             \
	K(WRITE_CR, "mov %r8,%cr0", 0x41, 0x0f, 0x22, 0xc0)                                        \
	K(WRITE_CR, "mov %r8,%cr3", 0x41, 0x0f, 0x22, 0xd8)                                        \
	K(WRITE_CR, "mov %r9,%cr3", 0x41, 0x0f, 0x22, 0xd9)                                        \
	K(WRITE_CR, "mov %r14,%cr3", 0x41, 0x0f, 0x22, 0xde)                                       \
	K(WRITE_CR, "mov %r13,%cr4", 0x41, 0x0f, 0x22, 0xe5)                                       \
	K(WRITE_DR, "mov %rsi,%db0", 0x0f, 0x23, 0xc6)                                             \
	K(WRITE_DR, "mov %rsi,%db1", 0x0f, 0x23, 0xce)                                             \
	K(WRITE_DR, "mov %rsi,%db2", 0x0f, 0x23, 0xd6)                                             \
	K(WRITE_DR, "mov %rsi,%db3", 0x0f, 0x23, 0xde)                                             \
	K(WRITE_DR, "mov %rsi,%db6", 0x0f, 0x23, 0xf6)                                             \
	K(WRITE_DR, "mov %rsi,%db7", 0x0f, 0x23, 0xfe)                                             \
	K(WRMSR, "wrmsr", 0x0f, 0x30)                                                              \
	K(XRSTORS, "xrstors64 (%rdi)", 0x48, 0x0f, 0xc7, 0x1f)                                     \
	K(XSAVES, "xsaves64 (%rdi)", 0x48, 0x0f, 0xc7, 0x2f)                                       \
	K(XSETBV, "xsetbv", 0x0f, 0x01, 0xd1)

#endif
