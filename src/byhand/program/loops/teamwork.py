"""How threads share the rounds of a loop: what the leader does, and what those do that help.

The memory of a team is a few numbers. One of them, the ticket, says which piece of work there is, of how many parts,
and which part is next; whoever comes takes a part by adding 1 to it. The leader takes parts like everybody else, and
waits only for those that another thread has begun. So nobody who is late is waited for, and a leader without help does
the whole work by itself. Parts do not depend on who computes them: a run gives the same bits with help and without.

    ticket = serial number << 32 | parts << 16 | next part

What a part needs is read after it has been taken, and until it is done the leader stays: nothing it reads can change.
"""

from __future__ import annotations

import platform

MACHINE = platform.machine().lower()

DONE, WORK, GIVEN, STOP, SIZE = 8, 16, 17, 24, 32
"""Places in the memory of a team, in numbers of 8 bytes; the ticket is at 0. What is waited for has a cache line."""


def _pause() -> tuple[str, str]:
    """LLVM's declaration and call of the instruction that says that a thread waits."""
    if MACHINE in ("x86_64", "amd64"):
        return "declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"
    if MACHINE in ("aarch64", "arm64"):
        return "declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"
    return "", ""


DECLARED, PAUSE = _pause()

PLACES = f"""
  %ticket = inttoptr i64 %team to ptr
  %done = getelementptr i64, ptr %ticket, i64 {DONE}
  %work = getelementptr i64, ptr %ticket, i64 {WORK}
  %given = getelementptr i64, ptr %ticket, i64 {GIVEN}
  %stop = getelementptr i64, ptr %ticket, i64 {STOP}
"""

LEAD = f"""
define internal void @lead(i64 %team, ptr %what, i64 %with, i64 %parts) noinline {{
begin:{PLACES}
  %old = load atomic i64, ptr %ticket monotonic, align 8
  store atomic i64 0, ptr %done monotonic, align 8
  store ptr %what, ptr %work
  store i64 %with, ptr %given
  %serial = lshr i64 %old, 32
  %following = add i64 %serial, 1
  %high = shl i64 %following, 32
  %middle = shl i64 %parts, 16
  %new = or i64 %high, %middle
  store atomic i64 %new, ptr %ticket release, align 8
  br label %look
look:
  %seen = phi i64 [ %new, %begin ], [ %now, %take ], [ %after, %do ]
  %mine = phi i64 [ 0, %begin ], [ %mine, %take ], [ %more, %do ]
  %part = and i64 %seen, 65535
  %left = icmp ult i64 %part, %parts
  br i1 %left, label %take, label %wait
take:
  %next = add i64 %seen, 1
  %pair = cmpxchg ptr %ticket, i64 %seen, i64 %next acq_rel acquire
  %now = extractvalue {{ i64, i1 }} %pair, 0
  %taken = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %taken, label %do, label %look
do:
  call void %what(i64 %with, i64 %part)
  %more = add i64 %mine, 1
  %after = load atomic i64, ptr %ticket monotonic, align 8
  br label %look
wait:
  {PAUSE}
  %others = load atomic i64, ptr %done acquire, align 8
  %all = add i64 %others, %mine
  %through = icmp eq i64 %all, %parts
  br i1 %through, label %end, label %wait
end:
  ret void
}}
"""

FOLLOW = f"""
define internal i64 @follow(i64 %team, i64 %patience) noinline {{
begin:{PLACES}
  br label %look
look:
  %idle = phi i64 [ 0, %begin ], [ %longer, %rest ], [ 0, %take ], [ 0, %do ]
  %seen = load atomic i64, ptr %ticket acquire, align 8
  %part = and i64 %seen, 65535
  %shifted = lshr i64 %seen, 16
  %parts = and i64 %shifted, 65535
  %left = icmp ult i64 %part, %parts
  br i1 %left, label %take, label %rest
take:
  %next = add i64 %seen, 1
  %pair = cmpxchg ptr %ticket, i64 %seen, i64 %next acq_rel acquire
  %taken = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %taken, label %do, label %look
do:
  %what = load ptr, ptr %work
  %with = load i64, ptr %given
  call void %what(i64 %with, i64 %part)
  %before = atomicrmw add ptr %done, i64 1 release
  br label %look
rest:
  {PAUSE}
  %longer = add i64 %idle, 1
  %stopped = load atomic i64, ptr %stop monotonic, align 8
  %tired = icmp ugt i64 %longer, %patience
  %bit = zext i1 %tired to i64
  %why = or i64 %stopped, %bit
  %ends = icmp ne i64 %why, 0
  br i1 %ends, label %end, label %look
end:
  ret i64 %stopped
}}
"""
