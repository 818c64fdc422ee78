# syntax=docker/dockerfile:1.7

# Samtal's one image: one binary for all roles. Build it with: docker build -t samtal:0.1.0 .
# Both stages are Debian 13, so that the binary finds the C library it was linked with.
FROM rust:1.95.0-slim-trixie AS build
WORKDIR /src
COPY . .
# The lock file decides about every dependency; the caches only save time. Lines of the source are not needed in the image, names are kept.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package samtal --bin samtal \
    && install -D --mode=0755 target/release/samtal /out/samtal \
    && strip --strip-debug /out/samtal

FROM debian:trixie-20260918-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Samtal" \
      org.opencontainers.image.description="Chat-based care and counselling for a health region: one binary, all roles" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# By number, so that a cluster can see that it is not root. The folder belongs to it because volumes take over its owner.
RUN groupadd --gid 10001 samtal \
    && useradd --uid 10001 --gid samtal --no-create-home --home-dir /var/lib/samtal --shell /usr/sbin/nologin samtal \
    && install -d --owner=samtal --group=samtal --mode=0750 /var/lib/samtal /var/lib/samtal/attachments

COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/samtal /usr/local/bin/samtal
COPY docs/examples /usr/share/samtal/examples
COPY LICENSE /usr/share/samtal/LICENSE

USER 10001:10001
# All that is written lies here; the rest of the file system may be read-only.
WORKDIR /var/lib/samtal
VOLUME ["/var/lib/samtal"]
# Pages and gRPC. Neither has TLS: a proxy stands in front.
EXPOSE 8080 8081
ENTRYPOINT ["/usr/local/bin/samtal"]
CMD ["--help"]
