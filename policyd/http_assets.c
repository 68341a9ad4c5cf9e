#include "policyd/http_assets.h"

#include <string.h>
#include <glib.h>

/* clang-format off */
const char http_style[] =
":root{color-scheme:light dark;--bg:#f4f5f7;--card:#fff;--ink:#1c2430;--soft:#5a6675;"
"--line:#dfe3e8;--grid:#e8ebef;--deferred:#5468c8;--passed:#2f9e77;--spared:#b3bfcd;"
"--failed:#c8414f;--mark:#b86a00;--good:#1f7a57;--good-bg:#e2f3ec;--bad:#a8303d;"
"--bad-bg:#fbe7e9;--note-bg:#eef1fb;--note:#33428a}@media (prefers-color-scheme:dark){:root{"
"--bg:#12161c;--card:#1a2028;--ink:#e6eaf0;--soft:#9aa7b6;--line:#2b333e;--grid:#262e38;"
"--deferred:#8494f0;--passed:#48b88f;--spared:#515e6e;--failed:#ec6f7b;--mark:#f0b04f;"
"--good:#6fd3ab;--good-bg:#16332a;--bad:#ff98a2;--bad-bg:#3d1c22;--note-bg:#1e2640;"
"--note:#b3c0ff}}*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);"
"font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',"
"sans-serif}main,.lost{max-width:1400px;margin:0 auto;padding:20px 24px 28px}header{"
"display:flex;flex-wrap:wrap;align-items:center;gap:6px 12px;margin-bottom:20px}h1{"
"font-size:22px;line-height:1.2;margin:0;letter-spacing:-.01em}h1 span{color:var(--soft);"
"font-weight:400}h2{font-size:15px;margin:0;font-weight:650}h3{font-size:13px;"
"margin:18px 0 2px;font-weight:600;color:var(--soft)}p{margin:4px 0 0}.soft{color:var(--soft);"
"font-size:13px}.pill{border-radius:99px;padding:2px 11px;font-size:13px;font-weight:600;"
"background:var(--note-bg);color:var(--note)}.pill.good{background:var(--good-bg);"
"color:var(--good)}.pill.bad{background:var(--bad-bg);color:var(--bad)}header .soft{"
"margin:0 0 0 auto}.banner{border-radius:10px;padding:12px 16px;margin:0 0 16px;"
"background:var(--note-bg);color:var(--note)}.banner.bad{background:var(--bad-bg);"
"color:var(--bad)}.card .banner{margin:10px 0}.sideways{overflow-x:auto;margin-top:8px}"
".sideways th{white-space:nowrap;overflow-wrap:normal}td.n.long{white-space:normal;"
"overflow-wrap:anywhere}.lost{display:none;"
"padding:12px 24px 0;color:var(--bad)}.stale .lost{"
"display:block}.kpis{display:grid;grid-template-columns:repeat(5,1fr);gap:16px;"
"margin-bottom:16px}.grid{display:grid;grid-template-columns:repeat(6,minmax(0,1fr));gap:16px}"
".card{background:var(--card);border:1px solid var(--line);border-radius:12px;"
"padding:16px 18px;grid-column:span 2;min-width:0}.kpis .card{grid-column:auto;"
"padding:14px 18px}.wide{grid-column:span 6}.half,.stack{grid-column:span 3}.stack{"
"display:flex;flex-direction:column;gap:16px;min-width:0}.stack .card:last-child{flex:1}.kpi{"
"font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.02em;margin:2px 0 0;"
"font-variant-numeric:tabular-nums}.kpi small{font-size:16px;font-weight:500;color:var(--soft);"
"letter-spacing:0}.kpis h2{font-size:13px;color:var(--soft);font-weight:600}.dot{"
"display:inline-block;width:9px;height:9px;border-radius:3px;margin-right:6px}.d-deferred{"
"background:var(--deferred)}.d-passed{background:var(--passed)}.d-spared{"
"background:var(--spared)}.d-failed{background:var(--failed)}.d-gone{"
"background:var(--deferred)}.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:4px 0 0;"
"padding:0;list-style:none;font-size:13px;color:var(--soft)}figure{margin:0}.plot{display:grid;"
"grid-template-columns:auto minmax(0,1fr);column-gap:10px;margin-top:16px}.ys{display:flex;"
"flex-direction:column;justify-content:space-between;margin:-8px 0;text-align:right}.ys,.xs{"
"font-size:12px;line-height:16px;color:var(--soft);font-variant-numeric:tabular-nums}.xs{"
"grid-column:2;display:flex;justify-content:space-between;margin-top:6px;white-space:nowrap}"
".plot svg{display:block;width:100%;height:190px}.wide .plot svg{height:210px}.gridline{"
"stroke:var(--grid);stroke-width:1;vector-effect:non-scaling-stroke}.base{stroke:var(--soft);"
"stroke-width:1;vector-effect:non-scaling-stroke}.s-deferred,.s-gone{fill:var(--deferred)}"
".s-passed{fill:var(--passed)}.s-spared{fill:var(--spared)}.s-failed{fill:var(--failed)}.hit{"
"fill:transparent}.col:hover .hit{fill:var(--grid)}.mark{stroke:var(--mark);stroke-width:2;"
"stroke-dasharray:5 3;vector-effect:non-scaling-stroke}.mark.two{stroke-dasharray:2 3}.marks{"
"color:var(--mark);font-weight:600}details{margin-top:12px;font-size:13px}summary{"
"color:var(--soft);cursor:pointer;width:max-content}summary:focus-visible,a:focus-visible{"
"outline:2px solid var(--deferred);outline-offset:2px}.scroll{max-height:300px;overflow:auto;"
"margin-top:8px}table{border-collapse:collapse;width:100%;font-size:14px}caption{"
"text-align:left;color:var(--soft);font-size:13px;padding-bottom:4px}.hidden{position:absolute;"
"width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}th,td{"
"text-align:left;padding:5px 12px 5px 0;border-top:1px solid var(--line);font-weight:400;"
"overflow-wrap:anywhere;vertical-align:top}tr:first-child>th,tr:first-child>td{border-top:0}"
"thead th{color:var(--soft);font-size:12px;font-weight:600;border:0}"
"thead+tbody tr:first-child>*{border-top:1px solid var(--line)}td.n,th.n{text-align:right;"
"font-variant-numeric:tabular-nums;padding-right:0;white-space:nowrap;overflow-wrap:normal}"
"td.n+td.n,th.n+th.n{padding-left:14px}.bar{width:34%;padding-right:12px}.bar svg{"
"display:block;width:100%;height:8px;margin-top:7px}code{font:13px/1.5 ui-monospace,"
"'DejaVu Sans Mono','Liberation Mono',monospace}a{color:var(--note)}footer{margin-top:20px;"
"font-size:13px;color:var(--soft)}@media (max-width:1080px){.kpis{"
"grid-template-columns:repeat(auto-fit,minmax(180px,1fr))}.card,.half,.stack{"
"grid-column:span 6}.kpis .card{grid-column:auto}}@media (max-width:560px){main{"
"padding:16px 12px 24px}.lost{padding:12px 12px 0}.kpis{grid-template-columns:1fr 1fr;gap:10px}"
".grid,.stack{gap:10px}.card{padding:14px}.kpis .card{padding:12px 14px}"
".kpis .card:first-child{grid-column:span 2}.kpi{font-size:21px}header .soft{margin:0;"
"width:100%}.plot svg,.wide .plot svg{height:160px}.xs span:nth-child(even){display:none}.bar{"
"width:22%}}@media print{details,.lost{display:none}.card{break-inside:avoid}}";

