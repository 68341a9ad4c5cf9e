EXTRA_DIST += \
	.ci/run \
	contrib/check \
	contrib/completion.sh \
	contrib/fetch-corpus \
	contrib/packages.sh \
	contrib/run \
	contrib/systemd/greylag-milter.service \
	contrib/systemd/greylagd.service \
	contrib/systemd/greylagd.socket

# For people to copy.
logcheckexamplesdir = $(docdir)/examples/logcheck
dist_logcheckexamples_DATA = contrib/logcheck/greylag
logrotateexamplesdir = $(docdir)/examples/logrotate
dist_logrotateexamples_DATA = contrib/logrotate/greylag
postfixexamplesdir = $(docdir)/examples/postfix
dist_postfixexamples_DATA = \
	contrib/postfix/main.cf.greylag \
	contrib/postfix/main.cf.milter \
	contrib/postfix/master.cf.spawn
redisexamplesdir = $(docdir)/examples/redis
dist_redisexamples_DATA = \
	contrib/redis/cluster.conf \
	contrib/redis/greylag.conf \
	contrib/redis/greylagd.service.conf \
	contrib/redis/redis-server.service.conf \
	contrib/redis/redis.conf \
	contrib/redis/replica.conf \
	contrib/redis/sentinel.conf \
	contrib/redis/stunnel-mx.conf \
	contrib/redis/stunnel-server.conf
sudoersexamplesdir = $(docdir)/examples/sudoers
dist_sudoersexamples_DATA = contrib/sudoers/greylag

# The units as they lie in contrib/ are those of the default prefix with /etc and /var. Of another
# state directory systemd must be told, since ProtectSystem=strict shuts all others.
UNITS = contrib/units/greylagd.service contrib/units/greylagd.socket
if MILTER
UNITS += contrib/units/greylag-milter.service
endif
if SYSTEMD_UNITS
systemdsystemunit_DATA = $(UNITS)
endif
$(UNITS): contrib/units.stamp
contrib/units.stamp: Makefile contrib/systemd/greylagd.service contrib/systemd/greylagd.socket \
		contrib/systemd/greylag-milter.service
	$(AM_V_GEN)$(MKDIR_P) contrib/units && for unit in $(UNITS); do \
		sed -e 's|/usr/local/sbin/|$(sbindir)/|g' \
			-e 's|--sysconfdir=/etc --localstatedir=/var|--sysconfdir=$(sysconfdir) --localstatedir=$(localstatedir)|' \
			-e '/^StateDirectory=/$(UNIT_STATE)' \
			$(srcdir)/contrib/systemd/$${unit##*/} >$$unit || exit 1; \
	done && touch $@

# What a shell completes is what the programs say of themselves.
COMPLETED = classifier/greylag$(EXEEXT) policyd/greylagctl$(EXEEXT) policyd/greylagd$(EXEEXT)
bashcompletiondir = $(datadir)/bash-completion/completions
bashcompletion_DATA = contrib/completion/greylag contrib/completion/greylagctl \
	contrib/completion/greylagd
zshcompletiondir = $(datadir)/zsh/site-functions
zshcompletion_DATA = contrib/completion/_greylag contrib/completion/_greylagctl \
	contrib/completion/_greylagd
fishcompletiondir = $(datadir)/fish/vendor_completions.d
fishcompletion_DATA = contrib/completion/greylag.fish contrib/completion/greylagctl.fish \
	contrib/completion/greylagd.fish
if MILTER
COMPLETED += policyd/greylag-milter$(EXEEXT)
bashcompletion_DATA += contrib/completion/greylag-milter
zshcompletion_DATA += contrib/completion/_greylag-milter
fishcompletion_DATA += contrib/completion/greylag-milter.fish
endif
COMPLETIONS = $(bashcompletion_DATA) $(zshcompletion_DATA) $(fishcompletion_DATA)
$(COMPLETIONS): contrib/completion.stamp
contrib/completion.stamp: contrib/completion.sh $(COMPLETED)
	$(AM_V_GEN)$(MKDIR_P) contrib/completion && for program in $(COMPLETED); do \
		name=$${program##*/}; name=$${name%$(EXEEXT)}; \
		$(srcdir)/contrib/completion.sh bash $$program >contrib/completion/$$name && \
		$(srcdir)/contrib/completion.sh zsh $$program >contrib/completion/_$$name && \
		$(srcdir)/contrib/completion.sh fish $$program >contrib/completion/$$name.fish || exit 1; \
	done && touch $@

CLEANFILES += $(UNITS) contrib/units.stamp $(COMPLETIONS) contrib/completion.stamp

dist_doc_DATA = README NEWS COPYING.exception
EXTRA_DIST += CONTRIBUTING
