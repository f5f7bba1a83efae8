# SPDX-License-Identifier: ISC
#
# Run by gdb_backtrace.sh, in gdb, on switch_plain: stops inside a fiber and walks its
# frames, then those of a fiber that is suspended, whose registers lie where
# lib/arch/CPU/frame.h says.
import os

import gdb

MOST = 30  # far more frames than there are


def leave(status, text):
    print(text, flush=True)
    try:
        gdb.execute("kill", to_string=True)
    except gdb.error:
        pass
    os._exit(status)


def backtrace():
    """The names from the innermost frame outwards, and why there are no more."""
    names = []
    frame = gdb.newest_frame()
    while frame is not None and len(names) < MOST:
        # Symbols without debugging information may be taken for Ada's: eio.arch_switch.
        names.append(str(frame.name()).replace("eio.", "eio__"))
        last = frame
        frame = frame.older()
    return names, last.unwind_stop_reason()


def expect(what, order):
    """The backtrace has these functions in this order, begins and ends with them."""
    names, reason = backtrace()
    shown = "%s: %s" % (what, " < ".join(names))
    print(shown, flush=True)
    ends = (gdb.FRAME_UNWIND_NO_REASON, gdb.FRAME_UNWIND_OUTERMOST)
    if reason not in ends:
        leave(1, shown + ": " + gdb.frame_stop_reason_string(reason))
    rest = iter(names)
    if names[0] != order[0] or not all(name in rest for name in order):
        leave(1, "%s: not %s" % (shown, " < ".join(order)))
    if names[-2:] != ["eio__arch_main", "eio__arch_switch"] or len(names) >= MOST:
        leave(1, shown + ": does not end where the fiber began")
    # The words of gdb itself when it gives up.
    said = gdb.execute("backtrace", to_string=True)
    for trouble in ("corrupt stack", "Backtrace stopped", "??"):
        if trouble in said:
            leave(1, said)


def value(name):
    return gdb.parse_and_eval(name)


def saved_registers():
    """The callee-saved registers by name, and where a switch saves them."""
    words = value("words")
    lowest, highest = words.type.range()
    return {words[i]["reg"].string(): int(words[i]["word"]) for i in range(lowest, highest + 1)}


def go_to(fiber):
    """Puts the registers of a suspended fiber into the machine's."""
    frame = fiber["sp"].cast(gdb.lookup_type("uint64_t").pointer())
    saved = {reg: int(frame[word]) for reg, word in saved_registers().items()}
    saved["pc"] = int(frame[int(value("gdb_frame_pc"))])
    saved["sp"] = int(fiber["sp"]) + 8 * int(value("gdb_frame_words"))
    for reg, word in saved.items():
        if reg.startswith(("d", "fs")):  # of the FP unit; not needed to unwind
            continue
        gdb.execute("set var $%s = 0x%x" % (reg, word))


gdb.execute("set confirm off")
gdb.execute("set pagination off")
# A machine that freezes its processes for a while stops nothing here.
gdb.execute("handle SIGSTOP SIGCONT nostop noprint", to_string=True)
try:
    value("words")
except gdb.error:
    leave(77, "skipped: no debugging information")
try:
    gdb.execute("tbreak *eio__arch_main", to_string=True)
    gdb.execute("run >/dev/null", to_string=True)
except gdb.error as error:
    leave(77, "skipped: %s" % error)
if not gdb.selected_inferior().pid:
    leave(1, "the program ended before it made a fiber")
# For those who follow frame pointers the chain ends here.
for reg in saved_registers().keys() & {"rbp", "x29", "fp"}:
    if int(value("$" + reg)) != 0:
        leave(1, "a new fiber begins with %s = %s, not 0" % (reg, value("$" + reg)))

gdb.execute("break gdb_stop", to_string=True)
gdb.execute("continue", to_string=True)
if not gdb.selected_inferior().pid:
    leave(1, "the program ended before it came to gdb_stop")
expect("running", ["gdb_stop", "inner_frame", "outer_frame", "eio__arch_main"])
go_to(value("gdb_waiting").dereference())
expect("suspended", ["transfer", "eio_yield", "waiting_frame", "eio__arch_main"])
leave(0, "ok")
