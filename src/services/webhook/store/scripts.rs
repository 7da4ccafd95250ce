//! The Lua scripts of the Redis store; each is one atomic step. All keys have one hash tag, so that a
//! cluster keeps them on one node. Times are Redis' own, so that the replicas' clocks don't matter; only
//! the end of a hook is by the clock of the replica that created it.
//!
//! | Key behind the prefix | Holds |
//! |---|---|
//! | `last` | the last id |
//! | `first` | the first entry since Redis has any data |
//! | `log`, `bytes` | published messages by id, and their total size in bytes |
//! | `users` | users with registrations, by the end of the last one |
//! | `c:<user>` | connection → end, id of the latest entry, last message received (`-`: it has a session) |
//! | `h:<digest>` | a hook |
//! | `u:<user>` | id → end and digest of a hook |
//! | `hooks` | digests of hooks, by their end |
//! | `s:<text>` | a used signature |

/// Prefix of all keys.
pub const PREFIX: &str = "{notify_push_webhook}:";

/// Common head of the scripts: the time in milliseconds and microseconds, and the next id.
const TIME: &str = "
local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(micros / 1000)
local function text(number) return string.format('%.0f', number) end
local function next_id()
  local last = tonumber(redis.call('GET', KEYS[1]) or '0')
  local id = math.max(micros, last + 1)
  redis.call('SET', KEYS[1], text(id))
  return text(id)
end
";

/// `last, c:<user>, users; connection, user, lifetime ms, per user, users`: 1, or the limit that is
/// reached.
pub const REGISTER: &str = "
local lifetime, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local ends = text(now + lifetime)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
if not redis.call('ZSCORE', KEYS[3], ARGV[2]) and redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then
  return 'users'
end
local all, known, count = redis.call('HGETALL', KEYS[2]), nil, 0
for at = 1, #all, 2 do
  local stands = tonumber(string.match(all[at + 1], '^%d+'))
  if stands <= now then redis.call('HDEL', KEYS[2], all[at])
  elseif all[at] == ARGV[1] then known = all[at + 1]
  else count = count + 1 end
end
if known then
  redis.call('HSET', KEYS[2], ARGV[1], ends .. string.match(known, '^%d+(.*)$'))
else
  if count >= most then return 'connections' end
  local last = redis.call('GET', KEYS[1]) or '0'
  redis.call('HSET', KEYS[2], ARGV[1], ends .. ' ' .. last .. ' ' .. last)
end
redis.call('PEXPIRE', KEYS[2], lifetime)
redis.call('ZADD', KEYS[3], now + lifetime, ARGV[2])
return 1
";

/// `last, c:<user>, users, first; connection, user, lifetime ms, channel, event`: nothing, or the
/// id of the entry, what the connection has received (`-`: it has a session), and the previous
/// entry.
pub const ENTER: &str = "
local known = redis.call('HGET', KEYS[2], ARGV[1])
if not known then return false end
local stands, before, notified = string.match(known, '^(%d+) (%d+) (%S+)$')
if tonumber(stands) <= now then return false end
local id, lifetime = next_id(), tonumber(ARGV[3])
redis.call('SET', KEYS[4], id, 'NX')
redis.call('HSET', KEYS[2], ARGV[1], text(now + lifetime) .. ' ' .. id .. ' -')
redis.call('PEXPIRE', KEYS[2], lifetime)
redis.call('ZADD', KEYS[3], now + lifetime, ARGV[2])
redis.call('PUBLISH', ARGV[4], 'e ' .. id .. '\\n' .. ARGV[5])
return {id, notified, before}
";

/// `last, c:<user>, users, first; connection, user, lifetime ms, entry, received`: 1; 0 if it is no
/// longer registered (it is registered again if Redis has lost everything before the first entry);
/// 2 if a newer session has entered. A registration without entry has the same number twice:
/// messages and entries share none.
pub const KEEP: &str = "
local known = redis.call('HGET', KEYS[2], ARGV[1])
if not known then
  local first = redis.call('GET', KEYS[4])
  if first and tonumber(ARGV[4]) >= tonumber(first) then return 0 end
  known = '0 ' .. ARGV[4] .. ' -'
end
local at, notified = string.match(known, '^%d+ (%d+) (%S+)$')
if at ~= ARGV[4] then return at == notified and 0 or 2 end
local lifetime = tonumber(ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], text(now + lifetime) .. ' ' .. at .. ' ' .. ARGV[5])
redis.call('PEXPIRE', KEYS[2], lifetime)
redis.call('ZADD', KEYS[3], now + lifetime, ARGV[2])
return 1
";

