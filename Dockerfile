# The page.
FROM node:22-bookworm-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

# The server: one static binary with the page inside, optimised by a profile of what it does (docs/adr/0012-profile.md).
FROM rust:1-bookworm AS server
# `no` builds it once instead of twice, runs nothing of it, and needs nothing of LLVM's.
ARG PROFILE=yes
# What reads the profile must be of the compiler's LLVM: rustup has it, and where that cannot be reached Debian may.
RUN case "$PROFILE" in \
      yes) rustup component add llvm-tools \
        || { apt-get update && apt-get install -y --no-install-recommends \
               "llvm-$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')"; } \
        || { echo "no llvm-profdata for this compiler: --build-arg PROFILE=no does without" >&2; exit 1; } ;; \
      no) ;; \
      *) echo "PROFILE is yes or no, not $PROFILE" >&2; exit 1 ;; \
    esac
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY server server
COPY xtask xtask
COPY bench bench
COPY docs/openapi.json docs/openapi.json
COPY --from=page /src/web/dist web/dist
RUN plain=--plain && if [ "$PROFILE" = yes ]; then plain=; fi \
 && cargo run --locked --package xtask -- release --static $plain \
 && cp target/shipped/*/release/sockscope /sockscope

FROM scratch
LABEL org.opencontainers.image.title="sockscope" \
      org.opencontainers.image.description="An oscilloscope for sockets" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=server /sockscope /sockscope
USER 65532:65532
# All addresses of the container, so that a published port arrives; publish it to 127.0.0.1 (README).
ENV SOCKSCOPE_LISTEN=0.0.0.0:7625
EXPOSE 7625
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/sockscope", "health"]
ENTRYPOINT ["/sockscope"]
