"""The order between clients: Lua scripts that run in Redis, so that each step is atomic.

Each client's jobs of a lane are one flow, ordered by rank and age. A flow has a virtual time: the
seconds of work that its client got, divided by the client's weight. The next job is the first one
of the flow with the lowest virtual time (start-time fair queuing):

1. Work is charged as it is measured. A job is charged its flow's mean cost when it is taken, and
   the difference to its real cost when that is known. So no number of cheap or expensive jobs gives
   a client more than its share while another one waits.
2. A flow that had no job begins at the lane's clock, which is the highest virtual time served so
   far. So a client that was quiet is next, and nobody saves up credit.
3. A flow never overtakes its own order, and each flow's virtual time only grows by its own work. So
   every flow with a job is served at some time.

A client whose jobs take ``HEAVY`` seconds or more, or one of whose jobs lately did, leaves one
worker free if another client was seen lately: a job cannot be interrupted, so all workers would be
taken for that long. And a priority worker without jobs takes an urgent one: somebody waits, and its
client had less than its share.

The lane is also one sorted set of all jobs, by rank and age. It holds which jobs are queued, and
processes of the release before take from it; a job that they added belongs to no flow and is taken
when it is the first one there.
"""

from __future__ import annotations

CONSOLE, DEBT = "console", "debt"  # flows of no client
CONSOLE_WEIGHT = 4  # people wait for these
UNKNOWN_COST = 0.05  # seconds per job of a client before its first measurement
HEAVY = 0.25  # seconds per job from which a client leaves a worker free
HEAVY_FOR = 30  # seconds for which it does so after one such job, however light the others are
BUDGET = 0.25  # seconds of work, as expected, that a worker takes at once
RECENT = 600  # seconds since which another client must have been seen
BUSY = 60  # seconds until a worker that reports nothing more is not counted
SYNC_FROM = 2  # ranks modulo 10 from which somebody waits for the job
RANK_SPAN = 10**13  # a score is (100 - rank) * RANK_SPAN + milliseconds

