# notify_push as one static binary in an otherwise empty image: no shell, no package, no root.
#
#   docker build -t notify_push .
#   docker run -v nextcloud:/var/www/html:ro -p 7867:7867 notify_push
#
# You can use a read-only root file system: the daemon writes only what you configure, such as SOCKET_PATH.

FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev=~1 make=~4
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin notify_push \
    && cp target/release/notify_push /notify_push

FROM scratch
# Certificate authorities, for TLS to Nextcloud, the database and Redis.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /notify_push /notify_push
# A user that can read config.php: www-data of Nextcloud's image (82 in its Alpine variant).
USER 33:33
EXPOSE 7867
STOPSIGNAL SIGTERM
# Checks that the daemon runs, not its dependencies: a restart doesn't fix Redis and drops every client.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/notify_push", "healthcheck", "--live"]
ENTRYPOINT ["/notify_push"]
CMD ["/var/www/html/config/config.php"]
