/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory as it was at one instant: all CPUs stop, the P2M is frozen, all go on; who writes to a page
 * for the first time then waits until its old content is kept.
 */
#ifndef MERCURY_SNAPSHOT_H
#define MERCURY_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "mercury/p2m.h"

struct cpu;

/* Where the module and the VMM meet; NULL: there are no snapshots. */
void snapshot_init(struct mercury_snapshot *shared, struct p2m *p2m);

/*
 * This CPU stops and waits for the others, no longer than the module allows; then it goes on. Errors:
 * LATE, one did not come; UNSUPPORTED without a P2M; BAD_STATE, nobody gathers; FLUSH. `stopped`: cycles
 * of the machine's clock.
 */
enum mercury_error snapshot_stop(struct cpu *cpu, uint64_t *stopped);

/*
 * A process, whose page tables' root is `process`, or the kernel (0) wrote to `gfn` and may not: is it
 * because of a snapshot? Then all is done for it to go on.
 */
bool snapshot_first_write(struct cpu *cpu, uint64_t gfn, uint64_t process);

/* A CPU will write unseen from now on: a snapshot that is being taken is worth nothing any more. */
void snapshot_break(void);

/* It is over: some more can be written again, everything once is_frozen of the module's page is 0. */
void snapshot_thaw(void);

#endif
