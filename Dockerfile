# One image for everything: without a command it is the whole product under its supervisor (with an embedded Postgres
# when DATABASE_URL is unset); with one, a single process: bun src/processes/web-server.ts, bun workers/crm.ts, …

FROM node:22-bookworm-slim AS dependencies
WORKDIR /app
# The version that package.json pins.
COPY package.json bun.lock ./
COPY patches ./patches
RUN npm install --global --no-audit --no-fund "bun@$(node -p 'require("./package.json").engines.bun')" \
  && bun install --frozen-lockfile --production \
  && install -m 0755 "$(node -p 'require("fs").realpathSync(process.argv[1])' "$(command -v bun)")" /usr/local/bin/bun-program \
  && bun-program --version

FROM dependencies AS console
RUN bun install --frozen-lockfile
COPY package.json bun.lock bunfig.toml tsconfig.json ./
COPY src ./src
RUN bun src/console/build/build.ts

FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates libstdc++6 tini \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin agentlocator \
  && install -d -o agentlocator -g agentlocator -m 0700 /data
COPY --from=dependencies /usr/local/bin/bun-program /usr/local/bin/bun
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json bun.lock bunfig.toml tsconfig.json ./
COPY db ./db
COPY src ./src
COPY workers ./workers
COPY --from=console /app/dist/console ./dist/console

# docker build --build-arg COMMIT=$(git rev-parse HEAD): what /version says.
ARG COMMIT=unknown
RUN echo "$COMMIT" > .commit

ENV NODE_ENV=production HOST=0.0.0.0 PORT=5000 DATA_DIR=/data
USER agentlocator
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["bun", "-e", "const answer = await fetch(`http://127.0.0.1:${process.env.PORT}/healthz`); process.exit(answer.ok ? 0 : 1)"]
# tini reaps what the embedded Postgres leaves to process 1, and hands signals on.
ENTRYPOINT ["tini", "--"]
CMD ["bun", "src/processes/supervisor.ts"]
