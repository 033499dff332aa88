// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the test guest: runs one command and reports over serial ports.
 *
 * ttyS0 is the kernel's console and never touched here. The command's stdout goes to ttyS1, its
 * stderr to ttyS2, and ttyS3 carries the runner's protocol, one line each:
 *	ready			the guest is up, the command starts now
 *	again			it is up once more, what is to run then starts now
 *	exit STATUS TAINT	the command ended with STATUS; TAINT is /proc/sys/kernel/tainted
 *	fail REASON		the guest could not be set up
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CONFIG_DIR "/etc/mercury-vm"

/* One of the command's streams: the pipe it writes to and the serial port it goes out by. */
struct stream {
	int pipe;
	int port;
};

static int control = -1;

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void write_all(int fd, const char *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		buf += n;
		len -= n;
	}
}

static void tell(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	write_all(control, line, strlen(line));
	tcdrain(control);
}

static void fail(const char *what)
{
	tell("fail %s: %s\n", what, strerror(errno));
	power_off();
}

/* Opens a serial port raw, so that every byte arrives as it was written. */
static int open_port(const char *path)
{
	struct termios t;
	int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		t.c_cflag |= CLOCAL;
		cfsetspeed(&t, B115200);
		tcsetattr(fd, TCSANOW, &t);
	}
	return fd;
}

static void mount_system(void)
{
	static const struct {
		const char *type, *dir, *data;
	} table[] = {
		{ "devtmpfs", "/dev", "mode=0755" },
		{ "proc", "/proc", NULL },
		{ "sysfs", "/sys", NULL },
		{ "devpts", "/dev/pts", NULL },
		{ "tmpfs", "/dev/shm", NULL },
		{ "tmpfs", "/tmp", "mode=1777" },
		{ "tmpfs", "/run", "mode=0755" },
		{ "securityfs", "/sys/kernel/security", NULL },
		{ "debugfs", "/sys/kernel/debug", NULL },
		{ "tracefs", "/sys/kernel/tracing", NULL },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		mkdir(table[i].dir, 0755);
		mount(table[i].type, table[i].dir, table[i].type, 0, table[i].data);
	}
}

/* Loads the modules named in CONFIG_DIR/modules, one path a line, in that order. */
static void load_modules(void)
{
	FILE *list = fopen(CONFIG_DIR "/modules", "re");
	char path[512];

	if (!list)
		return;
	while (fgets(path, sizeof(path), list)) {
		int fd;

		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			fail(path);
		close(fd);
	}
	fclose(list);
}

/* The disk that a file of CONFIG_DIR names, whose driver may still be probing; NULL without the file. */
static const char *find_disk(const char *file)
{
	static char dev[64];
	FILE *f = fopen(file, "re");

	if (!f)
		return NULL;
	if (fgets(dev, sizeof(dev), f))
		dev[strcspn(dev, "\n")] = '\0';
	fclose(f);
	for (int i = 0; i < 600 && access(dev, F_OK); i++)
		usleep(50 * 1000);
	return dev;
}

static void mount_out(void)
{
	const char *dev = find_disk(CONFIG_DIR "/out");

	mkdir("/out", 0755);
	if (dev && mount(dev, "/out", "ext4", MS_NOATIME, NULL))
		fail("mounting the disk of --out");
}

static void unmount_out(void)
{
	sync();
	if (access(CONFIG_DIR "/out", F_OK) == 0 && umount2("/out", 0) && errno == EBUSY)
		mount(NULL, "/out", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

static unsigned long taint(void)
{
	unsigned long value = 0;
	FILE *f = fopen("/proc/sys/kernel/tainted", "re");

	if (f) {
		if (fscanf(f, "%lu", &value) != 1)
			value = 0;
		fclose(f);
	}
	return value;
}

/* The same where the kernel is locked down and has no ports for us: a variable of the firmware's keeps it. */
static int starts_again_secure(void)
{
	const char *dir = "/sys/firmware/efi/efivars";
	const char *path = "/sys/firmware/efi/efivars/Started-b6f2d1c0-6d65-7263-7572-790000000001";
	/* Kept without power, seen by the firmware and by Linux; and one byte. */
	const unsigned char variable[5] = { 7, 0, 0, 0, 1 };
	int fd;

	if (mount("efivarfs", dir, "efivarfs", 0, NULL))
		fail(dir);
	if (access(path, F_OK) == 0)
		return 1;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, variable, sizeof(variable)) != sizeof(variable))
		fail(path);
	close(fd);
	return 0;
}