/// `last, c:<user>, u:<user>, hooks; connection, channel, event, prefix`: whether it existed.
/// Removes hooks bound to it.
pub const UNREGISTER: &str = "
local removed = redis.call('HDEL', KEYS[2], ARGV[1])
local all = redis.call('HGETALL', KEYS[3])
for at = 1, #all, 2 do
  local digest = string.match(all[at + 1], '^%d+ (%x+)')
  local bound = string.match(all[at + 1], '^%d+ %x+ %d c(.*)$')
  if bound == ARGV[1] then
    redis.call('HDEL', KEYS[3], all[at])
    redis.call('DEL', ARGV[4] .. 'h:' .. digest)
    redis.call('ZREM', KEYS[4], digest)
  end
end
if removed == 1 then redis.call('PUBLISH', ARGV[2], 'u\\n' .. ARGV[3]) end
return removed
";

/// `last, log, bytes; channel, message, kept ms, messages, bytes`: the message's id.
pub const POST: &str = "
local id = next_id()
local entry = 'm ' .. id .. '\\n' .. ARGV[2]
redis.call('ZADD', KEYS[2], id, entry)
local held = redis.call('INCRBY', KEYS[3], #entry)
local oldest, most, max_bytes = micros - tonumber(ARGV[3]) * 1000, tonumber(ARGV[4]), tonumber(ARGV[5])
while true do
  local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  if not first[1] then break end
  local too_much = held > max_bytes or redis.call('ZCARD', KEYS[2]) > most
  if not too_much and tonumber(first[2]) >= oldest then break end
  redis.call('ZREM', KEYS[2], first[1])
  held = redis.call('DECRBY', KEYS[3], #first[1])
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('PUBLISH', ARGV[1], entry)
return id
";

/// `last, log; after, most, kept ms, bytes`: recent messages; at least one if there is any, and
/// none beyond so many bytes, since the length of replies is limited.
pub const AFTER: &str = "
local oldest = micros - tonumber(ARGV[3]) * 1000
local from = '(' .. text(math.max(tonumber(ARGV[1]), oldest))
local found, bytes, most = {}, 0, tonumber(ARGV[2])
while #found < most do
  local some = redis.call('ZRANGEBYSCORE', KEYS[2], from, '+inf', 'LIMIT', #found, 8)
  for _, entry in ipairs(some) do
    bytes = bytes + #entry
    if #found > 0 and bytes > tonumber(ARGV[4]) or #found >= most then return found end
    found[#found + 1] = entry
  end
  if #some < 8 then break end
end
return found
";

/// `last, h:<digest>, u:<user>, hooks; id, list entry, end ms, hook, per user, in all, digest`: 1,
/// or the limit that is reached.
pub const ADD_HOOK: &str = "
local all, count = redis.call('HGETALL', KEYS[3]), 0
for at = 1, #all, 2 do
  if tonumber(string.match(all[at + 1], '^%d+')) <= now then redis.call('HDEL', KEYS[3], all[at])
  else count = count + 1 end
end
if count >= tonumber(ARGV[5]) then return 'user' end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
if redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[6]) then return 'hooks' end
redis.call('SET', KEYS[2], ARGV[4])
redis.call('PEXPIREAT', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[7])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
local stays = redis.call('PTTL', KEYS[3])
if stays < 0 or now + stays < tonumber(ARGV[3]) then redis.call('PEXPIREAT', KEYS[3], ARGV[3]) end
return 1
";

/// `last, u:<user>`: ids and list entries, alternating.
pub const HOOKS: &str = "
local all, live = redis.call('HGETALL', KEYS[2]), {}
for at = 1, #all, 2 do
  if tonumber(string.match(all[at + 1], '^%d+')) > now then
    live[#live + 1] = all[at]
    live[#live + 1] = all[at + 1]
  end
end
return live
";

/// `last, u:<user>, hooks; id, connection or empty, prefix`: whether it existed.
pub const REMOVE_HOOK: &str = "
local listed = redis.call('HGET', KEYS[2], ARGV[1])
if not listed then return 0 end
local ends, digest = string.match(listed, '^(%d+) (%x+)')
if ARGV[2] ~= '' and string.match(listed, '^%d+ %x+ %d c(.*)$') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', ARGV[3] .. 'h:' .. digest)
redis.call('ZREM', KEYS[3], digest)
if tonumber(ends) <= now then return 0 end
return 1
";

/// `last, s:<text>; seconds`: whether it is new.
pub const FIRST_TIME: &str = "
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[1]) then return 1 end
return 0
";

/// A script with the common head.
pub fn whole(script: &str) -> String {
    format!("{TIME}{script}")
}
