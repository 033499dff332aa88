// SPDX-License-Identifier: GPL-2.0-only
/* Ports and the interrupt flag: without permission, with ioperm, and with iopl. Port 80h has no effect. */
#define SUBJECT "port"
#include <errno.h>
#include <string.h>
#include <sys/io.h>
#include <unistd.h>

#include "conform.h"

static void one_port(void)
{
	if (ioperm(0x80, 1, 1))
		out("ioperm errno %d ", errno);
}

static void clock_ports(void)
{
	if (ioperm(0x70, 2, 1))
		out("ioperm errno %d ", errno);
}

static void all_ports(void)
{
	if (iopl(3))
		out("iopl errno %d ", errno);
}

static void taken_back(void)
{
	all_ports();
	if (iopl(0))
		out("iopl 0 errno %d ", errno);
}

static void last_port(void)
{
	if (ioperm(0xffff, 1, 1))
		out("ioperm errno %d ", errno);
}

#define OUT80 "mov $0x80, %edx\n mov $0x5a, %eax\n out %al, %dx\n xor %eax, %eax\n xor %edx, %edx"
CODE(in, "mov $0x80, %edx\n in %dx, %al");
CODE(out_, "mov $0x80, %edx\n out %al, %dx");
CODE(in_immediate, "in $0x80, %al");
CODE(out_immediate, "out %al, $0x80");
CODE(ins, "mov $0x80, %edx\n insb");
CODE(outs, "mov $0x80, %edx\n outsb");
CODE(rep_ins_none, "mov $0x80, %edx\n xor %ecx, %ecx\n rep insb");
CODE32(in_32, "mov $0x80, %edx\n in %dx, %al");

CODE_AFTER(one_port, allowed_out, OUT80);
CODE_AFTER(one_port, allowed_in, "mov $0x80, %edx\n in %dx, %al\n xor %al, %al");
CODE_AFTER(one_port, allowed_in_immediate, "in $0x80, %al\n xor %al, %al");
CODE_AFTER(one_port, word_straddles, "mov $0x80, %edx\n in %dx, %ax");
CODE_AFTER(one_port, word_before, "mov $0x7f, %edx\n in %dx, %ax");
CODE_AFTER(one_port, next, "in $0x81, %al");
CODE_AFTER(one_port, allowed_in_step,
	   "pushf\n orl $0x100, (%rsp)\n popf\n in $0x80, %al\n xor %eax, %eax");
CODE_AFTER(one_port, allowed_prefixed, ".byte 0x2e\n in $0x80, %al\n xor %al, %al");
CODE_AFTER(one_port, cli, "cli");
CODE32_AFTER(one_port, allowed_32, "mov $0x80, %edx\n in %dx, %al\n out %al, $0x80\n xor %al, %al");
CODE_AFTER(last_port, last, "mov $0xffff, %edx\n out %al, %dx");
CODE_AFTER(last_port, last_word, "mov $0xffff, %edx\n out %ax, %dx");
CODE_AFTER(all_ports, any, OUT80);
CODE_AFTER(all_ports, any_in_32, "mov $0x80, %edx\n in %dx, %eax\n xor %eax, %eax");
CODE_AFTER(all_ports, any_in_16, "mov $0x80, %edx\n in %dx, %ax\n xor %ax, %ax");
CODE_AFTER(all_ports, last_any, "mov $0xffff, %edx\n out %al, %dx");
CODE_AFTER(all_ports, last_any_word, "mov $0xffff, %edx\n out %ax, %dx");
CODE_AFTER(all_ports, iopl_cli, "cli");
CODE_AFTER(all_ports, iopl_sti, "sti");
CODE_AFTER(all_ports, iopl_popf, "push $2\n popf\n pushf\n pop %rax\n and $0xcfff, %eax");
CODE_AFTER(all_ports, iopl_in_fault, "ud2");
CODE_AFTER(all_ports, iopl_hlt, "hlt");
CODE_AFTER(taken_back, taken, OUT80);

/* Strings. INS of the delay port reads what nobody knows: only that it was carried out is told. */
#define STRING "mov $0x80, %edx\n mov $4, %ecx\n"
CODE_AFTER(all_ports, outsb, "mov $0x80, %edx\n outsb");
CODE_AFTER(all_ports, rep_outsb, STRING "rep outsb");
CODE_AFTER(all_ports, rep_outsw, STRING "rep outsw");
CODE_AFTER(all_ports, rep_outsl, STRING "rep outsl");
CODE_AFTER(all_ports, rep_outsb_down, "std\n" STRING "rep outsb\n cld");
CODE_AFTER(all_ports, insb, "mov $0x80, %edx\n insb");
CODE_AFTER(all_ports, rep_insb, STRING "rep insb");
CODE_AFTER(all_ports, rep_insw, STRING "rep insw");
CODE_AFTER(all_ports, rep_insl, STRING "rep insl");
CODE_AFTER(one_port, one_outsb, "mov $0x80, %edx\n outsb");
CODE_AFTER(one_port, one_outsw, "mov $0x80, %edx\n outsw");
CODE_AFTER(all_ports, outsb_unmapped, "mov $0x80, %edx\n xor %esi, %esi\n outsb");
CODE_AFTER(all_ports, insb_unmapped, "mov $0x80, %edx\n xor %edi, %edi\n insb");
CODE_AFTER(all_ports, insb_kernel, "mov $0x80, %edx\n mov $-4096, %rdi\n insb");
CODE_AFTER(all_ports, insb_window, "mov $0x80, %edx\n mov $0xfffffe8000000000, %rdi\n insb");
CODE_AFTER(all_ports, insb_not_canonical, "mov $0x80, %edx\n mov $1, %rdi\n shl $63, %rdi\n insb");
CODE_AFTER(all_ports, outsb_window, "mov $0x80, %edx\n mov $0xfffffe8000000000, %rsi\n outsb");
CODE_AFTER(all_ports, insb_read_only, "mov $0x80, %edx\n mov $0x400000, %edi\n insb");
CODE_AFTER(all_ports, rep_outsb_step,
	   "mov $0x80, %edx\n mov $2, %ecx\n pushf\n orl $0x100, (%rsp)\n popf\n rep outsb");
CODE32_AFTER(all_ports, rep_outsb_32, STRING "rep outsb");
CODE32_AFTER(all_ports, rep_insb_32, STRING "rep insb");

/* Reads the clock's register for the day of the week, which has but a few values. */
CODE_AFTER(
	clock_ports, clock,
	"mov $6, %al\n out %al, $0x70\n in $0x71, %al\n cmp $8, %al\n setb %al\n movzbl %al, %eax");

static void permissions(const void *unused)
{
	(void)unused;
	out("beyond %d %d ", ioperm(0xffff, 2, 1), errno);
	out("iopl 4 %d %d ", iopl(4), errno);
	out("all by ioperm %d ", ioperm(0, 65536, 1));
	outb(0, 0x80);
	out("inherited ");
	if (fork() == 0) {
		outb(0, 0x80);
		_exit(0);
	}
}

GROUP(permissions)
{
	in_child(SUBJECT "/permissions", permissions, NULL);
}
