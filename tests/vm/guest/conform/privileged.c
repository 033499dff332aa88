// SPDX-License-Identifier: GPL-2.0-only
/* Instructions that are the kernel's: each is a signal here, the same one everywhere. */
#define SUBJECT "privileged"
#include "conform.h"

CODE(hlt, "hlt");
CODE(cli, "cli");
CODE(sti, "sti");
CODE(clts, "clts");
CODE(invd, "invd");
CODE(wbinvd, "wbinvd");
CODE(wbnoinvd, ".byte 0xf3, 0x0f, 0x09");
CODE(rdmsr, "mov $0x174, %ecx\n rdmsr");
CODE(rdmsr_unknown, "mov $0x12345678, %ecx\n rdmsr");
CODE(wrmsr, "mov $0x174, %ecx\n wrmsr");
CODE(wrmsr_of_ring1, "mov $0x4d455243, %ecx\n xor %eax, %eax\n xor %edx, %edx\n"
		     "mov $8, %edi\n wrmsr");
CODE(rdpmc, "xor %ecx, %ecx\n rdpmc");
CODE(swapgs, "swapgs");
CODE(sysretq, "sysretq");
CODE(sysretl, "sysretl");
CODE(sysexit, ".byte 0x0f, 0x35");
CODE(sysexitq, ".byte 0x48, 0x0f, 0x35");
CODE(xsetbv, "xor %ecx, %ecx\n xor %edx, %edx\n mov $7, %eax\n xsetbv");
CODE(xsaves, "xor %edx, %edx\n mov $3, %eax\n xsaves (%rdi)");
CODE(xrstors, "xor %edx, %edx\n mov $3, %eax\n xrstors (%rdi)");
CODE(stac, "stac");
CODE(clac, "clac");
CODE(monitor, "mov %rdi, %rax\n xor %ecx, %ecx\n xor %edx, %edx\n monitor");
CODE(mwait, "xor %eax, %eax\n xor %ecx, %ecx\n mwait");
CODE(invlpg, "invlpg (%rdi)");
CODE(invlpga, ".byte 0x0f, 0x01, 0xdf");
CODE(invpcid, "xor %eax, %eax\n invpcid (%rdi), %rax");
CODE(getsec, ".byte 0x0f, 0x37");
CODE(rsm, "rsm");
CODE(encls, ".byte 0x0f, 0x01, 0xcf");
CODE(pconfig, ".byte 0x0f, 0x01, 0xc5");

CODE(read_cr0, "mov %cr0, %rax");
CODE(read_cr1, ".byte 0x0f, 0x20, 0xc8");
CODE(read_cr2, "mov %cr2, %rax");
CODE(read_cr3, "mov %cr3, %rax");
CODE(read_cr4, "mov %cr4, %rax");
CODE(read_cr8, "mov %cr8, %rax");
CODE(write_cr0, "mov %rax, %cr0");
CODE(write_cr2, "mov %rax, %cr2");
CODE(write_cr3, "mov %rax, %cr3");
CODE(write_cr4, "mov %rax, %cr4");
CODE(write_cr8, "mov %rax, %cr8");
CODE(lmsw, "lmsw %ax");
CODE(read_dr0, "mov %dr0, %rax");
CODE(read_dr4, ".byte 0x0f, 0x21, 0xe0");
CODE(read_dr6, "mov %dr6, %rax");
CODE(read_dr7, "mov %dr7, %rax");
CODE(write_dr0, "mov %rax, %dr0");
CODE(write_dr6, "mov %rax, %dr6");
CODE(write_dr7, "mov %rax, %dr7");

CODE(lgdt, "lgdt (%rdi)");
CODE(lidt, "lidt (%rdi)");
CODE(lldt, "xor %eax, %eax\n lldt %ax");
CODE(ltr, "mov $0x40, %eax\n ltr %ax");
CODE(lgdt_unmapped, "xor %eax, %eax\n lgdt (%rax)");
CODE(invlpg_not_canonical, "mov $1, %rax\n shl $63, %rax\n invlpg (%rax)");

CODE(vmcall, "vmcall");
CODE(vmmcall, "vmmcall");
CODE(vmlaunch, "vmlaunch");
CODE(vmresume, "vmresume");
CODE(vmxoff, "vmxoff");
CODE(vmxon, "vmxon (%rdi)");
CODE(vmclear, "vmclear (%rdi)");
CODE(vmptrld, "vmptrld (%rdi)");
CODE(vmptrst, "vmptrst (%rdi)");
CODE(vmread, "vmread %rax, %rdx");
CODE(vmwrite, "vmwrite %rdx, %rax");
CODE(vmfunc, "xor %eax, %eax\n xor %ecx, %ecx\n vmfunc");
CODE(invept, "invept (%rdi), %rax");
CODE(invvpid, "invvpid (%rdi), %rax");
CODE(vmrun, ".byte 0x0f, 0x01, 0xd8");
CODE(vmload, ".byte 0x0f, 0x01, 0xda");
CODE(stgi, ".byte 0x0f, 0x01, 0xdc");
CODE(skinit, ".byte 0x0f, 0x01, 0xde");

/* In 32-bit code. */
CODE32(hlt32, "hlt");
CODE32(cli32, "cli");
CODE32(read_cr0_32, "mov %cr0, %eax");
CODE32(write_cr3_32, "mov %eax, %cr3");
CODE32(read_dr7_32, "mov %dr7, %eax");
CODE32(lgdt32, "lgdt (%edi)");
CODE32(rdmsr32, "rdmsr");
CODE32(wrmsr32, "mov $0x4d455243, %ecx\n wrmsr");
CODE32(swapgs32, ".byte 0x0f, 0x01, 0xf8");
CODE32(sysexit32, ".byte 0x0f, 0x35");
CODE32(vmcall32, "vmcall");
CODE32(invlpg32, "invlpg (%edi)");

/* With a single step pending, and with prefixes. */
CODE(hlt_stepped, "pushf\n orl $0x100, (%rsp)\n popf\n hlt");
CODE(swapgs_stepped, "pushf\n orl $0x100, (%rsp)\n popf\n swapgs");
CODE(hlt_prefixed, ".byte 0x66, 0x2e, 0xf3, 0xf4");
CODE(cr_locked, ".byte 0xf0, 0x0f, 0x20, 0xc0");
CODE(too_long, ".fill 14, 1, 0x66\n hlt");
