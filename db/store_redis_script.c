#include "config.h"

#include "db/store_redis_script.h"

#include <stddef.h>

/*
 * SCAN walks all that the server has, so the spaces of few records that are read whole have a set
 * of their keys besides, greylag:{policy}:SPACE. A record that has expired leaves it at the next
 * scan. Gives the set's name and the key proper of a key, or nothing.
 */
#define INDEX_OF                                                                                   \
	"local function index_of(key)\n"                                                           \
	"  for _, space in ipairs({'allowed', 'hours'}) do\n"                                      \
	"    local set = 'greylag:{policy}:' .. space\n"                                           \
	"    local n = #set + 1\n"                                                                 \
	"    if key:sub(1, n) == set .. ':' then return set, key:sub(n + 1) end\n"                 \
	"  end\n"                                                                                  \
	"end\n"

const char *const redis_scripts[REDIS_SCRIPTS + 1] = {
    /*
     * KEYS[1] is the updated record, ARGV[1] what it must hold: "*" for anything, "-" for nothing,
     * else "=" and the bytes. Then a key and three arguments a step: P, D or A, the time at which
     * the record goes (0 never), and the value, or cells of nine bytes: index, operation, delta.
     * Gives 1, or 0 and what the record holds.
     */
    [REDIS_SCRIPT_CHANGE] = INDEX_OF
    "local want = ARGV[1]\n"
    "if want ~= '*' then\n"
    "	local now = redis.call('GET', KEYS[1])\n"
    "	if (now and '=' .. now or '-') ~= want then return {0, now} end\n"
    "end\n"
    "local function put(key, value, expires)\n"
    "	if expires == '0' then redis.call('SET', key, value)\n"
    "	else redis.call('SET', key, value, 'EXAT', expires) end\n"
    "end\n"
    "local function add(key, cells, expires)\n"
    "	local old = redis.call('GET', key)\n"
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
    "	if old then redis.call('SET', key, value, 'KEEPTTL')\n"
    "	else put(key, value, expires) end\n"
    "end\n"
    "for i = 2, #KEYS do\n"
    "	local op, expires, value = ARGV[3 * i - 4], ARGV[3 * i - 3], ARGV[3 * i - 2]\n"
    "	if op == 'P' then put(KEYS[i], value, expires)\n"
    "	elseif op == 'D' then redis.call('DEL', KEYS[i])\n"
    "	else add(KEYS[i], value, expires) end\n"
    "	local set, member = index_of(KEYS[i])\n"
    "	if set then redis.call(op == 'D' and 'SREM' or 'SADD', set, member) end\n"
    "end\n"
    "return {1}\n",
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
    /* Gives 1 if sampled, the records in all, those looked at, then name and number of each space:
     * every record of a small store, 1,000 drawn at random of a large one. */
    [REDIS_SCRIPT_COUNT] =
	"local total, seen, n = redis.call('DBSIZE'), 0, {}\n"
	"local function look(key)\n"
	"	local name = key:match('^greylag:{%a+}:(%a+):')\n"
	"	if name then n[name] = (n[name] or 0) + 1 end\n"
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
	"end\n"
	"local t = {total > 2000 and 1 or 0, total, seen}\n"
	"for name, number in pairs(n) do t[#t + 1] = name; t[#t + 1] = number end\n"
	"return t\n",
};
