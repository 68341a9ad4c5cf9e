EXTRA_DIST += \
	.ci/run \
	contrib/bash-completion/greylag \
	contrib/check \
	contrib/fetch-corpus \
	contrib/packages.sh \
	contrib/postfix/main.cf.greylag \
	contrib/postfix/main.cf.milter \
	contrib/postfix/master.cf.spawn \
	contrib/redis/cluster.conf \
	contrib/redis/greylag.conf \
	contrib/redis/greylagd.service.conf \
	contrib/redis/redis-server.service.conf \
	contrib/redis/redis.conf \
	contrib/redis/replica.conf \
	contrib/redis/sentinel.conf \
	contrib/redis/stunnel-mx.conf \
	contrib/redis/stunnel-server.conf \
	contrib/run \
	contrib/sudoers/greylag \
	contrib/systemd/greylag-milter.service \
	contrib/systemd/greylagd.service \
	contrib/systemd/greylagd.socket
