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
# The commit that `--version` names: --build-arg NOTIFY_PUSH_COMMIT=$(git rev-parse --short=12 HEAD)
ARG NOTIFY_PUSH_COMMIT=unknown
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --features jemalloc --locked --bin notify_push \
    && cp target/dist/notify_push /notify_push \
    && mkdir -m 1777 /admin

FROM scratch
# Certificate authorities, for TLS to Nextcloud, the database and Redis.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /notify_push /notify_push
# `docker exec push /notify_push metrics` (`log`, `revoke`, `doctor`) reach the daemon through a socket here.
# The volume is writable also when you make the root file system read-only.
COPY --from=build --chmod=1777 /admin /run/notify_push
VOLUME /run/notify_push
ENV ADMIN_SOCKET_PATH=/run/notify_push/admin.sock
# A user that can read config.php: www-data of Nextcloud's image (82 in its Alpine variant).
USER 33:33
EXPOSE 7867
STOPSIGNAL SIGTERM
# Checks that the daemon runs, not its dependencies: a restart doesn't fix Redis and drops every client.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/notify_push", "healthcheck", "--live"]
ENTRYPOINT ["/notify_push"]
CMD ["/var/www/html/config/config.php"]
