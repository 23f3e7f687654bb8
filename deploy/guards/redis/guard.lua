-- A guard in Redis: the value and the token of whoever wrote it last, in one hash, compared and written in one step.
--
--   EVAL <this file> 1 KEY TOKEN VALUE   writes
--   EVAL <this file> 1 KEY TOKEN         reads what is to be changed, and shuts out older holders from then on
--
-- Both answer the value that is stored now (nil: none yet), or the error STALETOKEN: then nothing was written, and
-- the work is to be stopped. Plain reads are HGET KEY value.
--
-- Tokens are compared as numbers, which are exact up to 2^53. What is no token is refused, for a mark that is misread
-- lets stale writes through.
local token = ARGV[1]
if #KEYS ~= 1 or not token or #token > 16 or not string.find(token, '^%d+$') then
  return redis.error_reply('BADTOKEN give one key, a fencing token, and the value to write')
end
local seen = redis.call('HGET', KEYS[1], 'token')
if seen and tonumber(token) < tonumber(seen) then
  return redis.error_reply('STALETOKEN ' .. token .. ' is stale, ' .. seen .. ' was seen')
end
redis.call('HSET', KEYS[1], 'token', token)
if ARGV[2] then
  redis.call('HSET', KEYS[1], 'value', ARGV[2])
end
return redis.call('HGET', KEYS[1], 'value')
