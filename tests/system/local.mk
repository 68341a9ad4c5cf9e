# Tests with real processes: greylagd by its protocol, greylagctl on stores, a real Postfix.
SYSTEM_TESTS = \
	tests/layers.py \
	tests/system/cluster.py \
	tests/system/deployment.py \
	tests/system/evaluate.py \
	tests/system/farm.py \
	tests/system/faults.py \
	tests/system/greylag.sh \
	tests/system/greylagctl.sh \
	tests/system/install.sh \
	tests/system/libraries.sh \
	tests/system/life.py \
	tests/system/logs.py \
	tests/system/milter.py \
	tests/system/milter_postfix.py \
	tests/system/postfix.sh \
	tests/system/preflight.py \
	tests/system/protocol.py \
	tests/system/redis.py \
	tests/system/redis_tokens.py \
	tests/system/sentinel.py \
	tests/system/reputation.sh \
	tests/system/report.py \
	tests/system/status.py \
	tests/system/upgrade.py \
	tests/system/verdicts.sh \
	tests/system/web_browser.py \
	tests/system/web_clients.py
dist_check_SCRIPTS += $(SYSTEM_TESTS)
TESTS += $(SYSTEM_TESTS)
if REDIS_TLS
TLS_TESTS = tests/system/redis_tls.py
endif
TESTS += $(TLS_TESTS)
EXTRA_DIST += \
	tests/system/mta.py \
	tests/system/openmetrics.py \
	tests/system/policy.py \
	tests/system/postfix/dialogue.py \
	tests/system/postfix/postfix.py \
	tests/system/redis_tls.py \
	tests/system/redisfarm.py \
	tests/system/tap.sh \
	tests/system/web.py

# The farm loses its server again and again.
stress: stress-farm
stress-farm: all
	GREYLAG_ROUNDS=20 top_srcdir=$(top_srcdir) top_builddir=$(top_builddir) \
		$(abs_srcdir)/tests/system/farm.py
.PHONY: stress-farm

# Every system test again and again beside load: FLAKES_ROUNDS=10 FLAKES_TESTS="tests/system/farm.py ...".
dist_check_SCRIPTS += tests/flakes.sh
flakes: all $(check_PROGRAMS)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		$(SHELL) $(abs_srcdir)/tests/flakes.sh $${FLAKES_TESTS:-$(SYSTEM_TESTS) $(TLS_TESTS)}
.PHONY: flakes

# Writes a month of counters for the page in the browser.
check_PROGRAMS += tests/system/fill
tests_system_fill_SOURCES = tests/system/fill.c
tests_system_fill_LDADD = $(POLICYD_LIBS)

# Names a message as the store does: digest OWN-HOST... <message
check_PROGRAMS += tests/system/digest
tests_system_digest_SOURCES = tests/system/digest.c
tests_system_digest_LDADD = $(CLASSIFY_LIBS)
clean-local:
	rm -rf tests/system/screenshots flakes

# A store of each released layout, as it was made then.
EXTRA_DIST += \
	tests/data/make-layout.sh \
	tests/data/layout-1/made-by \
	tests/data/layout-1/policy.jsonl.xz \
	tests/data/layout-1/policy.mdb.xz \
	tests/data/layout-1/token.dump.xz \
	tests/data/layout-1/token.mdb.xz

# Sample mail, written for the tests and for contrib/run.
EXTRA_DIST += \
	tests/data/ham/bounce.eml \
	tests/data/ham/bug-report.eml \
	tests/data/ham/calendar.eml \
	tests/data/ham/chinese-colleague.eml \
	tests/data/ham/chinese-library.eml \
	tests/data/ham/choir.eml \
	tests/data/ham/cron.eml \
	tests/data/ham/dentist.eml \
	tests/data/ham/dinner.eml \
	tests/data/ham/french-friend.eml \
	tests/data/ham/french-school.eml \
	tests/data/ham/german-friend.eml \
	tests/data/ham/german-invoice.eml \
	tests/data/ham/list-digest.eml \
	tests/data/ham/lost-umbrella.eml \
	tests/data/ham/meeting-reply.eml \
	tests/data/ham/meeting.eml \
	tests/data/ham/neighbour.eml \
	tests/data/ham/newsletter-astronomy.eml \
	tests/data/ham/newsletter-garden.eml \
	tests/data/ham/order.eml \
	tests/data/ham/patch-review.eml \
	tests/data/ham/patch.eml \
	tests/data/ham/photos.eml \
	tests/data/ham/receipt.eml \
	tests/data/spam/bank-phish.eml \
	tests/data/spam/casino.eml \
	tests/data/spam/chinese-spam-2.eml \
	tests/data/spam/chinese-spam.eml \
	tests/data/spam/crypto.eml \
	tests/data/spam/dating.eml \
	tests/data/spam/debt.eml \
	tests/data/spam/french-spam.eml \
	tests/data/spam/german-spam-2.eml \
	tests/data/spam/german-spam.eml \
	tests/data/spam/inheritance-2.eml \
	tests/data/spam/inheritance.eml \
	tests/data/spam/loan.eml \
	tests/data/spam/lottery.eml \
	tests/data/spam/mailbox-phish.eml \
	tests/data/spam/parcel-phish.eml \
	tests/data/spam/pills-2.eml \
	tests/data/spam/pills.eml \
	tests/data/spam/replica-2.eml \
	tests/data/spam/replica.eml \
	tests/data/spam/seo.eml \
	tests/data/spam/software.eml \
	tests/data/spam/stocks.eml \
	tests/data/spam/weight.eml \
	tests/data/spam/work-home.eml \
	tests/data/ham-new-list.eml \
	tests/data/ham-new.eml \
	tests/data/spam-new-loan.eml \
	tests/data/spam-new.eml
