#include "config.h"

#include "db/redis/script.h"

#include <stddef.h>

/*
 * SCAN walks all that the server has, so the spaces of few records that are read whole have a set
 * of their keys besides, greylag:{TAG}:SPACE. A record that has expired leaves it at the next scan.
 * Gives the set's name and the key proper of a key, or nothing. The memory's is a sorted set, since
 * it is read in order.
 */
#define INDEX_OF                                                                                   \
	"local function index_of(key)\n"                                                           \
	"  local set, space = key:match('^(greylag:{[^}]*}:(%a+)):')\n"                            \
	"  if space == 'allowed' or space == 'hours' or space == 'memory' then\n"                  \
	"    return set, key:sub(#set + 2)\n"                                                      \
	"  end\n"                                                                                  \
	"end\n"

const char *const redis_scripts[REDIS_SCRIPTS + 1] = {
    /*
     * KEYS[1] is the updated record, ARGV[1] what it must hold: "*" for anything, "-" for nothing,
     * else "=" and the bytes; ARGV[2] its field in a hash, or nothing. Then a key and four
     * arguments a step: P, D or A, the time at which the record goes (0 never), the value, or cells
     * of nine bytes: index, operation, delta; and the field. Gives 1, or 0 and what the record
     * holds.
     */
    [REDIS_SCRIPT_CHANGE] = INDEX_OF
    "local function get(key, field)\n"
    "	if field == '' then return redis.call('GET', key) end\n"
    "	return redis.call('HGET', key, field)\n"
    "end\n"
    "local want = ARGV[1]\n"
    "if want ~= '*' then\n"
    "	local now = get(KEYS[1], ARGV[2])\n"
    "	if (now and '=' .. now or '-') ~= want then return {0, now} end\n"
    "end\n"
    "local function put(key, field, value, expires)\n"
    "	if field ~= '' then redis.call('HSET', key, field, value)\n"
    "	elseif expires == '0' then redis.call('SET', key, value)\n"
    "	else redis.call('SET', key, value, 'EXAT', expires) end\n"
    "end\n"
    "local function del(key, field)\n"
    "	if field == '' then redis.call('DEL', key) else redis.call('HDEL', key, field) end\n"
    "end\n"
    "local function add(key, field, cells, expires)\n"
    "	local old = get(key, field)\n"
    "	local value, t = old or '', {}\n"
    "	for i = 1, #value, 4 do t[#t + 1] = value:sub(i, i + 3) end\n"
    "	for i = 1, #cells, 9 do\n"
    "		local index, op, delta = struct.unpack('>I4Bi4', cells, i)\n"
    "		for j = #t + 1, index + 1 do t[j] = '\\0\\0\\0\\0' end\n"
    "		local had = struct.unpack('>i4', t[index + 1])\n"
    "		local new = op == 0 and had + delta or math.max(had, delta)\n"
    "		if new >= -2147483648 and new <= 2147483647 then\n"
    "			t[index + 1] = struct.pack('>i4', new)\n"
    "		end\n"
    "	end\n"
    "	value = table.concat(t)\n"
    "	if old and field == '' then redis.call('SET', key, value, 'KEEPTTL')\n"
    "	else put(key, field, value, expires) end\n"
    "end\n"
    "local turn\n"
    "for i = 2, #KEYS do\n"
    "	local op, expires, value, field = unpack(ARGV, 4 * i - 5, 4 * i - 2)\n"
    "	if op == 'P' then put(KEYS[i], field, value, expires)\n"
    "	elseif op == 'D' then del(KEYS[i], field)\n"
    "	else add(KEYS[i], field, value, expires) end\n"
    "	local set, member = index_of(KEYS[i])\n"
    "	if set == 'greylag:{token}:memory' then\n"
    "		if op == 'D' then redis.call('ZREM', set, member)\n"
    "		else redis.call('ZADD', set, 0, member) end\n"
    "	elseif set then redis.call(op == 'D' and 'SREM' or 'SADD', set, member) end\n"
    "	turn = turn or KEYS[i]:find('greylag:{token}:tokens:', 1, true) == 1\n"
    "end\n"
    /* What a batch has read of them is no longer so. */
    "if turn then redis.call('INCR', 'greylag:{token}:turn') end\n"
    "return {1}\n",
    /* KEYS are hashes and ARGV fields in them. Gives their values. */
    [REDIS_SCRIPT_FIELDS] =
	"local t = {}\n"
	"for i, key in ipairs(KEYS) do t[i] = redis.call('HGET', key, ARGV[i]) end\n"
	"return t\n",
    /* ARGV: cursor, prefix, how many. Gives the next cursor, then key, value, expiry of each. */
    [REDIS_SCRIPT_SCAN] =
	INDEX_OF "local set = index_of(ARGV[2])\n"
		 "local r = set and redis.call('SSCAN', set, ARGV[1], 'COUNT', ARGV[3])\n"
		 "	or redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2] .. '*', 'COUNT', ARGV[3])\n"
		 "local t = {r[1]}\n"
		 "for _, found in ipairs(r[2]) do\n"
		 "	local key = set and ARGV[2] .. found or found\n"
		 "	local value = redis.call('GET', key)\n"
		 "	if set and not value then redis.call('SREM', set, found) end\n"
		 "	if value then\n"
		 "		t[#t + 1] = key:sub(#ARGV[2] + 1)\n"
		 "		t[#t + 1] = value\n"
		 "		t[#t + 1] = redis.call('EXPIRETIME', key)\n"
		 "	end\n"
		 "end\n"
		 "return t\n",
    /*
     * ARGV: the sorted set, the place in it to begin at ("-" or "(" and a key), the prefix, how
     * many. Gives how many there were, then key, value, expiry of each.
     */
    [REDIS_SCRIPT_RANGE] =
	"local r = redis.call('ZRANGEBYLEX', ARGV[1], ARGV[2], '+', 'LIMIT', 0, ARGV[4])\n"
	"local t = {tostring(#r)}\n"
	"for _, found in ipairs(r) do\n"
	"	local value = redis.call('GET', ARGV[3] .. found)\n"
	"	t[#t + 1] = found\n"
	"	t[#t + 1] = value\n"
	"	t[#t + 1] = -1\n"
	"end\n"
	"return t\n",
    /*
     * ARGV: the hash to begin at, the prefix, how many records, how many hashes there are. Gives
     * the next hash ("0" after the last), then key, value, expiry of each.
     */
    [REDIS_SCRIPT_BUCKETS] =
	"local at, last, t = tonumber(ARGV[1]), tonumber(ARGV[4]), {'0'}\n"
	"while at < last and #t <= 3 * tonumber(ARGV[3]) do\n"
	"	local r = redis.call('HGETALL', ARGV[2] .. string.format('%x', at))\n"
	"	for i = 1, #r, 2 do\n"
	"		t[#t + 1] = r[i]\n"
	"		t[#t + 1] = r[i + 1]\n"
	"		t[#t + 1] = -1\n"
	"	end\n"
	"	at = at + 1\n"
	"end\n"
	"if at < last then t[1] = tostring(at) end\n"
	"return t\n",
    /*
     * Gives 1 if sampled, the keys in all, those looked at, then name and number of each space:
     * every key of a small store, 1,000 drawn at random of a large one. A number that is none of
     * those looked at has "=" before its name: what counts itself, and tokens by each 32nd hash.
     */
    [REDIS_SCRIPT_COUNT] =
	"local total, seen, n = redis.call('DBSIZE'), 0, {}\n"
	"local function look(key)\n"
	"	local name = key:match('^greylag:{[^}]*}:(%a+):')\n"
	"	if name then\n"
	"		local hash = name == 'tokens' or name == 'messages'\n"
	"		n[name] = (n[name] or 0) + (hash and redis.call('HLEN', key) or 1)\n"
	"	end\n"
	"	seen = seen + 1\n"
	"end\n"
	"if total <= 2000 then\n"
	"	local cursor = '0'\n"
	"	repeat\n"
	"		local r = redis.call('SCAN', cursor, 'COUNT', 1000)\n"
	"		cursor = r[1]\n"
	"		for _, key in ipairs(r[2]) do look(key) end\n"
	"	until cursor == '0'\n"
	"else\n"
	"	for i = 1, 1000 do look(redis.call('RANDOMKEY')) end\n"
	"	local prefix = 'greylag:{token}:'\n"
	"	local function count(name, last, step)\n"
	"		local sum = 0\n"
	"		for i = 0, last, step do\n"
	"			local key = prefix .. name .. string.format(':%x', i)\n"
	"			local r = redis.pcall('HLEN', key)\n"
	/* In a cluster they may be elsewhere. */
	"			if type(r) == 'table' then return end\n"
	"			sum = sum + r\n"
	"		end\n"
	"		n['=' .. name], n[name] = sum * step, nil\n"
	"	end\n"
	"	count('tokens', 8191, 32)\n"
	"	count('messages', 1023, 1)\n"
	"	for _, name in ipairs({'slots', 'memory'}) do\n"
	"		local r = redis.pcall('ZCARD', prefix .. name)\n"
	"		if type(r) ~= 'table' then n['=' .. name], n[name] = r, nil end\n"
	"	end\n"
	"end\n"
	"local t = {total > 2000 and 1 or 0, total, seen}\n"
	"for name, number in pairs(n) do t[#t + 1] = name; t[#t + 1] = number end\n"
	"return t\n",
};
