// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a small real-mode virtual machine through /dev/kvm and checks what it did.
 *
 * usage: kvm_smoke [COUNT]	COUNT port exits, 1 to 1000 (100)
 *	  kvm_smoke fault	an exception whose handler is in a page not touched before
 *	  kvm_smoke hold	the first, 100 port exits, again and again, until SIGTERM
 *
 * COUNT: the guest counts BX down from COUNT, adds each value to CX and writes its low byte to a
 * port, then halts. So each exit's data, their number and the final registers are known beforehand.
 *
 * fault: the guest divides by zero; its handler halts. Fetching the handler takes an EPT violation
 * right after the exception was delivered, which must neither lose RIP nor deliver it twice.
 *
 * hold: its first line says that the machine runs, its last one how many times it ran.
 *
 * Exit status 0 and a line on stdout mean that all of it was right.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define PORT 0x10
#define CODE_AT 0x1000
#define STACK_AT 0x2000
#define HANDLER_AT 0x18000
#define MEMORY 0x20000
#define HLT 0xf4

/* again: add cx, bx; mov al, bl; out PORT, al; dec bx; jnz again; hlt */
static const uint8_t count_code[] = {
	0x01, 0xd9, 0x88, 0xd8, 0xe6, PORT, 0x4b, 0x75, 0xf7, HLT,
};

/* mov ax, [0]; push ax; pop ax (touching vectors and stack); xor cx, cx; div cx; hlt */
static const uint8_t fault_code[] = {
	0xa1, 0x00, 0x00, 0x50, 0x58, 0x31, 0xc9, 0xf7, 0xf1, HLT,
};

static volatile sig_atomic_t stop;

struct vm {
	int vcpu;
	uint8_t *memory;
	struct kvm_run *run;
};

static int checked_ioctl(int fd, unsigned long request, void *arg, const char *name)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		err(1, "%s", name);
	return ret;
}

#define IOCTL(fd, request, arg) checked_ioctl(fd, request, (void *)(arg), #request)

static struct vm create_vm(void)
{
	struct kvm_userspace_memory_region region = { .guest_phys_addr = 0, .memory_size = MEMORY };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), fd, size;
	struct vm vm;

	if (kvm < 0)
		err(1, "/dev/kvm (is kvm_intel loaded?)");
	fd = IOCTL(kvm, KVM_CREATE_VM, 0);
	vm.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vm.memory == MAP_FAILED)
		err(1, "mmap");
	region.userspace_addr = (uintptr_t)vm.memory;
	IOCTL(fd, KVM_SET_USER_MEMORY_REGION, &region);
	vm.vcpu = IOCTL(fd, KVM_CREATE_VCPU, 0);
	size = IOCTL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm.run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vm.vcpu, 0);
	if (vm.run == MAP_FAILED)
		err(1, "mmap of the vCPU");
	return vm;
}

static void set_registers(const struct vm *vm, uint16_t count)
{
	struct kvm_regs regs = { .rip = CODE_AT, .rbx = count, .rsp = STACK_AT, .rflags = 2 };
	struct kvm_sregs sregs;

	IOCTL(vm->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	IOCTL(vm->vcpu, KVM_SET_SREGS, &sregs);
	IOCTL(vm->vcpu, KVM_SET_REGS, &regs);
}

/* Runs to the HLT and returns the number of port exits, each of which must bring the right byte. */
static int run_vm(const struct vm *vm, int count)
{
	int exits = 0;

	for (;;) {
		struct kvm_run *run = vm->run;
		uint8_t byte, wanted = count - exits;

		if (ioctl(vm->vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				continue;
			err(1, "KVM_RUN");
		}
		if (run->exit_reason == KVM_EXIT_HLT)
			return exits;
		if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT)
			errx(1, "unexpected exit, reason %u", run->exit_reason);
		byte = *((uint8_t *)run + run->io.data_offset);
		if (byte != wanted)
			errx(1, "exit %d brought %u, not %u", exits, byte, wanted);
		exits++;
	}
}

/* Returns the ticks it took. */
static uint64_t count_down(const struct vm *vm, int count)
{
	uint64_t start, ticks;
	struct kvm_regs regs;
	int exits;

	memcpy(vm->memory + CODE_AT, count_code, sizeof(count_code));
	set_registers(vm, count);
	start = __rdtsc();
	exits = run_vm(vm, count);
	ticks = __rdtsc() - start;
	IOCTL(vm->vcpu, KVM_GET_REGS, &regs);
	if (exits != count || (uint16_t)regs.rcx != (uint16_t)(count * (count + 1) / 2))
		errx(1, "%d exits and sum %llu instead of %d and %d", exits, regs.rcx, count,
		     count * (count + 1) / 2);
	return ticks;
}

static void check_count(const struct vm *vm, int count)
{
	uint64_t ticks = count_down(vm, count);

	printf("kvm_smoke: %d exits, sum %d, %llu ticks per exit\n", count, count * (count + 1) / 2,
	       (unsigned long long)ticks / count);
}

static void on_stop(int sig)
{
	(void)sig;
	stop = 1;
}

static void hold(const struct vm *vm)
{
	unsigned long times = 0;

	signal(SIGTERM, on_stop);
	printf("kvm_smoke: the machine runs\n");
	fflush(stdout);
	for (; !stop; times++)
		count_down(vm, 100);
	printf("kvm_smoke: ran %lu times\n", times);
}

static void check_fault(const struct vm *vm)
{
	const uint16_t vector[] = { 0, HANDLER_AT >> 4 }, frame = 6;
	struct kvm_regs regs;

	memcpy(vm->memory, vector, sizeof(vector));
	memcpy(vm->memory + CODE_AT, fault_code, sizeof(fault_code));
	vm->memory[HANDLER_AT] = HLT;
	set_registers(vm, 0);
	run_vm(vm, 0);
	IOCTL(vm->vcpu, KVM_GET_REGS, &regs);
	if (regs.rip != 1 || regs.rsp != STACK_AT - frame)
		errx(1, "RIP %llx, RSP %llx instead of 1, %x", regs.rip, regs.rsp,
		     STACK_AT - frame);
	printf("kvm_smoke: the handler ran once\n");
}

int main(int argc, char **argv)
{
	int fault = argc > 1 && strcmp(argv[1], "fault") == 0;
	int holds = argc > 1 && strcmp(argv[1], "hold") == 0;
	int count = argc > 1 && !fault && !holds ? atoi(argv[1]) : 100;
	struct vm vm;

	if (count < 1 || count > 1000)
		errx(2, "usage: kvm_smoke [COUNT from 1 to 1000 | fault | hold]");
	vm = create_vm();
	if (fault)
		check_fault(&vm);
	else if (holds)
		hold(&vm);
	else
		check_count(&vm, count);
	return 0;
}
