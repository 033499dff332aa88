# SPDX-License-Identifier: GPL-2.0-only
# For drgn: each task in the image, a line "PID COMM"; below it its stack, indented.
from drgn.helpers.linux.pid import for_each_task

for task in for_each_task(prog):
    print(task.pid.value_(), task.comm.string_().decode())
    try:
        for frame in prog.stack_trace(task):
            print("   ", frame.name or hex(frame.pc))
    except Exception as error:
        print("    no stack:", error)
