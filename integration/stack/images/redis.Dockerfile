# Stand-in for the official redis:7, from Debian's package.
FROM debian:bookworm-slim
RUN apt-get -q update \
	&& DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends redis-server \
	&& rm -rf /var/lib/apt/lists/*
USER redis
WORKDIR /tmp
EXPOSE 6379
CMD ["redis-server", "--protected-mode", "no"]
