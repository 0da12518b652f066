"""The decision of ``core.limits`` as a script: all limits of a call, taken together or not at all.

Times are in µs, as the server tells them: where the limits are whole numbers of them, so is all
that is kept, and short texts are read and written in half the time. A call of one limit, as most
are, is written out at the top; its three calls of the server are most of what it costs.

It answers with one whole number a limit, since each value that Lua hands out costs a tenth of what
the script does: not negative, the limit lets the call pass, and its bucket holds so many µs after
it; negative, it does not, and the bucket holds ``-1 - answer`` µs. All else follows from that.
"""

from mainstay.core.limits import SLACK_CALLS, Answer, Ask, answer_of
from mainstay.state.valkey import Script

EPOCH_S = 1_767_225_600
"""2026-01-01: µs since then leave six bits more for a fraction than those since 1970."""

_LONGEST_US = 2.0**52
"""142 years. Longer numbers can't be told from their neighbours."""

_WHOLE = 1e-9
"""So near to a whole number of µs, relatively, a limit was meant to be one."""

SERVER_TIME = "redis.call('TIME')"

_TEXT = """
local call, time = redis.call, @time
local now = (time[1] - @epoch) * 1000000 + time[2]
if #KEYS == 1 then
  local due, most = (call('GET', KEYS[1]) or 0) + 0, ARGV[2] + 0
  if not (due > now) then
    due = now
  elseif due - now > most then
    local full = ARGV[3] + 0
    if due - now > full then
      due = now + full
      call('SET', KEYS[1], due, 'PX', (full - full % 1000) / 1000 + 1)
    end
  end
  local held = due - now
  if held > most then
    return -2 - held
  end
  due = due + ARGV[1]
  held = due - now
  if held > 0 then
    call('SET', KEYS[1], due, 'PX', (held - held % 1000) / 1000 + 1)
  end
  return held
end
local dues, passes = call('MGET', unpack(KEYS)), true
for i = 1, #KEYS do
  local due, full = (dues[i] or 0) + 0, ARGV[3 * i] + 0
  if not (due > now) then
    due = now
  elseif due - now > full then
    due = now + full
    call('SET', KEYS[i], due, 'PX', (full - full % 1000) / 1000 + 1)
  end
  dues[i] = due
  passes = passes and due - now <= ARGV[3 * i - 1] + 0
end
local answers = {}
for i = 1, #KEYS do
  local due = dues[i] + ARGV[3 * i - 2]
  local held = due - now
  if passes and held > 0 then
    call('SET', KEYS[i], due, 'PX', (held - held % 1000) / 1000 + 1)
  end
  if passes or dues[i] - now <= ARGV[3 * i - 1] + 0 then
    answers[i] = held
  else
    answers[i] = -2 - (dues[i] - now)
  end
end
return answers
"""


def take_script(time: str = SERVER_TIME) -> Script:
    """Return the script.

    Args:
        time: A Lua expression for seconds and microseconds since 1970; for tests.
    """
    return Script(_TEXT.replace("@time", time).replace("@epoch", str(EPOCH_S)).strip())


def arguments(every_s: float, burst: int, cost: int) -> tuple[float, float, float]:
    """Return what the script is told of a limit, in µs: the call, held before at most, full.

    The arguments are those of ``Ask``. A bucket is never fuller than full; so a call that costs
    nothing, which fits into each, is let through from full on.
    """
    every_us = min(every_s * 1e6, _LONGEST_US)
    nearest_us = round(every_us)
    if abs(every_us - nearest_us) <= _WHOLE * every_us:
        # Whole numbers have sums without a rounding, and need no slack for it below 1 µs.
        full_us, step_us = nearest_us * burst, nearest_us * cost
        slack_us = int(nearest_us * SLACK_CALLS)
        return step_us, min(full_us, full_us - step_us + slack_us), full_us
    full, step = every_us * burst, every_us * cost
    return step, min(full, full - step + every_us * SLACK_CALLS), full


def answer_to(ask: Ask, said: int, *, taken: bool) -> Answer:
    """Return what the script said of a limit.

    Args:
        ask: What was asked.
        said: The whole number for it.
        taken: Whether all limits of the call let it pass.
    """
    _, every_s, burst, cost = ask
    if said < 0:
        return answer_of(False, (-1 - said) / 1e6, every_s, burst, cost)  # noqa: FBT003  By position: for every call.
    held_s = said / 1e6
    if not taken:
        held_s = max(0.0, held_s - every_s * cost)
    return answer_of(True, held_s, every_s, burst, cost)  # noqa: FBT003  As above.
