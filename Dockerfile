# syntax=docker/dockerfile:1
# The broker and its catalog, without a shell, as user 65532. See docs/OPERATIONS.md for its environment.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
COPY . .
# The caches are no part of the image, so the program is copied out in the same step. The touch: a checkout may carry older
# times than the cached build, and cargo goes by them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    touch src/lib.rs src/main.rs \
    && SQLX_OFFLINE=true cargo build --locked --release --bin chandlery \
    && cp target/release/chandlery /chandlery

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="chandlery" \
      org.opencontainers.image.description="An Open Service Broker for AWS" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /chandlery /chandlery
COPY catalog/ /etc/chandlery/catalog/
ENV CHANDLERY_CATALOG=/etc/chandlery/catalog \
    CHANDLERY_LISTEN=0.0.0.0:8080 \
    CHANDLERY_LOG_FORMAT=json
EXPOSE 8080
USER nonroot
ENTRYPOINT ["/chandlery"]
CMD ["serve"]