_COMMON = f"""
-- KEYS[1] is the prefix of what all lanes share; the other keys are lanes.
-- ARGV[1] is the share of the workers' time that the review debt gets while other jobs wait.
local owner, costs, weights = KEYS[1] .. ':owner', KEYS[1] .. ':cost', KEYS[1] .. ':weight'
local heavy_until = KEYS[1] .. ':heavy'
local busy, seen, urgent = KEYS[1] .. ':busy', KEYS[1] .. ':seen', KEYS[1] .. ':urgent'
local debt_share = tonumber(ARGV[1])

local function number(value, default) return tonumber(value or default) or default end
local function cost_of(flow) return number(redis.call('HGET', costs, flow), {UNKNOWN_COST}) end
local function now() return tonumber(redis.call('TIME')[1]) end
local function is_heavy(flow)
  return cost_of(flow) >= {HEAVY} or number(redis.call('HGET', heavy_until, flow), 0) > now()
end
local function clock(lane) return number(redis.call('HGET', lane .. ':clock', ''), 0) end
local function waits(score) return (100 - math.floor(score / {RANK_SPAN})) % 10 >= {SYNC_FROM} end

local function weight_of(lane, flow)
  if flow ~= '{DEBT}' then return number(redis.call('HGET', weights, flow), 1) end
  local sum = 0
  for _, other in ipairs(redis.call('ZRANGE', lane .. ':flows', 0, 99)) do
    if other ~= flow then sum = sum + number(redis.call('HGET', weights, other), 1) end
  end
  return math.max(sum, 1) * debt_share / (1 - debt_share)
end

local function add(lane, job, score, flow, weight)
  if redis.call('ZADD', lane, 'NX', score, job) == 0 then return 0 end
  redis.call('ZADD', lane .. ':of:' .. flow, score, job)
  redis.call('HSET', owner, job, flow)
  if flow ~= '{DEBT}' then redis.call('HSET', weights, flow, weight) end
  if tonumber(flow) then redis.call('ZADD', seen, now(), flow) end
  local time = tonumber(redis.call('ZSCORE', lane .. ':flows', flow))
  if not time then
    time = math.max(clock(lane), number(redis.call('HGET', lane .. ':clock', flow), 0))
    redis.call('ZADD', lane .. ':flows', time, flow)
    redis.call('HDEL', lane .. ':clock', flow)
  end
  if waits(score) and tonumber(flow) and time <= clock(lane) then
    redis.call('ZADD', urgent, 0, '')  -- a priority worker that has nothing to do wakes up
  end
  return 1
end

-- Take a job out of its flow, and charge the flow; the lane's clock follows.
local function leave(lane, job, flow)
  redis.call('HDEL', owner, job)
  redis.call('ZREM', lane .. ':of:' .. flow, job)
  local time = tonumber(redis.call('ZSCORE', lane .. ':flows', flow) or clock(lane))
  if time > clock(lane) then redis.call('HSET', lane .. ':clock', '', time) end
  time = time + cost_of(flow) / weight_of(lane, flow)
  if redis.call('EXISTS', lane .. ':of:' .. flow) == 1 then
    redis.call('ZADD', lane .. ':flows', time, flow)
  else
    redis.call('ZREM', lane .. ':flows', flow)
    redis.call('HSET', lane .. ':clock', flow, time)
  end
end

-- Whether other workers have as many jobs of this flow as a client with heavy jobs may have.
local function is_bounded(lane, flow, worker)
  if not tonumber(flow) or not is_heavy(flow) then return false end
  local time = now()
  local recent = redis.call('ZRANGEBYSCORE', seen, time - {RECENT}, '+inf', 'LIMIT', 0, 2)
  if #recent < 2 and (recent[1] or flow) == flow then return false end
  local all, its, entries = 1, 0, redis.call('HGETALL', busy)
  for i = 1, #entries, 2 do
    local of, until_, lanes = string.match(entries[i + 1], '^(%S+) (%d+) (%S*)$')
    if entries[i] ~= worker and tonumber(until_) >= time then
      if lanes == '' or string.sub(lane, -#lanes) == lanes then
        all = all + 1
        if of == flow then its = its + 1 end
      end
    end
  end
  return all > 1 and its >= all - 1
end

-- The first job of a flow that is still in the lane.
local function first_of(lane, flow)
  while true do
    local job = redis.call('ZRANGE', lane .. ':of:' .. flow, 0, 0)[1]
    if not job then return nil end
    local score = redis.call('ZSCORE', lane, job)
    if score then return job, tonumber(score) end
    redis.call('ZREM', lane .. ':of:' .. flow, job)
    redis.call('HDEL', owner, job)
  end
end

-- Take the next job unless a bound leaves it: the job, its flow, and whether one was left.
-- `want` gets a job, its flow, its score and the flow's time; it returns whether to take it, and
-- whether to look at the next flow if not.
local function take(lane, worker, want)
  local oldest = redis.call('ZRANGE', lane, 0, 0)[1]
  if not oldest then return nil, nil, false end
  local flows = redis.call('ZRANGE', lane .. ':flows', 0, 31, 'WITHSCORES')
  if redis.call('HEXISTS', owner, oldest) == 0 or #flows == 0 then
    if not want(oldest, '', 0, 0) then return nil, nil, false end
    redis.call('ZREM', lane, oldest)
    redis.call('HDEL', owner, oldest)
    return oldest, '', false
  end
  local left = false
  for i = 1, #flows, 2 do
    local flow, time = flows[i], tonumber(flows[i + 1])
    local job, score = first_of(lane, flow)
    if not job then
      redis.call('ZREM', lane .. ':flows', flow)
      redis.call('HSET', lane .. ':clock', flow, time)
    elseif is_bounded(lane, flow, worker) then
      left = true
    else
      local wanted, further = want(job, flow, score, time)
      if wanted then
        redis.call('ZREM', lane, job)
        leave(lane, job, flow)
        return job, flow, left
      end
      if not further then return nil, nil, left end
    end
  end
  return nil, nil, left
end

-- Charge measured work: pairs of lane and flow with the jobs, the seconds that they took, and the
-- seconds of the longest one.
local function charge(text)
  for lane, flow, jobs, seconds, longest in string.gmatch(text, '(%S+) (%S+) (%S+) (%S+) (%S+);') do
    jobs, seconds = tonumber(jobs), tonumber(seconds)
    if tonumber(longest) >= {HEAVY} then
      redis.call('HSET', heavy_until, flow, now() + {HEAVY_FOR})
    end
    local mean = cost_of(flow)
    local late = (seconds - jobs * mean) / weight_of(lane, flow)
    if redis.call('ZSCORE', lane .. ':flows', flow) then
      redis.call('ZINCRBY', lane .. ':flows', late, flow)
    else
      redis.call('HINCRBYFLOAT', lane .. ':clock', flow, late)
    end
    local each = seconds / jobs
    if seconds == 0 then each = mean end  -- jobs that were given back
    local part = 1 - math.pow(each > mean and 0.7 or 0.9, jobs)
    redis.call('HSET', costs, flow, mean + part * (each - mean))
  end
end
"""