/* Fetches the page and puts its main element in the place of the old one, which does not flash:
 * what is open stays open, and what has the focus keeps it. */
const char http_script[] =
"(function(){'use strict';var failed=function(){document.body.classList.add('stale')};"
"var put=function(text){var next=new DOMParser().parseFromString(text,"
"'text/html').querySelector('main');var old=document.querySelector('main');if(!next){failed();"
"return}old.querySelectorAll('details[open]').forEach(function(d){"
"var same=next.querySelector('#'+d.id);if(same)same.open=true});"
"old.querySelectorAll('.scroll,.sideways').forEach(function(s){"
"var same=s.id&&next.querySelector('#'+s.id);if(same){same.dataset.top=s.scrollTop;"
"same.dataset.left=s.scrollLeft}});"
"var focus=document.activeElement&&document.activeElement.id;next=document.adoptNode(next);"
"old.replaceWith(next);next.querySelectorAll('[data-top]').forEach(function(s){"
"s.scrollTop=s.dataset.top;s.scrollLeft=s.dataset.left});"
"var again=focus&&document.getElementById(focus);"
"if(again)again.focus({preventScroll:true});document.body.classList.remove('stale')};"
"var refresh=function(){if(document.hidden)return;fetch('/',{cache:'no-store',"
"credentials:'omit'}).then(function(r){if(!r.ok)throw new Error(r.status);return r.text()}"
").then(put).catch(failed)};setInterval(refresh,5000);"
"document.addEventListener('visibilitychange',refresh)})();";
/* clang-format on */

static char *
digest(const char *text)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 bytes[32];
	gsize length = sizeof bytes;

	g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text));
	g_checksum_get_digest(sum, bytes, &length);
	return g_base64_encode(bytes, length);
}

char *
http_assets_policy(void)
{
	g_autofree char *style = digest(http_style), *script = digest(http_script);

	return g_strdup_printf("default-src 'none'; style-src 'sha256-%s'; "
			       "script-src 'sha256-%s'; connect-src 'self'; img-src data:; "
			       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	    style, script);
}
