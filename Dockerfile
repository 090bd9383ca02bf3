# The page.
FROM node:22-bookworm-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

# The server: one static binary with the page inside.
FROM rust:1-bookworm AS server
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY server server
COPY xtask xtask
COPY bench bench
COPY docs/openapi.json docs/openapi.json
COPY --from=page /src/web/dist web/dist
# Naming the target keeps +crt-static away from build scripts and macros, which cannot be static.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --release --package sockscope --target "$target" \
 && cp "target/$target/release/sockscope" /sockscope

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