# ARGV: the share; then for each job its lane's number, its bytes, score, flow and weight.
ADD = (
    _COMMON
    + """
local added = {}
for at = 2, #ARGV, 5 do
  local lane = KEYS[tonumber(ARGV[at]) + 2]
  added[#added + 1] = add(lane, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
end
return added
"""
)

_BUSY = f"""
local function work_on(worker, lanes, flow)
  local text = (flow and is_heavy(flow) and flow or '-') .. ' ' .. (now() + {BUSY}) .. ' ' .. lanes
  redis.call('HSET', busy, worker, text)
end
"""

# ARGV: the share, the worker, the suffix of the only lane that it serves, its charges. Returns the
# lane's number and the job; 0 if jobs were left for their bound, else nothing.
NEXT = (
    _COMMON
    + _BUSY
    + """
charge(ARGV[4])
local left = false
for number = 2, #KEYS do
  local job, flow, bounded = take(KEYS[number], ARGV[2], function() return true end)
  left = left or bounded
  if job then
    work_on(ARGV[2], ARGV[3], flow)
    return {number - 1, job}
  end
end
work_on(ARGV[2], ARGV[3], nil)
return left and {0} or {}
"""
)

# A job that was taken from the lane by BZPOPMIN. ARGV: the share, the worker, its lane's suffix,
# the job, its score. Returns whether it may be worked on; if not, it is in the lane again.
TAKEN = (
    _COMMON
    + _BUSY
    + """
local lane, job = KEYS[2], ARGV[4]
local flow = redis.call('HGET', owner, job)
if flow and is_bounded(lane, flow, ARGV[2]) then
  redis.call('ZADD', lane, ARGV[5], job)
  return 0
end
if flow then leave(lane, job, flow) end
work_on(ARGV[2], ARGV[3], flow)
return 1
"""
)

# ARGV: the share, the worker, its charges, the task, how many, one in how many of the lane.
# Returns jobs from the first lane that has some.
SEVERAL = (
    _COMMON
    + f"""
charge(ARGV[3])
local task = '"' .. ARGV[4] .. '"'
for number = 2, #KEYS do
  local lane, taken, left = KEYS[number], {{}}, {BUDGET}
  local most = math.min(tonumber(ARGV[5]), math.floor(redis.call('ZCARD', lane) / ARGV[6]))
  local function want(job, flow)
    return string.find(job, task, 1, true) and left >= cost_of(flow)
  end
  while #taken < most do
    local job, flow = take(lane, ARGV[2], want)
    if not job then break end
    left = left - cost_of(flow)
    taken[#taken + 1] = job
  end
  if #taken > 0 then return taken end
end
return {{}}
"""
)

# A job that somebody waits for, of a client that is behind its share. ARGV: the share, the worker,
# what the job's bytes must contain, then the flows that the worker is at.
URGENT = (
    _COMMON
    + """
local mine = {}
for at = 4, #ARGV do mine[ARGV[at]] = true end
for number = 2, #KEYS do
  local lane = KEYS[number]
  local time_now = clock(lane)
  local job = take(lane, ARGV[2], function(job, flow, score, time)
    local wanted = waits(score) and tonumber(flow) and not mine[flow] and time <= time_now
    return wanted and string.find(job, ARGV[3], 1, true), time <= time_now
  end)
  if job then return job end
end
return false
"""
)

# ARGV: the share. Returns, for each flow of the lane: its name, jobs, weight, seconds per job, and
# its virtual time after the lane's clock; the numbers as text.
FLOWS = (
    _COMMON
    + """
local lane, result = KEYS[2], {}
local flows = redis.call('ZRANGE', lane .. ':flows', 0, -1, 'WITHSCORES')
for i = 1, #flows, 2 do
  local flow = flows[i]
  result[#result + 1] = {
    flow,
    redis.call('ZCARD', lane .. ':of:' .. flow),
    tostring(weight_of(lane, flow)),
    tostring(cost_of(flow)),
    tostring(tonumber(flows[i + 1]) - clock(lane)),
  }
end
return result
"""
)
