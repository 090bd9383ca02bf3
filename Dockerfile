# The page.
FROM node:22-bookworm-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

# The server: one static binary with the page inside, optimised by a profile of what it does (docs/adr/0012-profile.md).
FROM rust:1-bookworm AS server
# Without a profile it is built once instead of twice, and nothing of LLVM's is needed.
ARG PROFILE=yes
# What reads the profile must be of the compiler's LLVM: rustup has it, and where that cannot be reached Debian may.
RUN [ "$PROFILE" != yes ] \
 || rustup component add llvm-tools \
 || { apt-get update \
   && apt-get install -y --no-install-recommends "llvm-$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')"; }
WORKDIR /src
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
COPY server server
COPY xtask xtask
COPY bench bench
COPY docs/openapi.json docs/openapi.json
COPY --from=page /src/web/dist web/dist
RUN if [ "$PROFILE" = yes ]; then cargo xtask release --static; else cargo xtask release --static --plain; fi \
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
