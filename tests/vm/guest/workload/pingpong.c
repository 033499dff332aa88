// SPDX-License-Identifier: GPL-2.0-only
/* Messages between two processes pinned to different CPUs, over pipes and over a socket pair. */
#include <sys/socket.h>
#include <unistd.h>

#include "worker.h"

#define TRIPS 30

struct message {
	uint32_t number;
	uint32_t payload[15];
	uint64_t digest;
};

static void fill(struct message *message, uint32_t number)
{
	uint32_t state = number;

	message->number = number;
	for (size_t i = 0; i < ARRAY_SIZE(message->payload); i++)
		message->payload[i] = next_random(&state);
	message->digest = digest_bytes(DIGEST_START, message->payload, sizeof(message->payload));
}

static bool receive(int fd, uint32_t number, struct message *message)
{
	ssize_t got = read(fd, message, sizeof(*message));

	if (!expect(got == sizeof(*message), "message %u: %zd bytes", number, got))
		return false;
	return expect(message->number == number &&
			      message->digest == digest_bytes(DIGEST_START, message->payload,
							      sizeof(message->payload)),
		      "message %u is damaged", number);
}

static bool transmit(int fd, uint32_t number)
{
	struct message message;

	fill(&message, number);
	return expect_sys(write(fd, &message, sizeof(message)) == sizeof(message), "send");
}

static void __attribute__((noreturn)) echo(int from, int to)
{
	struct message message;

	pin_to_cpu(1);
	for (uint32_t i = 0; i < TRIPS; i++)
		if (!receive(from, 2 * i, &message) || !transmit(to, 2 * i + 1))
			_exit(1);
	_exit(0);
}

/* @near: this process's reading and writing end; @far: the other's. */
static uint64_t play(const int near[2], const int far[2])
{
	struct message message;
	uint64_t digest = DIGEST_START;
	int child = fork();

	if (child == 0) {
		close(near[0]);
		close(near[1]);
		echo(far[0], far[1]);
	}
	close(far[0]);
	if (far[1] != far[0])
		close(far[1]);
	pin_to_cpu(0);
	for (uint32_t i = 0; i < TRIPS; i++) {
		if (!transmit(near[1], 2 * i) || !receive(near[0], 2 * i + 1, &message))
			break;
		digest = digest_u64(digest, message.digest);
	}
	close(near[0]);
	if (near[1] != near[0])
		close(near[1]);
	expect_exit(child, 0, "the answering process");
	unpin();
	done(TRIPS);
	return digest;
}

static uint64_t pipe_round(void)
{
	int there[2], back[2];

	if (!expect_sys(pipe(there) == 0 && pipe(back) == 0, "pipe"))
		return 0;
	return play((const int[]){ back[0], there[1] }, (const int[]){ there[0], back[1] });
}

static uint64_t socket_round(void)
{
	int ends[2];

	if (!expect_sys(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair"))
		return 0;
	return play((const int[]){ ends[0], ends[0] }, (const int[]){ ends[1], ends[1] });
}

/* AF_UNIX may be a module that the guest has not got. */
static const char *socket_missing(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0)
		return "no AF_UNIX sockets in this kernel";
	close(ends[0]);
	close(ends[1]);
	return NULL;
}

const struct worker pipe_worker = { .name = "pipe", .round = pipe_round };
const struct worker socket_worker = { .name = "socket",
				      .missing = socket_missing,
				      .round = socket_round };
