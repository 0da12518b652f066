"""The decision of ``core.limits`` as a script: all limits of a call, taken together or not at all.

It answers with one whole number a limit, since each value that Lua hands out costs a tenth of what
the script does: not negative, the limit lets the call pass, and its bucket holds so many µs after
it; negative, it does not, and the bucket holds ``-1 - answer`` µs. All else follows from that.
"""

from mainstay.core.limits import SLACK_CALLS, Answer, Ask, answer_of
from mainstay.state.valkey import Script

EPOCH_S = 1_767_225_600
"""2026-01-01: seconds since then have six bits more for their fraction than those since 1970."""

SERVER_TIME = "redis.call('TIME')"

_TEXT = """
local call, time, args = redis.call, @time, ARGV
local now = time[1] - @epoch + time[2] / 1000000
local answers, dues, passes = {}, {}, true
for i = 1, #KEYS do
  local full, step, due = args[3 * i - 2] + 0, args[3 * i - 1] + 0, call('GET', KEYS[i])
  local held = due and due - now or 0
  if not (held > 0) then
    due, held = now, 0
  elseif held > full then
    due, held = now + full, full
    call('SET', KEYS[i], due, 'PX', full * 1000 - full * 1000 % 1 + 1)
  end
  if held <= args[3 * i] + 0 then
    due = due + step
    dues[i] = due
    answers[i] = (due - now) * 1000000
  else
    passes = false
    answers[i] = -2 - held * 1000000
  end
end
if passes then
  for i = 1, #KEYS do
    local left = (dues[i] - now) * 1000
    if left > 0 then
      call('SET', KEYS[i], dues[i], 'PX', left - left % 1 + 1)
    end
  end
end
return #KEYS == 1 and answers[1] or answers
"""


def take_script(time: str = SERVER_TIME) -> Script:
    """Return the script.

    Args:
        time: A Lua expression for seconds and microseconds since 1970; for tests.
    """
    return Script(_TEXT.replace("@time", time).replace("@epoch", str(EPOCH_S)).strip())


def arguments(every_s: float, burst: int, cost: int) -> tuple[float, float, float]:
    """Return what the script is told of a limit, in seconds: full, the call, held before at most.

    The arguments are those of ``Ask``.
    """
    full_s, step_s = every_s * burst, every_s * cost
    return full_s, step_s, full_s - step_s + every_s * SLACK_CALLS


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