/*
 * Has the machine started this guest before, in this run? A byte of the CMOS memory that no firmware
 * uses keeps it: it survives a reset, kexec and a crash.
 */
static int starts_again(void)
{
	const unsigned short index = 0x70, data = 0x71;
	const unsigned char byte = 0x40, mark = 0xa5;
	int marked;

	if (ioperm(index, 2, 1))
		return starts_again_secure();
	outb(byte, index);
	marked = inb(data) == mark;
	outb(byte, index);
	outb(mark, data);
	return marked;
}

static pid_t start_command(const char *command, int out, int err)
{
	pid_t pid = fork();
	int null;

	if (pid)
		return pid;
	setsid();
	null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	if (chdir("/root"))
		_exit(127);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("TERM", "dumb", 1);
	execl("/bin/sh", "sh", command, (char *)NULL);
	_exit(127);
}

/*
 * Copies at most one bufferful from pipe to port. Returns what read() did. What went to the other
 * port leaves first, or bytes of both would mix where a terminal shows both.
 */
static ssize_t relay(struct stream *s)
{
	static int last = -1;
	char buf[4096];
	ssize_t n = read(s->pipe, buf, sizeof(buf));

	if (n <= 0)
		return n;
	if (last >= 0 && last != s->port)
		tcdrain(last);
	last = s->port;
	write_all(s->port, buf, n);
	return n;
}

static void on_child(int sig)
{
	(void)sig;
}

/* Reaps whatever has ended; returns 1 with *status set once pid is among it. */
static int has_ended(pid_t pid, int *status)
{
	pid_t dead;
	int s, found = 0;

	while ((dead = waitpid(-1, &s, WNOHANG)) > 0) {
		if (dead == pid) {
			*status = s;
			found = 1;
		}
	}
	return found;
}

/*
 * Relays both streams until the command has ended, then what is left in the pipes. Processes it
 * left in the background may hold them open, so the end of file is not waited for.
 */
static int relay_until_exit(pid_t pid, struct stream *s)
{
	struct pollfd p[2] = { { s[0].pipe, POLLIN, 0 }, { s[1].pipe, POLLIN, 0 } };
	const int bufferfuls = 1024 * 1024 / 4096;
	sigset_t none;
	int status;

	sigemptyset(&none);
	while (!has_ended(pid, &status)) {
		if (ppoll(p, 2, NULL, &none) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (p[i].revents && relay(&s[i]) == 0)
				p[i].fd = -1;
	}
	for (int i = 0; i < 2; i++)
		for (int n = 0; n < bufferfuls && relay(&s[i]) > 0; n++)
			;
	return status;
}

static int run_command(int again)
{
	struct sigaction sa = { .sa_handler = on_child };
	struct stream s[2];
	int out[2], err[2], status;
	sigset_t chld;
	pid_t pid;

	s[0].port = open_port("/dev/ttyS1");
	s[1].port = open_port("/dev/ttyS2");
	if (s[0].port < 0 || s[1].port < 0)
		fail("opening ttyS1 and ttyS2");
	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) || pipe2(err, O_CLOEXEC | O_NONBLOCK))
		fail("pipe");
	fcntl(out[1], F_SETFL, 0);
	fcntl(err[1], F_SETFL, 0);
	s[0].pipe = out[0];
	s[1].pipe = err[0];

	/* SIGCHLD is only let through inside ppoll(), so that no wake-up is lost. */
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigaction(SIGCHLD, &sa, NULL);
	tell(again ? "again\n" : "ready\n");
	pid = start_command(again ? CONFIG_DIR "/then" : CONFIG_DIR "/command", out[1], err[1]);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	if (pid < 0)
		fail("fork");
	close(out[1]);
	close(err[1]);
	status = relay_until_exit(pid, s);
	tcdrain(s[0].port);
	tcdrain(s[1].port);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(void)
{
	int status;

	mount_system();
	control = open_port("/dev/ttyS3");
	load_modules();
	mount_out();
	find_disk(CONFIG_DIR "/disk");
	status = run_command(access(CONFIG_DIR "/then", F_OK) == 0 && starts_again());
	unmount_out();
	tell("exit %d %lu\n", status, taint());
	power_off();
}
