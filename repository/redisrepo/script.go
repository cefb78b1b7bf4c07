package redisrepo

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// writeScript stores events that belong into one bucket, and all of them at
// once, for what a script does event by event takes Redis half as long again.
// If any is stored already it stores none, and says which those are. A list of
// buckets other than the caller's is handed back, since an event might be in a
// bucket that the caller does not know.
//
// Redis takes nothing back when a script fails midway. The bodies therefore
// come last: what lacks its body shows nowhere and is completed when the event
// is written again.
var writeScript = redis.NewScript(`
-- KEYS: the list of buckets, the bodies of the events' bucket and of all
-- others, the sorted sets.
-- ARGV: the list as the caller knows it, when the bucket expires, the number
-- of other buckets, the number of events, their ids; for each sorted set the
-- number of its members, and each of them behind its score; id and body of
-- each event.
local buckets = redis.call('GET', KEYS[1]) or ''
if buckets ~= ARGV[1] then return buckets end
local expires, sets, events = ARGV[2], 3 + ARGV[3], tonumber(ARGV[4])
local stored = {}
for i = 2, sets - 1 do
	for event, body in ipairs(redis.call('HMGET', KEYS[i], unpack(ARGV, 5, 4 + events))) do
		if body then table.insert(stored, event) end
	end
end
if #stored > 0 then return stored end
local at = 5 + events
for i = sets, #KEYS do
	local members = tonumber(ARGV[at])
	redis.call('ZADD', KEYS[i], unpack(ARGV, at + 1, at + 2 * members))
	if expires ~= '0' and redis.call('ZCARD', KEYS[i]) == members then
		redis.call('PEXPIREAT', KEYS[i], expires)
	end
	at = at + 1 + 2 * members
end
redis.call('HSET', KEYS[2], unpack(ARGV, at))
if expires ~= '0' and redis.call('HLEN', KEYS[2]) == events then
	redis.call('PEXPIREAT', KEYS[2], expires)
end
return stored
`)

// openScript adds a bucket to the list of a shard and takes those out that
// have expired. It returns the new list.
var openScript = redis.NewScript(`
-- KEYS: the list of buckets.
-- ARGV: the bucket.
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local names = {ARGV[1]}
for name in string.gmatch(redis.call('GET', KEYS[1]) or '', '%d+') do
	if name ~= ARGV[1] and (name == '0' or tonumber(name) > now) then
		table.insert(names, name)
	end
end
table.sort(names)
local buckets = table.concat(names, ' ')
redis.call('SET', KEYS[1], buckets)
return buckets
`)

// removeScript removes one event, provided that it is still the one that the
// caller read: its indexes follow from it.
var removeScript = redis.NewScript(`
-- KEYS: the bodies, the sorted sets.
-- ARGV: id, body, member.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
for i = 2, #KEYS do
	redis.call('ZREM', KEYS[i], ARGV[3])
end
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
`)

// call is one run of a script.
type call struct {
	keys []string
	args []any
}

// run runs the script once for each call, in one pipeline. A server that does
// not know the script, after a restart or failover for example, gets the whole
// of it: nothing says which of a cluster's servers that would be.
func (r *Repository) run(ctx context.Context, script *redis.Script, calls []call) ([]*redis.Cmd, error) {
	replies := make([]*redis.Cmd, len(calls))
	again := make([]int, len(calls))
	for i := range again {
		again[i] = i
	}
	for _, run := range []func(context.Context, redis.Scripter, []string, ...any) *redis.Cmd{script.EvalSha, script.Eval} {
		_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, i := range again {
				replies[i] = run(ctx, pipe, calls[i].keys, calls[i].args...)
			}
			return nil
		})
		if err == nil {
			return replies, nil
		}
		var unknown []int
		for _, i := range again {
			if err := replies[i].Err(); err != nil && !isUnknownScript(err) {
				return nil, err
			} else if err != nil {
				unknown = append(unknown, i)
			}
		}
		if again = unknown; len(again) == 0 {
			return nil, err
		}
	}
	return nil, replies[again[0]].Err()
}

func isUnknownScript(err error) bool { return strings.HasPrefix(err.Error(), "NOSCRIPT") }
